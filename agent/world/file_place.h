// Where an operation takes place: an open parent directory and one name in it.
//
// Guarded directories are those in which root works beside an unprivileged owner: the state
// directory and the webroots. Below one no component of a path may be a symbolic link, because a
// link planted by that owner must not lead root elsewhere, and what root creates there is the
// owner's. The guarded directory itself may be reached through links.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/result.h"
#include "agent/world/unique_fd.h"

namespace nolapse {

// Normal paths, see normal_path().
using GuardedDirectories = std::vector<std::string>;

struct FileOwner {
  unsigned user = 0;
  unsigned group = 0;
};

struct FilePlace {
  UniqueFd parent;
  std::string name;
  // Whom something created here is to be given to; nothing: it stays with who creates it. Only
  // root gives away, and only to the owner of the guarded directory when that is somebody else.
  std::optional<FileOwner> owner;
};

// Finds the parent of an absolute path. Errors as in Files; a link that is in the way is a local
// FILE_ERROR that names it. Where guarded directories contain one another, links are refused below
// the outermost, and the innermost says whose the place is.
acme::Result<FilePlace> find_place(const std::string& path, const GuardedDirectories& guarded);

// `what` ("cannot read /path") failed with this errno when it opened the last component with
// O_NOFOLLOW; which errno that gives for a link depends on the other flags.
acme::Error place_error(int error_number, const FilePlace& place, const std::string& what);

// Without ".", "..", doubled and trailing slashes.
std::string normal_path(const std::string& path);
// Is `path` below `directory`? Purely textual, after removing "." and "..".
bool is_inside(const std::string& path, const std::string& directory);
bool is_inside_any(const std::string& path, const GuardedDirectories& directories);
std::string parent_of(const std::string& path);

}  // namespace nolapse
