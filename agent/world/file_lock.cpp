// flock(2): it dies with its process, whatever way that goes, and needs no more than an open file.
// The file stays for ever (removing it would let two processes hold locks on two files of one
// name); the text in it is for people and means nothing without the lock.
//
// Root and the daemon's user take turns: the file belongs to the owner of the state directory, so
// both can write the text. Whoever may only read it can still lock it, and leaves no text.
#include "agent/world/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/world/system_error.h"
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

UniqueFd open_lock_file(const std::string& path, std::optional<FileOwner> owner) {
  constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  UniqueFd fd(::open(path.c_str(), O_RDWR | flags));
  if (!fd && errno == ENOENT) {
    fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | flags, 0644));
    if (fd && ::fchmod(fd.get(), 0644) != 0) return UniqueFd();
    if (fd && owner && ::fchown(fd.get(), owner->user, owner->group) != 0) return UniqueFd();
  }
  if (!fd && (errno == EACCES || errno == EROFS)) fd.reset(::open(path.c_str(), O_RDONLY | flags));
  return fd;
}

}  // namespace

Result<std::unique_ptr<Files::Lock>> take_file_lock(const std::string& path,
                                                    const std::string& holder,
                                                    std::optional<FileOwner> owner) {
  UniqueFd fd = open_lock_file(path, owner);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail(file_error(errno, "cannot open the lock file " + path));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", "the lock file " + path + " is not a file");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(file_error(errno, "cannot lock " + path));
    const std::string text = read_holder(fd.get());
    return fail(ErrorKind::held, "LOCK_HELD",
                path + " is held by " + (text.empty() ? "another nolapse process" : text));
  }
  const std::string line =
      "process " + std::to_string(::getpid()) + " (" + holder.substr(0, longest_text - 40) + ")\n";
  // Best effort: the lock is what counts.
  if (::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), line.data(), line.size(), 0) < 0) {
    errno = 0;
  }
  return std::unique_ptr<Files::Lock>(std::make_unique<FileLock>(std::move(fd)));
}

}  // namespace nolapse
