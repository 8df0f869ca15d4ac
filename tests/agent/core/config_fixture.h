// A read-only file system in a map and the shortest way from configuration text to the problems
// that an operator reads. The configuration needs nothing else of the world.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/core/config.h"

namespace nolapse {

class ConfigFiles : public Files {
 public:
  ConfigFiles();

  void add(const std::string& path, const std::string& content, unsigned mode = 0644);
  void add_link(const std::string& path, const std::string& target);
  // Every access to it is denied from now on.
  void deny(const std::string& path) { denied_[path] = true; }

  void run(std::vector<FileOperation>, Completion<void>) override {}
  Result<std::string> read(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
  Result<std::string> read_link(const std::string& path) const override;
  Result<FileStatus> status(const std::string& path) const override;
  Result<FileSpace> space(const std::string&) const override { return FileSpace{}; }
  Result<std::unique_ptr<Lock>> lock(const std::string&, const std::string&) override;

 private:
  struct Entry {
    FileStatus::Kind kind;
    std::string content;  // or the target of a link
    unsigned mode;
  };
  const Entry* find(const std::string& path) const;

  std::map<std::string, Entry> entries_;
  std::map<std::string, bool> denied_;
};

inline constexpr const char* main_file = "/etc/nolapse/nolapse.toml";

// A good [[ca]] named "pebble", to stand below the text under test.
std::string with_ca(const std::string& text);

// What `config check` prints for the main file in `files`, or for this text as the main file.
std::vector<std::string> problems_in(const ConfigFiles& files);
std::vector<std::string> problems_of(const std::string& text);

// The configuration of a text without problems.
Config config_of(const std::string& text);

struct ProblemCase {
  std::string text;
  std::vector<std::string> problems;  // without the main file's name
};
void check_cases(const std::vector<ProblemCase>& cases);

}  // namespace nolapse
