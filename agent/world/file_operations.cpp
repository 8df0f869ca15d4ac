// Every operation finds the parent directory first and then works on one name relative to it
// (openat and its family), so that what was checked is what is used.
#include "agent/world/file_operations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/world/remove_tree.h"
#include "agent/world/system_error.h"
#include "agent/world/system_user.h"
#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

// Owner before mode: the group must not see a moment of rights that were meant for another one,
// and chown clears the special bits.
Result<void> set_owner_and_mode(int fd, const std::string& path, std::optional<FileOwner> owner,
                                const std::string& group_name, unsigned mode) {
  uid_t user = owner ? owner->user : static_cast<uid_t>(-1);
  gid_t group = owner ? owner->group : static_cast<gid_t>(-1);
  if (!group_name.empty()) {
    const auto found = find_group(group_name);
    if (!found) {
      return fail(ErrorKind::local, "FILE_ERROR",
                  "there is no group " + group_name +
                      " on this machine; create it or correct `group` in the configuration");
    }
    group = *found;
  }
  const bool change = owner.has_value() || !group_name.empty();
  if (change && ::fchown(fd, user, group) != 0) {
    if (errno == EPERM && !group_name.empty()) {
      return fail(ErrorKind::local, "PERMISSION_DENIED",
                  "cannot give " + path + " to the group " + group_name + ": user " +
                      name_of_user(::geteuid()) +
                      " is not in that group; add it there or run nolapse as root");
    }
    return fail(file_error(errno, "cannot change the owner of " + path));
  }
  if (::fchmod(fd, mode) != 0) return fail(file_error(errno, "cannot set the mode of " + path));
  return {};
}

Result<void> write_all(int fd, const std::string& content, const std::string& path) {
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = ::write(fd, content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(file_error(errno, "cannot write " + path));
    written += static_cast<std::size_t>(count);
  }
  return {};
}

Result<void> sync(const std::string& path, const GuardedDirectories& guarded, int flags) {
  auto place = find_place(path, guarded);
  if (!place) return fail(std::move(place).error());
  const UniqueFd fd(::openat(place->parent.get(), place->name.c_str(),
                             O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags));
  if (!fd || ::fsync(fd.get()) != 0) {
    return fail(place_error(errno, *place, "cannot write " + path + " through to the disk"));
  }
  return {};
}

Result<void> sync_root() {
  const UniqueFd fd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return fail(file_error(errno, "cannot write / through to the disk"));
  }
  return {};
}

// The package creates this user for the daemon; without it the state stays with root.
std::optional<FileOwner> owner_of_new_state_directory() {
  const auto daemon = find_user("nolapse");
  if (!daemon) return std::nullopt;
  return FileOwner{daemon->id, daemon->group};
}

