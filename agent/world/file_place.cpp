// The walk opens one component after the other with O_NOFOLLOW. openat2 with RESOLVE_NO_SYMLINKS
// would do the same in one call, but older kernels and some containers refuse it.
#include "agent/world/file_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "agent/world/system_error.h"

namespace nolapse {

using acme::Error;
using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

constexpr int directory_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

// The guarded directories around a path; empty texts when there is none.
struct Guards {
  std::string outermost;
  std::string innermost;
};

Guards guards_around(const std::string& path, const GuardedDirectories& guarded) {
  Guards result;
  for (const std::string& directory : guarded) {
    if (!is_inside(path, directory)) continue;
    if (result.outermost.empty() || directory.size() < result.outermost.size()) {
      result.outermost = directory;
    }
    if (directory.size() > result.innermost.size()) result.innermost = directory;
  }
  return result;
}

// Asked of the open directory and not of its path, which may lead elsewhere by now.
std::optional<FileOwner> owner_to_give_to(int directory) {
  struct stat status {};
  if (::geteuid() != 0 || ::fstat(directory, &status) != 0 || status.st_uid == 0) {
    return std::nullopt;
  }
  return FileOwner{status.st_uid, status.st_gid};
}

bool is_link(int parent, const std::string& name) {
  struct stat status {};
  return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(status.st_mode);
}

// Almost every path is normal already, and std::filesystem takes its time to say so.
bool is_normal(const std::string& path) {
  return path.size() > 1 && path.front() == '/' && path.back() != '/' &&
         path.find("//") == std::string::npos && path.find("/.") == std::string::npos;
}

bool is_below(const std::string& normal, const std::string& directory) {
  return directory.size() > 1 && normal.size() > directory.size() + 1 &&
         normal.starts_with(directory) && normal[directory.size()] == '/';
}

}  // namespace

std::string normal_path(const std::string& path) {
  if (is_normal(path)) return path;
  std::string result = std::filesystem::path(path).lexically_normal().string();
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

bool is_inside(const std::string& path, const std::string& directory) {
  if (is_normal(path) && is_normal(directory)) return is_below(path, directory);
  return is_below(normal_path(path), normal_path(directory));
}

bool is_inside_any(const std::string& path, const GuardedDirectories& directories) {
  return !guards_around(path, directories).outermost.empty();
}

std::string parent_of(const std::string& path) {
  if (is_normal(path)) return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  return std::filesystem::path(normal_path(path)).parent_path().string();
}

Error place_error(int error_number, const FilePlace& place, const std::string& what) {
  // O_DIRECTORY, and O_PATH with it, gives ENOTDIR for a link.
  const bool link =
      (error_number == ENOTDIR || error_number == ELOOP) && is_link(place.parent.get(), place.name);
  return file_error(link ? ELOOP : error_number, what);
}

Result<FilePlace> find_place(const std::string& path, const GuardedDirectories& guarded) {
  const std::string full = normal_path(path);
  if (full.empty() || full.front() != '/' || full == "/" || full.find('\0') != std::string::npos) {
    return fail(ErrorKind::local, "FILE_ERROR", "not the absolute path of a file: " + path);
  }
  const std::string parent = parent_of(full);
  const Guards guards = guards_around(full, guarded);
  const std::string start = guards.outermost.empty() ? parent : guards.outermost;

  FilePlace place;
  place.parent.reset(::open(start.c_str(), directory_flags));
  if (!place.parent) return fail(file_error(errno, "cannot open the directory " + start));
  std::string walked = start;
  if (walked == guards.innermost) place.owner = owner_to_give_to(place.parent.get());
  while (walked.size() < parent.size()) {
    const std::size_t begin = walked.size() + 1;
    place.name = parent.substr(begin, parent.find('/', begin) - begin);
    walked += "/" + place.name;
    const int next = ::openat(place.parent.get(), place.name.c_str(), directory_flags | O_NOFOLLOW);
    if (next < 0) return fail(place_error(errno, place, "cannot open the directory " + walked));
    place.parent.reset(next);
    if (walked == guards.innermost) place.owner = owner_to_give_to(next);
  }
  place.name = full.substr(full.rfind('/') + 1);
  return place;
}

}  // namespace nolapse
