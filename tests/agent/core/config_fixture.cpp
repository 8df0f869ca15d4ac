#include "tests/agent/core/config_fixture.h"

#include <doctest/doctest.h>

namespace nolapse {
namespace {

tl::unexpected<Error> missing(const std::string& path) {
  return fail(ErrorKind::local, "FILE_MISSING", path + ": no such file or directory");
}

tl::unexpected<Error> denied(const std::string& path) {
  return fail(ErrorKind::local, "PERMISSION_DENIED",
              "cannot look at " + path + ": Permission denied; check the owner and the mode of it");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

ConfigFiles::ConfigFiles() {
  add("/hooks/nginx", "#!/bin/sh\n", 0755);
  add("/hooks/haproxy", "#!/bin/sh\n", 0755);
  add("/hooks/lib.sh", "", 0644);
  add("/srv/root.pem", "-----BEGIN CERTIFICATE-----\n");
  add("/srv/eab.key", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n");
  add("/srv/www/index.html", "");
}

void ConfigFiles::add(const std::string& path, const std::string& content, unsigned mode) {
  entries_[path] = {FileStatus::Kind::file, content, mode};
  for (std::size_t slash = path.rfind('/'); slash != 0; slash = path.rfind('/', slash - 1)) {
    entries_.try_emplace(path.substr(0, slash), Entry{FileStatus::Kind::directory, "", 0755});
  }
}

void ConfigFiles::add_link(const std::string& path, const std::string& target) {
  add(path, target);
  entries_[path].kind = FileStatus::Kind::symlink;
}

const ConfigFiles::Entry* ConfigFiles::find(const std::string& path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

Result<std::string> ConfigFiles::read(const std::string& path) const {
  if (denied_.count(path) != 0) return denied(path);
  const Entry* entry = find(path);
  if (entry == nullptr) return missing(path);
  if (entry->kind == FileStatus::Kind::symlink) return read(entry->content);
  if (entry->kind == FileStatus::Kind::directory) {
    return fail(ErrorKind::local, "FILE_ERROR", path + ": is a directory");
  }
  return entry->content;
}

Result<std::vector<std::string>> ConfigFiles::list(const std::string& directory) const {
  if (denied_.count(directory) != 0) return denied(directory);
  const Entry* entry = find(directory);
  if (entry == nullptr) return missing(directory);
  if (entry->kind != FileStatus::Kind::directory) {
    return fail(ErrorKind::local, "FILE_ERROR", directory + ": not a directory");
  }
  std::vector<std::string> names;
  for (const auto& [path, ignored] : entries_) {
    const std::size_t slash = path.rfind('/');
    if (path.substr(0, slash) == directory) names.push_back(path.substr(slash + 1));
  }
  return names;
}

Result<std::string> ConfigFiles::read_link(const std::string& path) const {
  const Entry* entry = find(path);
  if (entry == nullptr) return missing(path);
  return entry->content;
}

Result<FileStatus> ConfigFiles::status(const std::string& path) const {
  if (denied_.count(path) != 0) return denied(path);
  const Entry* entry = find(path);
  if (entry == nullptr) {
    const Entry* parent = find(path.substr(0, path.rfind('/')));
    const bool below_file = parent != nullptr && parent->kind == FileStatus::Kind::file;
    if (below_file) return fail(ErrorKind::local, "FILE_ERROR", path + ": Not a directory");
    return missing(path);
  }
  return FileStatus{entry->kind, entry->content.size(), entry->mode, (entry->mode & 0100) != 0, 0,
                    {}};
}

Result<std::unique_ptr<Files::Lock>> ConfigFiles::lock(const std::string& path,
                                                       const std::string&) {
  return denied(path);
}

std::string with_ca(const std::string& text) {
  return text +
         "\n[[ca]]\nname = \"pebble\"\ndirectory = \"https://ca.test/dir\"\n"
         "terms_of_service_agreed = true\n";
}

std::vector<std::string> problems_in(const ConfigFiles& files) {
  std::vector<std::string> lines;
  for (const auto& problem : load_config(files, main_file).problems) {
    lines.push_back(problem.text());
  }
  return lines;
}

std::vector<std::string> problems_of(const std::string& text) {
  ConfigFiles files;
  files.add(main_file, text);
  return problems_in(files);
}

Config config_of(const std::string& text) {
  ConfigFiles files;
  files.add(main_file, text);
  ConfigResult result = load_config(files, main_file);
  for (const auto& problem : result.problems) FAIL_CHECK(problem.text());
  return result.config;
}

void check_cases(const std::vector<ProblemCase>& cases) {
  for (const ProblemCase& each : cases) {
    CAPTURE(each.text);
    std::vector<std::string> expected;
    for (const auto& problem : each.problems) expected.push_back(main_file + problem);
    CHECK(joined(problems_of(each.text)) == joined(expected));
  }
}

}  // namespace nolapse
