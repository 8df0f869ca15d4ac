// Where an operation takes place: an open parent directory and one name in it.
#pragma once

#include <string>

#include "acme/result.h"
#include "agent/world/unique_fd.h"

namespace nolapse {

struct FilePlace {
  UniqueFd parent;
  std::string name;
};

// Finds the parent of an absolute path. Below the state directory every component must be a
// directory itself, never a link. Errors as in Files.
acme::Result<FilePlace> find_place(const std::string& path, const std::string& state_directory);

// Without ".", "..", doubled and trailing slashes.
std::string normal_path(const std::string& path);
// Is `path` below `directory`? Purely textual, after removing "." and "..".
bool is_inside(const std::string& path, const std::string& directory);
std::string parent_of(const std::string& path);

}  // namespace nolapse
