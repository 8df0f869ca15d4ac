// Wildcards, relative paths and symlinks of the configuration, as tables.
#include "agent/core/config_files.h"

#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

TEST_CASE("wildcards match as a shell's do") {
  struct Case {
    std::string pattern, name;
    bool match;
  };
  const std::vector<Case> cases = {
      {"*.toml", "a.toml", true},
      {"*.toml", ".toml", false},
      {"*.toml", ".a.toml", false},
      {".*.toml", ".a.toml", true},
      {"*.toml", "a.toml~", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"?bc", ".bc", false},
      {"*", "", true},
      {"a*b*c", "a-b-b-c", true},
      {"a*b*c", "a-b-b-c-", false},
      {"**", "x", true},
      {"[ab]", "a", false},
      {"[ab]", "[ab]", true},
      {"a*", "a", true},
      {"*a*a*a*a*b", std::string(60, 'a'), false},
  };
  for (const auto& each : cases) {
    CAPTURE(each.pattern);
    CAPTURE(each.name);
    CHECK(matches(each.pattern, each.name) == each.match);
  }
}

TEST_CASE("paths are taken relative to a directory, and `..` is left to the system") {
  struct Case {
    std::string directory, path, whole;
  };
  const std::vector<Case> cases = {
      {"/etc/nolapse", "a.toml", "/etc/nolapse/a.toml"},
      {"/etc/nolapse", "/srv//a/./b/", "/srv/a/b"},
      {"/etc/nolapse", "../x", "/etc/nolapse/../x"},
      {"/", "a", "/a"},
      {".", "a.toml", "a.toml"},
      {".", "./conf.d/../a", "conf.d/../a"},
      {".", "/", "/"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.path);
    CHECK(resolve_path(each.directory, each.path) == each.whole);
  }
  CHECK(directory_of("/etc/nolapse.toml") == "/etc");
  CHECK(directory_of("/nolapse.toml") == "/");
  CHECK(directory_of("nolapse.toml") == ".");
}

TEST_CASE("a pattern that descends through a file matches nothing there") {
  ConfigFiles files;
  files.add("/a/file", "");
  files.add("/a/dir/x.toml", "");
  const auto found = expand_pattern(files, "/a/*/*.toml");
  REQUIRE(found.has_value());
  CHECK(*found == std::vector<std::string>{"/a/dir/x.toml"});
  const auto literal = expand_pattern(files, "/a/*/x.toml");
  REQUIRE(literal.has_value());
  CHECK(*literal == *found);
  files.deny("/a");
  CHECK_FALSE(expand_pattern(files, "/a/*/*.toml").has_value());
}

}  // namespace
}  // namespace nolapse
