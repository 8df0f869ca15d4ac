// The walk needs no open descriptors: when each component is found to be root's before the next one
// is looked at, nobody else can exchange one in between.
#include "agent/world/root_owned.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <optional>

#include "agent/world/system_error.h"
#include "agent/world/system_user.h"

namespace nolapse {

using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

constexpr int most_links = 40;  // as the kernel's
constexpr uid_t root_user = 0;
constexpr gid_t root_group = 0;

tl::unexpected<acme::Error> refuse(const std::string& path, const std::string& why,
                                   const std::string& remedy) {
  return fail(ErrorKind::local, "NOT_ROOT_OWNED",
              path + " " + why + ", who could make root run anything; run: " + remedy + " " + path);
}

// With an access list the group's bits are its mask, and say nothing about root's group alone.
bool has_access_list(const std::string& path) {
  return ::lgetxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
}

Result<void> check_owner_and_mode(const std::string& path, const struct stat& status) {
  if (status.st_uid != root_user) {
    return refuse(path, "belongs to user " + name_of_user(status.st_uid), "chown root");
  }
  // The mode of a link means nothing, and a folder's sticky bit leaves root's entries to root.
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  if (S_ISLNK(status.st_mode) || sticky) return {};
  if ((status.st_mode & S_IWOTH) != 0) {
    return refuse(path, "is writable by everybody", "chmod o-w");
  }
  if ((status.st_mode & S_IWGRP) == 0) return {};
  if (has_access_list(path)) {
    return refuse(path, "has an access list that lets others write", "setfacl -b");
  }
  if (status.st_gid != root_group) {
    return refuse(path, "is writable by group " + name_of_group(status.st_gid), "chmod g-w");
  }
  return {};
}

// In front of what is still to be walked.
void prepend(std::deque<std::string>& components, const std::string& path) {
  std::deque<std::string> all;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string component = path.substr(begin, end - begin);
    if (!component.empty() && component != ".") all.push_back(component);
    begin = end + 1;
  }
  components.insert(components.begin(), all.begin(), all.end());
}

// "" is the root folder.
std::string folder_above(const std::string& path) {
  return path.empty() ? path : path.substr(0, path.rfind('/'));
}

// Where the link leads, or nothing where it is no link.
Result<std::optional<std::string>> look_at(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return fail(file_error(errno, "cannot look at " + path));
  }
  if (auto checked = check_owner_and_mode(path, status); !checked) return fail(checked.error());
  if (!S_ISLNK(status.st_mode)) return std::optional<std::string>();
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return fail(file_error(errno, "cannot read the link " + path));
  return std::optional(std::string(target.data(), static_cast<std::size_t>(size)));
}

}  // namespace

Result<void> check_root_owned(const std::string& path) {
  if (auto root = look_at("/"); !root) return fail(root.error());
  std::deque<std::string> rest;
  prepend(rest, path);
  std::string at;
  int links = 0;
  while (!rest.empty()) {
    const std::string next = rest.front() == ".." ? folder_above(at) : at + "/" + rest.front();
    rest.pop_front();
    const auto link = look_at(next.empty() ? "/" : next);
    if (!link) return fail(link.error());
    if (!*link) {
      at = next;
      continue;
    }
    if (++links > most_links) {
      return fail(ErrorKind::local, "FILE_ERROR", path + " is a loop of symbolic links");
    }
    if ((*link)->starts_with('/')) at.clear();
    prepend(rest, **link);
  }
  return {};
}

}  // namespace nolapse
