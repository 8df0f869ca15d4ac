// Paths in the configuration: relative to the file that says them, through symlinks, with
// wildcards. All on text and the Files interface, so that the core stays free of the OS; `..` is
// left to the OS, because a symlink makes a textual answer wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

// "/etc/nolapse" for "/etc/nolapse/nolapse.toml"; "." for a bare name.
std::string directory_of(const std::string& path);

// An absolute path as it is, any other below `directory`; "//" and "/./" are removed.
std::string resolve_path(const std::string& directory, const std::string& path);

// Of what a chain of symlinks ends in. Errors as Files::status; local FILE_ERROR for a loop.
Result<FileStatus> status_through_links(const Files& files, const std::string& path);

bool has_wildcard(std::string_view pattern);

// `*` is any run of characters, `?` any one; neither matches a leading dot.
bool matches(std::string_view pattern, std::string_view name);

// The existing paths that match an absolute pattern, sorted; wildcards may stand in every
// component. Missing directories match nothing; a directory that cannot be listed is an error.
Result<std::vector<std::string>> expand_pattern(const Files& files, const std::string& pattern);

}  // namespace nolapse
