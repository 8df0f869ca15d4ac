// The socket is made under another name, gets its owner and mode, listens, and only then is renamed
// to where clients look: the umask, which belongs to all threads, is left alone, a stale socket is
// replaced without a gap, and nobody meets a socket that has the wrong mode or does not answer yet.
//
// Two daemons that start at the same moment are kept apart by the lock on the state directory,
// which is taken before.
#include "agent/world/control_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "agent/world/file_place.h"
#include "agent/world/sockets.h"
#include "agent/world/system_error.h"
#include "agent/world/system_user.h"
#include "agent/world/unix_address.h"

namespace nolapse {

using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

constexpr int backlog = 64;
constexpr const char* suffix = ".new";

std::string listening_on(const std::string& path) {
  return "cannot listen for commands on " + path;
}

tl::unexpected<acme::Error> not_a_socket(const std::string& path) {
  return fail(ErrorKind::local, "FILE_EXISTS",
              listening_on(path) + ": there is something that is no socket; move it away");
}

std::string process_behind(int connected) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return {};
  return " (pid " + std::to_string(peer.pid) + ")";
}

// Refused by a socket means that nobody has it open: its daemon is dead.
Result<void> check_that_nobody_answers(const std::string& path, const UnixAddress& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail(file_error(errno, listening_on(path)));
  }
  if (!S_ISSOCK(status.st_mode)) return not_a_socket(path);
  const UniqueFd fd = open_socket(AF_UNIX, SocketKind::stream);
  const bool connected = fd && ::connect(fd.get(), address.get(), address.size()) == 0;
  if (connected || errno == EAGAIN) {  // a full queue is somebody's, too
    return fail(ErrorKind::held, "DAEMON_RUNNING",
                "another nolapse daemon" + (connected ? process_behind(fd.get()) : std::string()) +
                    " answers on " + path + "; stop it first");
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return {};
  return fail(file_error(errno, "cannot tell whether a daemon answers on " + path));
}

Result<void> remove_unfinished(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? Result<void>() : fail(file_error(errno, listening_on(path)));
  }
  if (!S_ISSOCK(status.st_mode)) return not_a_socket(path);
  if (::unlink(path.c_str()) != 0) return fail(file_error(errno, "cannot remove " + path));
  return {};
}

// Links are not followed: whoever owns the directory may not use root to change another file.
Result<void> set_owner_and_mode(const std::string& path, unsigned mode, const std::string& group) {
  uid_t user_id = static_cast<uid_t>(-1);
  gid_t group_id = static_cast<gid_t>(-1);
  struct stat directory {};
  if (::geteuid() == 0 && ::stat(parent_of(path).c_str(), &directory) == 0) {
    user_id = directory.st_uid;
    group_id = directory.st_gid;
  }
  if (!group.empty()) {
    const auto found = find_group(group);
    if (!found) {
      return fail(ErrorKind::local, "FILE_ERROR",
                  listening_on(path) + ": there is no group " + group + " on this machine");
    }
    group_id = *found;
  }
  if (::fchownat(AT_FDCWD, path.c_str(), user_id, group_id, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == EPERM && !group.empty()) {
      return fail(ErrorKind::local, "PERMISSION_DENIED",
                  "cannot give " + path + " to the group " + group + ": user " +
                      name_of_user(::geteuid()) + " is not in that group; add it there");
    }
    return fail(file_error(errno, "cannot change the owner of " + path));
  }
  if (::fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(file_error(errno, "cannot set the mode of " + path));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ControlListener>> ControlListener::open(const std::string& path,
                                                               unsigned mode,
                                                               const std::string& group) {
  const std::string unfinished = path + suffix;
  const auto address = UnixAddress::parse(path);
  const auto first_address = UnixAddress::parse(unfinished);
  if (!address || !first_address || !path.starts_with('/')) {
    return fail(ErrorKind::input, "PATH_TOO_LONG",
                listening_on(path) + ": the path of a socket is absolute and has at most " +
                    std::to_string(UnixAddress::longest_path - std::string(suffix).size()) +
                    " characters, this one has " + std::to_string(path.size()) +
                    "; choose a shorter one");
  }
  if (auto vacant = check_that_nobody_answers(path, *address); !vacant) {
    return fail(std::move(vacant).error());
  }
  if (auto removed = remove_unfinished(unfinished); !removed) {
    return fail(std::move(removed).error());
  }
  // Its path is where the file is: whatever fails from here on, the destructor removes it.
  std::unique_ptr<ControlListener> listener(new ControlListener);
  listener->fd_ = open_socket(AF_UNIX, SocketKind::stream);
  if (!listener->fd_ ||
      ::bind(listener->fd_.get(), first_address->get(), first_address->size()) != 0) {
    return fail(file_error(errno, listening_on(path)));
  }
  listener->path_ = unfinished;
  struct stat status {};
  if (::lstat(unfinished.c_str(), &status) != 0) {
    return fail(file_error(errno, listening_on(path)));
  }
  listener->device_ = status.st_dev;
  listener->inode_ = status.st_ino;
  if (auto set = set_owner_and_mode(unfinished, mode, group); !set) {
    return fail(std::move(set).error());
  }
  if (::listen(listener->fd_.get(), backlog) != 0 ||
      std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return fail(file_error(errno, listening_on(path)));
  }
  listener->path_ = path;
  return listener;
}

ControlListener::~ControlListener() {
  struct stat status {};
  if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace nolapse
