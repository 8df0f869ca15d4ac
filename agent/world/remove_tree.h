// Removing a directory with all that is in it.
#pragma once

#include <string>

namespace nolapse {

// Removes `name` in the open directory `parent`, never following a link. 0 or an errno; an absent
// name is fine.
int remove_tree(int parent, const std::string& name);

}  // namespace nolapse
