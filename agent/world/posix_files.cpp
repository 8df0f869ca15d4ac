// Reads follow links, as live/<name> is one; they refuse everything that is not a regular file, so
// that a FIFO or a device in the wrong place cannot hold up the loop.
#include "agent/world/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "agent/world/file_lock.h"
#include "agent/world/file_operations.h"
#include "agent/world/system_error.h"
#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

constexpr std::size_t largest_file = 4u << 20;

}  // namespace

PosixFiles::PosixFiles(WorkerPool& workers, std::string state_directory)
    : workers_(workers), state_directory_(std::move(state_directory)) {}

void PosixFiles::run(std::vector<FileOperation> work, Completion<void> done) {
  workers_.run(
      [work = std::move(work), state_directory = state_directory_]() -> Result<void> {
        FileOperations operations(state_directory);
        for (const FileOperation& operation : work) {
          if (auto result = operations.run(operation); !result) return result;
        }
        return {};
      },
      std::move(done));
}

Result<std::string> PosixFiles::read(const std::string& path) const {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return fail(file_error(errno, "cannot read " + path));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", "cannot read " + path + ": it is not a file");
  }
  std::string content;
  std::array<char, 16384> buffer;
  while (content.size() <= largest_file) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(file_error(errno, "cannot read " + path));
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return fail(ErrorKind::local, "FILE_ERROR", "cannot read " + path + ": it is larger than 4 MiB");
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& directory) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
  if (!stream) return fail(file_error(errno, "cannot list " + directory));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) return fail(file_error(errno, "cannot list " + directory));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> PosixFiles::read_link(const std::string& path) const {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return fail(file_error(errno, "cannot read the link " + path));
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<FileStatus> PosixFiles::status(const std::string& path) const {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    return fail(file_error(errno, "cannot look at " + path));
  }
  FileStatus result;
  if (S_ISREG(found.st_mode)) result.kind = FileStatus::Kind::file;
  if (S_ISDIR(found.st_mode)) result.kind = FileStatus::Kind::directory;
  if (S_ISLNK(found.st_mode)) result.kind = FileStatus::Kind::symlink;
  result.size = static_cast<std::uint64_t>(std::max<off_t>(found.st_size, 0));
  result.mode = found.st_mode & 07777u;
  result.executable =
      !S_ISDIR(found.st_mode) && ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
  return result;
}

Result<std::unique_ptr<Files::Lock>> PosixFiles::lock(const std::string& path,
                                                      const std::string& holder) {
  return take_file_lock(path, holder, new_owner(path, state_directory_));
}

}  // namespace nolapse
