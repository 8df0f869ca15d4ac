// The users and groups of this machine. Look-ups may ask a directory service and take as long as it
// likes: they belong on a worker.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace nolapse {

struct SystemUser {
  std::string name;
  unsigned id = 0;
  unsigned group = 0;
  std::vector<unsigned> groups;  // supplementary ones, with the primary one
};

std::optional<SystemUser> find_user(const std::string& name);
std::optional<unsigned> find_group(const std::string& name);
// The name, or the number as text where it has none.
std::string name_of_user(unsigned id);
std::string name_of_group(unsigned id);
// Whose it is; nothing where there is no such file.
std::optional<unsigned> owner_of(const std::string& path);

}  // namespace nolapse
