// One table of the configuration, read key by key: every getter reports what is wrong with its
// value and goes on, so that one run shows all problems. What nobody asked for by the end is an
// unknown key; thus the known keys are written down only once, where they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/config_reader.h"

namespace nolapse {

class ConfigProblems {
 public:
  void add(const ConfigPlace& place, std::string key, std::string reason, std::string fix);
  void add(ConfigProblem problem) { problems_.push_back(std::move(problem)); }
  // Sorted by the order in which the files were met, then by line.
  std::vector<ConfigProblem> take(const std::vector<std::string>& files);

 private:
  std::vector<ConfigProblem> problems_;
};

class ConfigSection {
 public:
  // `kind` is the section's word ("ca"; empty at top level), `path` what problems call it
  // ("ca.letsencrypt"). `table` and `problems` outlive the section.
  ConfigSection(const ConfigNode& table, std::string kind, std::string path,
                ConfigProblems& problems);

  void rename(std::string path) { path_ = std::move(path); }
  const ConfigNode& table() const { return table_; }
  const std::string& kind() const { return kind_; }

  // The getters give nothing when the key is absent or its value is wrong.
  const ConfigNode* find(const std::string& key);
  std::optional<std::string> text(const std::string& key);  // never empty, no control characters
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::uint16_t> port(const std::string& key);
  std::optional<unsigned> number(const std::string& key, unsigned least, unsigned most);
  // `range` says both limits in words: "from 1s to 1h".
  std::optional<Duration> duration(const std::string& key, Duration least, Duration most,
                                   const std::string& range);
  // The good items of a list of different strings, each with its line; where `or_one`, one string
  // may stand alone. An empty list is a value.
  std::optional<std::vector<const ConfigNode*>> texts(const std::string& key, bool or_one);

  // A problem with a key: at its line, or at the section's where it is absent.
  void problem(const std::string& key, std::string reason, std::string fix);
  void problem_at(const ConfigNode& node, const std::string& key, std::string reason,
                  std::string fix);
  // An error's message may carry its fix after a semicolon; otherwise it is this one.
  void problem_at(const ConfigNode& node, const std::string& key, const Error& error,
                  std::string fix);
  void not_supported(const ConfigNode& node, const std::string& key, const std::string& what,
                     std::string fix);

  // To be called last: everything that was not asked for is reported.
  void refuse_unknown_keys();

 private:
  std::string path_of(const std::string& key) const;
  bool is_text(const ConfigNode& node, const std::string& key);
  void wrong_type(const ConfigNode& node, const std::string& key, const std::string& wanted,
                  std::string fix);

  const ConfigNode& table_;
  std::string kind_;
  std::string path_;
  ConfigProblems& problems_;
  std::vector<std::string> known_;
};

bool has_control_characters(std::string_view text);

// Names become directories, arguments and columns: [A-Za-z0-9._-]{1,64}, no dot in front.
bool is_valid_name(std::string_view name);
inline constexpr const char* name_rule =
    "use 1 to 64 of the characters A-Z a-z 0-9 . _ -, with no dot in front";

// The fix for a word that is none of these: "did you mean "x"? known are: x, y".
std::string suggest(const std::string& written, const std::vector<std::string>& known);

}  // namespace nolapse
