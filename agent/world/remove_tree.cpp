// Each directory is opened with O_NOFOLLOW relative to its parent: exchanging one for a link
// between the look and the removal leads nowhere. The depth is limited because every level holds a
// descriptor; nothing that nolapse builds is deeper than five.
#include "agent/world/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

constexpr int deepest = 64;

int remove_at(int parent, const std::string& name, int depth) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return 0;
  // Linux says EISDIR for a directory, POSIX EPERM.
  if (errno != EISDIR && errno != EPERM) return errno;
  const int refusal = errno;
  if (depth == 0) return ENAMETOOLONG;
  {
    const UniqueFd directory(
        ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return errno == ENOTDIR || errno == ELOOP ? refusal : errno;
    std::vector<std::string> names;
    if (const int error_number = names_in(directory.get(), names)) return error_number;
    for (const auto& inner : names) {
      if (const int error_number = remove_at(directory.get(), inner, depth - 1)) {
        return error_number;
      }
    }
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  return errno;
}

}  // namespace

int names_in(int directory, std::vector<std::string>& names) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return errno;
  DIR* const stream = ::fdopendir(copy);
  if (stream == nullptr) {
    const int error_number = errno;
    ::close(copy);
    return error_number;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> owner(stream, &::closedir);
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  return errno;
}

int remove_tree(int parent, const std::string& name) {
  return remove_at(parent, name, deepest);
}

}  // namespace nolapse
