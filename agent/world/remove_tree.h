// Removing a directory with all that is in it, and finding out what that is.
#pragma once

#include <string>
#include <vector>

namespace nolapse {

// Removes `name` in the open directory `parent`, never following a link. 0 or an errno; an absent
// name is fine.
int remove_tree(int parent, const std::string& name);

// The names in an open directory, without "." and "..". 0 or an errno.
int names_in(int directory, std::vector<std::string>& names);

}  // namespace nolapse
