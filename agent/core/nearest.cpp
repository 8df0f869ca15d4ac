#include "agent/core/nearest.h"

#include <algorithm>

namespace nolapse {
namespace {

// Above this a word is not a slip but an attack on our quadratic time.
constexpr std::size_t length_limit = 64;

// "state_directory" for "state_dir": an abbreviation spelled out, or the other way round.
bool abbreviates(std::string_view a, std::string_view b) {
  const std::size_t shorter = std::min(a.size(), b.size());
  return shorter >= 4 && a.substr(0, shorter) == b.substr(0, shorter);
}

// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

Nearest nearest(std::string_view written, const std::vector<std::string>& known) {
  const std::string_view word = written.substr(0, length_limit);
  Nearest best;
  std::size_t best_distance = 0;
  for (const std::string& candidate : known) {
    const std::size_t distance = abbreviates(word, candidate) ? 1 : edit_distance(word, candidate);
    if (!best.word.empty() && distance >= best_distance) continue;
    best.word = candidate;
    best_distance = distance;
  }
  const std::size_t length = std::min(word.size(), best.word.size());
  best.likely = !best.word.empty() && best_distance <= std::max<std::size_t>(1, length / 3);
  return best;
}

std::string list_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace nolapse
