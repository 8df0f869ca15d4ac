// The word a person probably meant when they wrote one we do not know. Used for keys, values and
// names in the configuration; edit distance with neighbouring letters swapped counted as one slip,
// and a word spelled out or abbreviated as one too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nolapse {

struct Nearest {
  std::string word;     // empty when there is nothing to choose from
  bool likely = false;  // near enough to be a slip of the keyboard
};

Nearest nearest(std::string_view written, const std::vector<std::string>& known);

// "a, b, c"
std::string list_words(const std::vector<std::string>& words);

}  // namespace nolapse
