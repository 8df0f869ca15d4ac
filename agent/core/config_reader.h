// TOML text as a plain tree that remembers where everything stands. The checks need lines and the
// order of writing, and they should not each pull in toml++, which takes seconds to compile and
// keeps its tables sorted by key: so config_reader.cpp is the only file that includes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/core/config.h"

namespace nolapse {

struct ConfigPlace {
  std::string file;
  int line = 0;  // 0: the whole file
};

struct ConfigNode {
  enum class Kind { string, integer, real, boolean, date, list, table };

  Kind kind = Kind::table;
  ConfigPlace place;  // of the key, or of the list's item
  std::string key;    // under which it stands in its table; empty in a list
  std::string text;
  std::int64_t number = 0;
  bool truth = false;
  std::vector<ConfigNode> children;  // of a list or table, in the order of writing

  const ConfigNode* find(std::string_view name) const;
};

// The top-level table of a file, or its first syntax error.
tl::expected<ConfigNode, ConfigProblem> parse_config(const std::string& file,
                                                     const std::string& text);

}  // namespace nolapse
