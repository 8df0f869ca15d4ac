// The configuration on the disk is read again when, and only when, something about it has changed.
#include "agent/core/config_on_disk.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/fake_world.h"

using namespace nolapse;

namespace {

struct Disk {
  Disk() {
    files.put("/etc/nolapse/nolapse.toml", "include = [\"conf.d/*.toml\"]\n");
    files.put_directory("/etc/nolapse/conf.d");
  }

  FakeWorld world{1};
  FakeFiles& files = world.files;
  ConfigOnDisk on_disk{files, "/etc/nolapse/nolapse.toml", "/state"};
};

}  // namespace

TEST_CASE("whatever a configuration is made of, its change is seen") {
  Disk disk;
  const std::string before = disk.on_disk.digest();
  CHECK(disk.on_disk.digest() == before);

  disk.files.put("/etc/nolapse/conf.d/more.toml", "nonsense = 1\n");
  const std::string with_more = disk.on_disk.digest();
  CHECK(with_more != before);
  const std::size_t problems = disk.on_disk.problems().size();
  disk.files.put("/etc/nolapse/conf.d/more.toml", "# as it was\n");
  CHECK(disk.on_disk.digest() != with_more);
  CHECK(disk.on_disk.problems().size() < problems);
  disk.files.erase("/etc/nolapse/conf.d/more.toml");
  CHECK(disk.on_disk.digest() == before);

  disk.files.put("/etc/nolapse/nolapse.toml", "broken");
  CHECK(disk.on_disk.digest() != before);
  CHECK(disk.on_disk.problems().size() == 1);
}

TEST_CASE("a file that the configuration names and that is gone is seen, too") {
  Disk disk;
  disk.files.put("/etc/nolapse/nolapse.toml",
                 "[[ca]]\nname = \"own\"\ndirectory = \"https://ca.test/directory\"\n"
                 "[deploy.web]\nhook = \"/hooks/web\"\n");
  const auto names_hook = [&] {
    const auto& problems = disk.on_disk.problems();
    return std::any_of(problems.begin(), problems.end(),
                       [](const ConfigProblem& problem) { return problem.key.ends_with(".hook"); });
  };
  CHECK(names_hook());
  disk.files.put("/hooks/web", "#!/bin/sh\n", 0755);
  CHECK_FALSE(names_hook());
  disk.files.put("/hooks/web", "#!/bin/sh\n", 0644);
  CHECK(names_hook());
  disk.files.erase("/hooks/web");
  CHECK(names_hook());
}
