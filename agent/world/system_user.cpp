// The _r forms only: several workers may look up at the same time.
#include "agent/world/system_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>

namespace nolapse {
namespace {

constexpr std::size_t largest_entry = 1u << 20;

// Calls `get(buffer, size, &found)` with as large a buffer as the entry needs.
template <class Get>
std::optional<SystemUser> look_up(Get get) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  while (get(&entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < largest_entry) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  SystemUser user;
  user.name = entry.pw_name;
  user.id = entry.pw_uid;
  user.group = entry.pw_gid;
  return user;
}

}  // namespace

std::optional<SystemUser> find_user(const std::string& name) {
  auto user = look_up([&name](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
  if (!user) return std::nullopt;
  int count = 64;
  std::vector<gid_t> groups(64);
  while (::getgrouplist(name.c_str(), user->group, groups.data(), &count) < 0 &&
         groups.size() < 65536) {
    groups.resize(groups.size() * 2);
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(count));
  user->groups.assign(groups.begin(), groups.end());
  return user;
}

std::optional<unsigned> find_group(const std::string& name) {
  std::vector<char> buffer(4096);
  group entry{};
  group* found = nullptr;
  while (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < largest_entry) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  return entry.gr_gid;
}

std::optional<unsigned> owner_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_uid;
}

std::string name_of_group(unsigned id) {
  std::vector<char> buffer(4096);
  group entry{};
  group* found = nullptr;
  while (::getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < largest_entry) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? std::to_string(id) : entry.gr_name;
}

std::string name_of_user(unsigned id) {
  const auto user = look_up([id](passwd* entry, char* buffer, std::size_t size, passwd** found) {
    return ::getpwuid_r(id, entry, buffer, size, found);
  });
  return user ? user->name : std::to_string(id);
}

}  // namespace nolapse
