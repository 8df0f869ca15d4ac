#include "agent/core/config_files.h"

#include <algorithm>

namespace nolapse {
namespace {

constexpr int link_limit = 40;  // as the kernel's

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> components;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string component = path.substr(begin, end - begin);
    if (!component.empty() && component != ".") components.push_back(component);
    begin = end + 1;
  }
  return components;
}

// One step of an expansion: what `component` matches below each of `directories`.
Result<std::vector<std::string>> descend(const Files& files,
                                         const std::vector<std::string>& directories,
                                         const std::string& component) {
  std::vector<std::string> found;
  for (const std::string& directory : directories) {
    const std::string parent = directory.empty() ? "/" : directory;
    const auto status = status_through_links(files, parent);
    if (status && status->kind != FileStatus::Kind::directory) continue;
    if (!has_wildcard(component)) {
      found.push_back(directory + "/" + component);
      continue;
    }
    auto names = files.list(parent);
    if (!names) {
      if (names.error().code == "FILE_MISSING") continue;
      return fail(names.error());
    }
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      if (matches(component, name)) found.push_back(directory + "/" + name);
    }
  }
  return found;
}

}  // namespace

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string resolve_path(const std::string& directory, const std::string& path) {
  const bool absolute = !path.empty() && path.front() == '/';
  const std::string whole = absolute ? path : directory + "/" + path;
  std::string tidy;
  for (const std::string& component : split_path(whole)) tidy += "/" + component;
  if (whole.front() == '/') return tidy.empty() ? "/" : tidy;
  return tidy.empty() ? "." : tidy.substr(1);
}

Result<FileStatus> status_through_links(const Files& files, const std::string& path) {
  std::string at = path;
  for (int hops = 0; hops < link_limit; ++hops) {
    auto status = files.status(at);
    if (!status || status->kind != FileStatus::Kind::symlink) return status;
    const auto target = files.read_link(at);
    if (!target) return fail(target.error());
    at = resolve_path(directory_of(at), *target);
  }
  return fail(ErrorKind::local, "FILE_ERROR", path + " is a loop of symbolic links");
}

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?") != std::string_view::npos;
}

bool matches(std::string_view pattern, std::string_view name) {
  if (!name.empty() && name.front() == '.' && (pattern.empty() || pattern.front() != '.')) {
    return false;
  }
  // On a mismatch the last `*` takes one character more; earlier ones never need to.
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, star_end = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<std::vector<std::string>> expand_pattern(const Files& files, const std::string& pattern) {
  const bool absolute = !pattern.empty() && pattern.front() == '/';
  std::vector<std::string> paths = {absolute ? "" : "."};
  for (const std::string& component : split_path(pattern)) {
    auto found = descend(files, paths, component);
    if (!found) return found;
    paths = std::move(*found);
  }
  std::vector<std::string> existing;
  for (const std::string& path : paths) {
    // Of the link itself: a dangling one shall be reported when it is read, not skipped.
    const auto status = files.status(path);
    if (status) {
      existing.push_back(resolve_path(".", path));
    } else if (status.error().code != "FILE_MISSING") {
      return fail(status.error());
    }
  }
  return existing;
}

}  // namespace nolapse
