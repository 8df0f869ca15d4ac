// Reads refuse everything that is not a regular file, so that a FIFO or a device in the wrong place
// cannot hold up the loop. In guarded directories they follow no link (live/<name> is read with
// read_link): root would show or use what their owner may not read.
#include "agent/world/posix_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>

#include "agent/world/file_lock.h"
#include "agent/world/file_operations.h"
#include "agent/world/remove_tree.h"
#include "agent/world/system_error.h"
#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

constexpr std::size_t largest_file = 4u << 20;

GuardedDirectories guarded_directories(const std::string& state_directory,
                                       const std::vector<std::string>& webroots) {
  GuardedDirectories guarded{state_directory};
  for (const std::string& webroot : webroots) guarded.push_back(normal_path(webroot));
  return guarded;
}

// What a read is about. In a guarded directory nothing is followed; elsewhere the parent is the
// working directory and the name an absolute path, which the kernel resolves as usual.
struct Subject {
  int parent() const { return place.parent ? place.parent.get() : AT_FDCWD; }
  const char* name() const { return place.name.c_str(); }
  int no_follow() const { return place.parent ? O_NOFOLLOW : 0; }
  Error error(int error_number, const std::string& what) const {
    return place.parent ? place_error(error_number, place, what) : file_error(error_number, what);
  }
  FilePlace place;
};

Result<Subject> find_subject(const std::string& path, const GuardedDirectories& guarded) {
  Subject subject;
  if (!is_inside_any(path, guarded)) {
    subject.place.name = path;
    return subject;
  }
  auto place = find_place(path, guarded);
  if (!place) return fail(std::move(place).error());
  subject.place = std::move(*place);
  return subject;
}

}  // namespace

PosixFiles::PosixFiles(WorkerPool& workers, std::string state_directory,
                       std::vector<std::string> webroots)
    : workers_(workers),
      state_directory_(normal_path(state_directory)),
      guarded_(guarded_directories(state_directory_, webroots)) {}

void PosixFiles::run(std::vector<FileOperation> work, Completion<void> done) {
  workers_.run(
      [work = std::move(work), state_directory = state_directory_,
       guarded = guarded_]() -> Result<void> {
        FileOperations operations(state_directory, guarded);
        for (const FileOperation& operation : work) {
          if (auto result = operations.run(operation); !result) return result;
        }
        return {};
      },
      [this, done = std::move(done)](Result<void> result) {
        walk_ = {};  // it may have made another folder of that name
        done(std::move(result));
      });
}

namespace {

Result<UniqueFd> open_to_read(const std::string& path, const GuardedDirectories& guarded) {
  const auto subject = find_subject(path, guarded);
  if (!subject) return fail(subject.error());
  UniqueFd fd(::openat(subject->parent(), subject->name(),
                       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | subject->no_follow()));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return fail(subject->error(errno, "cannot read " + path));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", "cannot read " + path + ": it is not a file");
  }
  return fd;
}

}  // namespace

