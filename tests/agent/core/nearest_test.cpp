// Which slips get a "did you mean", as a table.
#include "agent/core/nearest.h"

#include <doctest/doctest.h>

namespace nolapse {
namespace {

TEST_CASE("a slip of the keyboard is told from another word") {
  struct Case {
    std::string written, word;
    bool likely;
  };
  const std::vector<std::string> known = {"name", "domains", "directory", "webroot"};
  const std::vector<Case> cases = {
      {"domain", "domains", true},    {"doamins", "domains", true},
      {"dirctry", "directory", true}, {"web_root", "webroot", true},
      {"nmae", "name", true},         {"names", "name", true},
      {"eman", "name", false},        {"port", "webroot", false},
      {"x", "name", false},           {"directories", "directory", true},
      {"doma", "domains", true},      {"web", "webroot", false},
  };
  for (const auto& each : cases) {
    CAPTURE(each.written);
    const Nearest found = nearest(each.written, known);
    CHECK(found.likely == each.likely);
    if (each.likely) CHECK(found.word == each.word);
  }
}

TEST_CASE("nothing is near when nothing is known, and a huge word is no trouble") {
  CHECK(nearest("a", {}).word.empty());
  CHECK_FALSE(nearest("a", {}).likely);
  CHECK_FALSE(nearest(std::string(10'000'000, 'x'), {"name"}).likely);
}

}  // namespace
}  // namespace nolapse
