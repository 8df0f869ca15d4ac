// flock(2): it dies with its process, whatever way that goes, and needs no more than an open file.
// The file stays for ever (removing it would let two processes hold locks on two files of one
// name); the text in it is for people and means nothing without the lock.
//
// Whoever can open the file can hold the lock for ever, so that nobody but its owner may. Root and
// the daemon's user take turns: the file belongs to the owner of the state directory.
#include "agent/world/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/world/system_error.h"
#include "agent/world/system_user.h"
#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

constexpr std::size_t longest_text = 256;

class FileLock final : public Files::Lock {
 public:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  ~FileLock() override {
    if (::ftruncate(fd_.get(), 0) != 0) return;  // only the text stays behind
  }

 private:
  UniqueFd fd_;
};

// The file may have been written by anybody who can write in the directory.
std::string read_holder(int fd) {
  std::array<char, longest_text> buffer;
  const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), 0);
  std::string text;
  for (ssize_t i = 0; i < count && buffer[static_cast<std::size_t>(i)] != '\n'; ++i) {
    const char c = buffer[static_cast<std::size_t>(i)];
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  return text;
}

// Creation is exclusive: only what this call created is given away without a look at it.
UniqueFd open_lock_file(const FilePlace& place) {
  constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const int parent = place.parent.get();
  const char* const name = place.name.c_str();
  for (int attempt = 0; attempt < 3; ++attempt) {
    UniqueFd fd(::openat(parent, name, flags));
    if (fd || errno != ENOENT) return fd;
    fd.reset(::openat(parent, name, flags | O_CREAT | O_EXCL, 0600));
    if (!fd && errno == EEXIST) continue;  // another process was quicker
    if (fd && place.owner && ::fchown(fd.get(), place.owner->user, place.owner->group) != 0) {
      return UniqueFd();
    }
    return fd;
  }
  return UniqueFd();
}

Error open_error(int error_number, const std::string& path, const FilePlace& place) {
  const std::string what = "cannot open the lock file " + path;
  struct stat status {};
  if (error_number == EACCES &&
      ::fstatat(place.parent.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return {ErrorKind::local,
            "PERMISSION_DENIED",
            what + ": it belongs to " + name_of_user(status.st_uid) +
                "; run nolapse as that user or as root",
            {},
            {}};
  }
  return place_error(error_number, place, what);
}

// Is `fd` the file at this place, a file of one name? Another name of somebody's file could have
// been put here for root to empty and give away. Identity and number of names come from one look:
// from two, they could be made to fit.
Result<void> check_identity(int fd, const std::string& path, const FilePlace& place) {
  struct stat opened {};
  struct stat named {};
  if (::fstat(fd, &opened) != 0 ||
      ::fstatat(place.parent.get(), place.name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(file_error(errno, "cannot look at the lock file " + path));
  }
  if (!S_ISREG(named.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", "the lock file " + path + " is not a file");
  }
  if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino) {
    return fail(ErrorKind::local, "FILE_ERROR",
                "the lock file " + path + " was exchanged while it was opened; try again");
  }
  if (named.st_nlink != 1) {
    return fail(ErrorKind::local, "FILE_ERROR",
                "the lock file " + path + " has another name elsewhere (a hard link); remove it");
  }
  return {};
}

// Older versions let everybody open it, and a crash can leave it with root.
Result<void> make_private(int fd, const std::string& path, const FilePlace& place) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(file_error(errno, "cannot look at " + path));
  const bool ours = ::geteuid() == 0 || status.st_uid == ::geteuid();
  if (ours && (status.st_mode & 07777u) != 0600 && ::fchmod(fd, 0600) != 0) {
    return fail(file_error(errno, "cannot set the mode of the lock file " + path));
  }
  if (place.owner && status.st_uid != place.owner->user &&
      ::fchown(fd, place.owner->user, place.owner->group) != 0) {
    return fail(file_error(errno, "cannot change the owner of the lock file " + path));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Files::Lock>> take_file_lock(const std::string& path,
                                                    const std::string& holder,
                                                    const GuardedDirectories& guarded) {
  auto place = find_place(path, guarded);
  if (!place) return fail(std::move(place).error());
  UniqueFd fd = open_lock_file(*place);
  if (!fd) return fail(open_error(errno, path, *place));
  const int lock_error = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  // After flock, so that a file that was removed meanwhile is noticed.
  if (auto checked = check_identity(fd.get(), path, *place); !checked) {
    return fail(std::move(checked).error());
  }
  // Before anything is said about the lock: somebody whom an older mode let in may hold it.
  if (auto made = make_private(fd.get(), path, *place); !made) {
    return fail(std::move(made).error());
  }
  if (lock_error == EWOULDBLOCK) {
    const std::string text = read_holder(fd.get());
    return fail(ErrorKind::held, "LOCK_HELD",
                path + " is held by " + (text.empty() ? "another nolapse process" : text) +
                    "; try again when that has ended");
  }
  if (lock_error != 0) return fail(file_error(lock_error, "cannot lock " + path));
  const std::string line =
      "process " + std::to_string(::getpid()) + " (" + holder.substr(0, longest_text - 40) + ")\n";
  // Best effort: the lock is what counts.
  if (::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), line.data(), line.size(), 0) < 0) {
    errno = 0;
  }
  return std::unique_ptr<Files::Lock>(std::make_unique<FileLock>(std::move(fd)));
}

}  // namespace nolapse