// The name may lead to another file by now, and that one is not to be given away.
bool give_link_away(const FilePlace& place) {
  const UniqueFd fd(
      ::openat(place.parent.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return false;
  if (!S_ISLNK(status.st_mode)) {
    errno = EEXIST;
    return false;
  }
  return ::fchownat(fd.get(), "", place.owner->user, place.owner->group, AT_EMPTY_PATH) == 0;
}

// A crash between creating a directory and giving it away, or an older version, left it with root,
// and empty. One with something in it is another folder of root's, moved here by who owns the
// place.
bool is_unfinished(int directory) {
  struct stat status {};
  if (::fstat(directory, &status) != 0 || status.st_uid != 0) return false;
  std::vector<std::string> names;
  return names_in(directory, names) == 0 && names.empty();
}

}  // namespace

Result<void> FileOperations::run(const FileOperation& operation) {
  return std::visit([this](const auto& one) { return perform(one); }, operation);
}

// What lies above a guarded directory is for everybody to pass through; the mode is for that
// directory and what is in it.
Result<void> FileOperations::perform(const MakeDirectory& operation) {
  const std::string path = normal_path(operation.path);
  if (path == "/") return {};
  const std::string parent = parent_of(path);
  struct stat status {};
  if (parent != "/" && ::lstat(parent.c_str(), &status) != 0) {
    if (errno != ENOENT) return fail(file_error(errno, "cannot create " + parent));
    const bool above =
        std::any_of(guarded_.begin(), guarded_.end(), [&](const std::string& directory) {
          return path == directory || is_inside(directory, path);
        });
    if (auto made = perform(MakeDirectory{parent, above ? 0755 : operation.mode}); !made) {
      return made;
    }
  }
  auto place = find_place(path, guarded_);
  if (!place) return fail(std::move(place).error());
  const bool created =
      ::mkdirat(place->parent.get(), place->name.c_str(), operation.mode & 0700u) == 0;
  if (!created && errno != EEXIST) return fail(file_error(errno, "cannot create " + path));
  // A link to a directory is somebody's deliberate choice outside the guarded directories only.
  const int follow = is_inside_any(path, guarded_) ? O_NOFOLLOW : 0;
  const UniqueFd fd(::openat(place->parent.get(), place->name.c_str(),
                             O_RDONLY | O_DIRECTORY | O_CLOEXEC | (created ? O_NOFOLLOW : follow)));
  if (!fd) {
    // An existing directory that only lets us pass is there all the same.
    if (!created && errno == EACCES) return {};
    return fail(place_error(errno, *place, "cannot create " + path));
  }
  if (created && path == state_directory_ && ::geteuid() == 0) {
    place->owner = owner_of_new_state_directory();
  }
  if (!created && !(place->owner && is_unfinished(fd.get()))) return {};
  return set_owner_and_mode(fd.get(), path, place->owner, {}, operation.mode);
}

Result<void> FileOperations::perform(const WriteFile& operation) {
  auto place = find_place(operation.path, guarded_);
  if (!place) return fail(std::move(place).error());
  const UniqueFd fd(::openat(place->parent.get(), place->name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             operation.mode & 0700u));
  if (!fd) return fail(file_error(errno, "cannot create " + operation.path));
  auto result =
      set_owner_and_mode(fd.get(), operation.path, place->owner, operation.group, operation.mode);
  if (result) result = write_all(fd.get(), operation.content, operation.path);
  if (!result) ::unlinkat(place->parent.get(), place->name.c_str(), 0);
  return result;
}

Result<void> FileOperations::perform(const SetAccess& operation) {
  auto place = find_place(operation.path, guarded_);
  if (!place) return fail(std::move(place).error());
  const UniqueFd fd(::openat(place->parent.get(), place->name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail(place_error(errno, *place, "cannot open " + operation.path));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", operation.path + " is not a regular file");
  }
  // Rights that are to go end before the group changes, others begin after it.
  if (::fchmod(fd.get(), status.st_mode & operation.mode) != 0) {
    return fail(file_error(errno, "cannot set the mode of " + operation.path));
  }
  return set_owner_and_mode(fd.get(), operation.path, place->owner, operation.group,
                            operation.mode);
}

Result<void> FileOperations::perform(const AppendFile& operation) {
  auto place = find_place(operation.path, guarded_);
  if (!place) return fail(std::move(place).error());
  const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(::openat(place->parent.get(), place->name.c_str(), flags));
  if (!fd && errno == ENOENT) {
    if (auto made = perform(WriteFile{operation.path, {}, operation.mode, {}}); !made) return made;
    fd = UniqueFd(::openat(place->parent.get(), place->name.c_str(), flags));
  }
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail(place_error(errno, *place, "cannot open " + operation.path));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", operation.path + " is not a regular file");
  }
  return write_all(fd.get(), operation.content, operation.path);
}

Result<void> FileOperations::perform(const SyncFile& operation) {
  return sync(operation.path, guarded_, 0);
}

Result<void> FileOperations::perform(const SyncDirectory& operation) {
  if (normal_path(operation.path) == "/") return sync_root();
  return sync(operation.path, guarded_, O_DIRECTORY);
}

Result<void> FileOperations::perform(const Rename& operation) {
  auto from = find_place(operation.from, guarded_);
  if (!from) return fail(std::move(from).error());
  auto to = find_place(operation.to, guarded_);
  if (!to) return fail(std::move(to).error());
  if (::renameat(from->parent.get(), from->name.c_str(), to->parent.get(), to->name.c_str()) != 0) {
    return fail(file_error(errno, "cannot rename " + operation.from + " to " + operation.to));
  }
  return {};
}

Result<void> FileOperations::perform(const MakeSymlink& operation) {
  auto place = find_place(operation.path, guarded_);
  if (!place) return fail(std::move(place).error());
  if (::symlinkat(operation.target.c_str(), place->parent.get(), place->name.c_str()) != 0) {
    return fail(file_error(errno, "cannot create the link " + operation.path));
  }
  if (place->owner && !give_link_away(*place)) {
    return fail(file_error(errno, "cannot change the owner of " + operation.path));
  }
  return {};
}

Result<void> FileOperations::perform(const RemoveTree& operation) {
  auto place = find_place(operation.path, guarded_);
  if (!place) {
    if (place.error().code == "FILE_MISSING") return {};
    return fail(std::move(place).error());
  }
  const int error_number = remove_tree(place->parent.get(), place->name);
  if (error_number != 0) return fail(file_error(error_number, "cannot remove " + operation.path));
  return {};
}

}  // namespace nolapse
