// The walk opens one component after the other with O_NOFOLLOW. openat2 with RESOLVE_NO_SYMLINKS
// would do the same in one call, but older kernels and some containers refuse it.
#include "agent/world/file_place.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>

#include "agent/world/system_error.h"

namespace nolapse {

using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

constexpr int directory_flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

}  // namespace

std::string normal_path(const std::string& path) {
  std::string result = std::filesystem::path(path).lexically_normal().string();
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

bool is_inside(const std::string& path, const std::string& directory) {
  const std::string inner = normal_path(path);
  const std::string outer = normal_path(directory);
  return outer.size() > 1 && inner.size() > outer.size() + 1 && inner.starts_with(outer) &&
         inner[outer.size()] == '/';
}

std::string parent_of(const std::string& path) {
  return std::filesystem::path(normal_path(path)).parent_path().string();
}

Result<FilePlace> find_place(const std::string& path, const std::string& state_directory) {
  const std::string full = normal_path(path);
  if (full.empty() || full.front() != '/' || full == "/" || full.find('\0') != std::string::npos) {
    return fail(ErrorKind::local, "FILE_ERROR", "not the absolute path of a file: " + path);
  }
  const std::string parent = parent_of(full);
  const bool inside = is_inside(full, state_directory);
  const std::string start = inside ? normal_path(state_directory) : parent;

  FilePlace place;
  place.name = full.substr(full.rfind('/') + 1);
  place.parent.reset(::open(start.c_str(), directory_flags));
  if (!place.parent) return fail(file_error(errno, "cannot open the directory " + start));
  if (!inside || parent == start) return place;

  std::string walked = start;
  for (const auto& component : std::filesystem::path(parent.substr(start.size() + 1))) {
    walked += "/" + component.string();
    const int next = ::openat(place.parent.get(), component.c_str(), directory_flags | O_NOFOLLOW);
    if (next < 0) {
      // O_PATH with O_NOFOLLOW opens a link itself, which is then no directory.
      if (errno == ENOTDIR) errno = ELOOP;
      return fail(file_error(errno, "cannot open the directory " + walked));
    }
    place.parent.reset(next);
  }
  return place;
}

}  // namespace nolapse