Result<std::string> PosixFiles::read(const std::string& path) const {
  const auto fd = open_to_read(path, guarded_);
  if (!fd) return fail(fd.error());
  std::string content;
  std::array<char, 16384> buffer;
  while (content.size() <= largest_file) {
    const ssize_t count = ::read(fd->get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(file_error(errno, "cannot read " + path));
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return fail(ErrorKind::local, "FILE_ERROR", "cannot read " + path + ": it is larger than 4 MiB");
}

Result<std::string> PosixFiles::read_part(const std::string& path, std::uint64_t offset,
                                          std::size_t size) const {
  const auto fd = open_to_read(path, guarded_);
  if (!fd) return fail(fd.error());
  std::string content(size, '\0');
  ssize_t count = 0;
  do {
    count = ::pread(fd->get(), content.data(), size, static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fail(file_error(errno, "cannot read " + path));
  content.resize(static_cast<std::size_t>(count));
  return content;
}

Result<std::vector<std::string>> PosixFiles::list(const std::string& directory) const {
  const auto subject = find_subject(directory, guarded_);
  if (!subject) return fail(subject.error());
  const UniqueFd fd(::openat(subject->parent(), subject->name(),
                             O_RDONLY | O_DIRECTORY | O_CLOEXEC | subject->no_follow()));
  if (!fd) return fail(subject->error(errno, "cannot list " + directory));
  std::vector<std::string> names;
  if (const int error_number = names_in(fd.get(), names)) {
    return fail(file_error(error_number, "cannot list " + directory));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> PosixFiles::read_link(const std::string& path) const {
  const auto subject = find_subject(path, guarded_);
  if (!subject) return fail(subject.error());
  std::array<char, PATH_MAX> target;
  const ssize_t size =
      ::readlinkat(subject->parent(), subject->name(), target.data(), target.size());
  if (size < 0) return fail(file_error(errno, "cannot read the link " + path));
  return std::string(target.data(), static_cast<std::size_t>(size));
}

namespace {

// Kernels stamp files with their coarse clock: what was changed just now may change again without
// another stamp.
std::uint64_t version_of(const struct stat& status) {
  constexpr std::int64_t fresh_seconds = 2;
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (std::abs(now.tv_sec - status.st_ctim.tv_sec) < fresh_seconds) return 0;
  std::uint64_t version = 1;
  for (const std::int64_t part :
       {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_dev),
        static_cast<std::int64_t>(status.st_size), std::int64_t{status.st_ctim.tv_sec},
        std::int64_t{status.st_ctim.tv_nsec}, std::int64_t{status.st_mtim.tv_sec},
        std::int64_t{status.st_mtim.tv_nsec}}) {
    version = (version ^ static_cast<std::uint64_t>(part)) * 0x9e3779b97f4a7c15U;
    version ^= version >> 32;
  }
  return version | 1;
}

// Ticks of some milliseconds; asking for it costs no system call.
std::int64_t this_moment() {
  struct timespec now {};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Result<std::pair<int, std::string>> PosixFiles::find_spot(const std::string& path) const {
  if (!is_inside_any(path, guarded_)) return std::pair{AT_FDCWD, path};
  const std::string folder = parent_of(path);
  const std::int64_t moment = this_moment();
  if (walk_.folder != folder || walk_.moment != moment) {
    auto place = find_place(path, guarded_);
    if (!place) return fail(std::move(place).error());
    walk_ = {folder, std::move(place->parent), moment};
  }
  const std::string full = normal_path(path);
  return std::pair{walk_.directory.get(), full.substr(full.rfind('/') + 1)};
}

Result<FileStatus> PosixFiles::status(const std::string& path) const {
  const auto spot = find_spot(path);
  if (!spot) return fail(spot.error());
  const auto& [directory, name] = *spot;
  struct stat found {};
  if (::fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(file_error(errno, "cannot look at " + path));
  }
  FileStatus result;
  if (S_ISREG(found.st_mode)) result.kind = FileStatus::Kind::file;
  if (S_ISDIR(found.st_mode)) result.kind = FileStatus::Kind::directory;
  if (S_ISLNK(found.st_mode)) result.kind = FileStatus::Kind::symlink;
  result.size = static_cast<std::uint64_t>(std::max<off_t>(found.st_size, 0));
  result.mode = found.st_mode & 07777u;
  const bool may_follow = directory == AT_FDCWD;
  const bool may_run = S_ISREG(found.st_mode) && (found.st_mode & 0111u) != 0;
  result.executable = (may_run || (S_ISLNK(found.st_mode) && may_follow)) &&
                      ::faccessat(directory, name.c_str(), X_OK, AT_EACCESS) == 0;
  result.version = version_of(found);
  result.group = std::to_string(found.st_gid);
  return result;
}

Result<FileSpace> PosixFiles::space(const std::string& directory) const {
  struct statvfs found {};
  if (::statvfs(directory.c_str(), &found) != 0) {
    return fail(file_error(errno, "cannot look at the file system of " + directory));
  }
  return FileSpace{std::uint64_t{found.f_bavail} * found.f_frsize, found.f_favail, found.f_files};
}

Result<std::unique_ptr<Files::Lock>> PosixFiles::lock(const std::string& path,
                                                      const std::string& holder) {
  return take_file_lock(path, holder, guarded_);
}

}  // namespace nolapse
