// The durability model and the faults of the fake files.
#include "tests/support/fake_files.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time start = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

struct Fixture {
  FakeClock clock{start};
  FakeFiles files;

  explicit Fixture(std::uint64_t seed = 1) : files(clock, SeededRandom(seed)) {
    files.put("/s/old", "old");
    files.put_directory("/s/d");
  }

  Result<void> run(std::vector<FileOperation> work) {
    std::optional<Result<void>> outcome;
    files.run(std::move(work), [&](Result<void> result) { outcome = std::move(result); });
    REQUIRE_FALSE(outcome);
    REQUIRE(clock.run_until([&] { return outcome.has_value(); }));
    return *outcome;
  }
};

// What can be seen at /s/new over many crashes, as a sorted set: "absent", or quoted content.
std::string fates(const std::vector<FileOperation>& work, const std::string& path) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Fixture fixture(seed);
    REQUIRE(fixture.run(work));
    fixture.files.crash();
    const std::string text = fixture.files.text(path);
    const bool torn = !text.empty() && text.size() < 3;
    seen.insert(!fixture.files.exists(path) ? "absent" : torn ? "torn" : "'" + text + "'");
  }
  std::string result;
  for (const auto& each : seen) result += (result.empty() ? "" : " ") + each;
  return result;
}

}  // namespace

TEST_CASE("what a power failure leaves depends on what was synced") {
  const WriteFile write{"/s/new", "new", 0600, ""};
  const SyncFile sync_new{"/s/new"};
  const SyncDirectory sync_s{"/s"};
  const SyncDirectory sync_d{"/s/d"};
  struct Row {
    const char* what;
    std::vector<FileOperation> work;
    const char* path;
    const char* fates;
  };
  const Row rows[] = {
      {"nothing synced", {write}, "/s/new", "'' 'new' absent torn"},
      {"only the name synced", {write, sync_s}, "/s/new", "'' 'new' torn"},
      {"only the content synced", {write, sync_new}, "/s/new", "'new' absent"},
      {"both synced", {write, sync_new, sync_s}, "/s/new", "'new'"},
      {"the wrong directory synced", {write, sync_new, sync_d}, "/s/new", "'new' absent"},
      {"replaced by rename",
       {write, sync_new, Rename{"/s/new", "/s/old"}},
       "/s/old",
       "'new' 'old'"},
      {"rename without content",
       {write, Rename{"/s/new", "/s/old"}, sync_s},
       "/s/old",
       "'' 'new' torn"},
      {"a durable rename",
       {write, sync_new, Rename{"/s/new", "/s/old"}, sync_s},
       "/s/old",
       "'new'"},
      {"its source is gone",
       {write, sync_new, Rename{"/s/new", "/s/old"}, sync_s},
       "/s/new",
       "absent"},
      {"rename into a synced directory",
       {write, sync_new, Rename{"/s/new", "/s/d/x"}, sync_d},
       "/s/d/x",
       "'new'"},
      {"its source does not come back",
       {write, sync_new, Rename{"/s/new", "/s/d/x"}, sync_d},
       "/s/new",
       "absent"},
      {"removal", {RemoveTree{"/s/old"}}, "/s/old", "'old' absent"},
      {"durable removal", {RemoveTree{"/s/old"}, sync_s}, "/s/old", "absent"},
      {"a directory whose name was not synced",
       {MakeDirectory{"/s/n", 0700}, WriteFile{"/s/n/f", "new", 0600, ""}, SyncFile{"/s/n/f"},
        SyncDirectory{"/s/n"}},
       "/s/n/f",
       "'new' absent"},
      {"symlink", {MakeSymlink{"old", "/s/link"}}, "/s/link", "'old' absent"},
      {"durable symlink", {MakeSymlink{"old", "/s/link"}, sync_s}, "/s/link", "'old'"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(fates(row.work, row.path) == row.fates);
  }
}

TEST_CASE("a rename is kept or lost as a whole") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Fixture fixture(seed);
    REQUIRE(fixture.run({Rename{"/s/old", "/s/d/moved"}}));
    fixture.files.crash();
    CHECK(fixture.files.exists("/s/old") != fixture.files.exists("/s/d/moved"));
  }
}

TEST_CASE("the same seed loses the same things") {
  const auto tree = [](std::uint64_t seed) {
    Fixture fixture(seed);
    for (int i = 0; i < 20; ++i)
      REQUIRE(fixture.run({WriteFile{"/s/" + std::to_string(i), "x", 0644, ""}}));
    fixture.files.crash();
    return fixture.files.tree();
  };
  CHECK(tree(7) == tree(7));
  CHECK(tree(7) != tree(8));
}

TEST_CASE("a killed process loses its work but nothing that it wrote") {
  Fixture fixture;
  REQUIRE(fixture.run({WriteFile{"/s/new", "new", 0600, ""}}));
  bool done = false;
  fixture.files.run({WriteFile{"/s/late", "late", 0600, ""}}, [&](Result<void>) { done = true; });
  fixture.files.kill();
  fixture.clock.run_for(1s);
  CHECK(fixture.files.text("/s/new") == "new");
  CHECK_FALSE(fixture.files.exists("/s/late"));
  CHECK_FALSE(done);
}

TEST_CASE("an ordered crash comes after its operation and before anything of the process") {
  Fixture fixture;
  bool done = false;
  bool crashed = false;
  fixture.files.crash_after(2, [&] {
    crashed = true;
    fixture.clock.drop_all();
    fixture.files.kill();
  });
  fixture.files.run({WriteFile{"/s/1", "1", 0600, ""}, WriteFile{"/s/2", "2", 0600, ""},
                     WriteFile{"/s/3", "3", 0600, ""}},
                    [&](Result<void>) { done = true; });
  fixture.clock.run_for(1s);
  CHECK(crashed);
  CHECK_FALSE(done);
  CHECK(fixture.files.exists("/s/2"));
  CHECK_FALSE(fixture.files.exists("/s/3"));
  CHECK(fixture.files.total_operations() == 2);
}

TEST_CASE("operations refuse what the real ones refuse") {
  struct Row {
    FileOperation operation;
    const char* code;
  };
  const Row rows[] = {
      {WriteFile{"/s/old", "x", 0600, ""}, "FILE_EXISTS"},
      {WriteFile{"/nowhere/x", "x", 0600, ""}, "FILE_MISSING"},
      {WriteFile{"/s/old/x", "x", 0600, ""}, "FILE_ERROR"},
      {MakeSymlink{"x", "/s/old"}, "FILE_EXISTS"},
      {MakeDirectory{"/s/old/deeper", 0755}, "FILE_EXISTS"},
      {MakeDirectory{"/s/d", 0755}, ""},
      {SyncFile{"/s/none"}, "FILE_MISSING"},
      {SyncDirectory{"/s/old"}, "FILE_ERROR"},
      {Rename{"/s/none", "/s/x"}, "FILE_MISSING"},
      {Rename{"/s/old", "/s/d"}, "FILE_ERROR"},
      {Rename{"/s", "/s/d/s"}, "FILE_ERROR"},
      {RemoveTree{"/s/none"}, ""},
      {RemoveTree{"/none/none"}, ""},
  };
  for (const Row& row : rows) {
    Fixture fixture;
    const auto outcome = fixture.run({row.operation});
    CHECK((outcome ? "" : outcome.error().code) == row.code);
  }
}

TEST_CASE("work stops at the first error and says where") {
  Fixture fixture;
  fixture.files.fail_operation(2);
  const auto outcome =
      fixture.run({WriteFile{"/s/1", "1", 0600, ""}, WriteFile{"/s/2", "2", 0600, ""},
                   WriteFile{"/s/3", "3", 0600, ""}});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == "DISK_FULL");
  CHECK(outcome.error().message == "/s/2: no space left on device");
  CHECK(fixture.files.exists("/s/1"));
  CHECK_FALSE(fixture.files.exists("/s/3"));
}

TEST_CASE("a full disk leaves half of a file, a read-only path nothing") {
  Fixture fixture;
  fixture.files.set_disk_full(true);
  CHECK(fixture.run({WriteFile{"/s/new", "content", 0600, ""}}).error().code == "DISK_FULL");
  CHECK(fixture.files.text("/s/new") == "con");
  fixture.files.set_disk_full(false);
  fixture.files.set_read_only("/s", true);
  CHECK(fixture.run({RemoveTree{"/s/new"}}).error().code == "PERMISSION_DENIED");
  fixture.files.set_unreadable("/s/old", true);
  CHECK(fixture.files.read("/s/old").error().code == "PERMISSION_DENIED");
  fixture.files.set_closed("/s", true);
  CHECK(fixture.files.list("/s").error().code == "PERMISSION_DENIED");
  CHECK(fixture.files.status("/s").has_value());
  CHECK(fixture.files.status("/s/missing").error().code == "PERMISSION_DENIED");
}

TEST_CASE("a relative link to a directory is followed on the way, not at the end") {
  Fixture fixture;
  fixture.files.put("/s/certificates/shop/1/cert.pem", "one");
  fixture.files.put_symlink("../certificates/shop/1", "/s/live/shop");
  CHECK(fixture.files.read("/s/live/shop/cert.pem").value() == "one");
  CHECK(fixture.files.list("/s/live/shop").value() == std::vector<std::string>{"cert.pem"});
  CHECK(fixture.files.status("/s/live/shop").value().kind == FileStatus::Kind::symlink);
  CHECK(fixture.files.status("/s/live/shop/cert.pem").value().kind == FileStatus::Kind::file);
  CHECK(fixture.files.read_link("/s/live/shop").value() == "../certificates/shop/1");
  REQUIRE(fixture.run({RemoveTree{"/s/live/shop"}}));
  CHECK(fixture.files.exists("/s/certificates/shop/1/cert.pem"));
  fixture.files.put_symlink("/s/loop", "/s/loop");
  CHECK(fixture.files.read("/s/loop").error().code == "FILE_ERROR");
}

TEST_CASE("a lock names its holder, dies with its object and with the process") {
  Fixture fixture;
  {
    const auto held = fixture.files.lock("/s/lock", "process 1");
    REQUIRE(held);
    const auto second = fixture.files.lock("/s/lock", "process 2");
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::held);
    CHECK(second.error().message == "/s/lock is held by process 1");
  }
  auto old = fixture.files.lock("/s/lock", "before the crash");
  REQUIRE(old);
  fixture.files.crash();
  auto fresh = fixture.files.lock("/s/lock", "after the crash");
  REQUIRE(fresh);
  old->reset();
  CHECK_FALSE(fixture.files.lock("/s/lock", "another"));
}

TEST_CASE("changes that are never synced use bounded memory, and a crash still chooses of them") {
  std::set<std::string> seen;
  std::size_t most = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Fixture fixture(seed);
    REQUIRE(fixture.run({WriteFile{"/s/lonely", "1", 0600, ""}, MakeDirectory{"/s/gone", 0755},
                         SyncDirectory{"/s"}}));
    for (int beat = 0; beat < 3000; ++beat) {
      const std::string text = std::to_string(beat);
      REQUIRE(fixture.run({WriteFile{"/s/beat.new", text, 0644, ""}, SyncFile{"/s/beat.new"},
                           Rename{"/s/beat.new", "/s/beat"}, MakeDirectory{"/s/d/" + text, 0755},
                           WriteFile{"/s/d/" + text + "/file", "", 0644, ""},
                           RemoveTree{"/s/d/" + text}, SyncDirectory{"/s/d"}}));
      most = std::max(most, fixture.files.unsynced_changes());
    }
    fixture.files.crash();
    CHECK(fixture.files.exists("/s/lonely"));
    const std::string left = fixture.files.text("/s/beat");
    if (!left.empty()) CHECK(std::stoi(left) > 2900);
    seen.insert(left);
  }
  CHECK(most <= 1000);
  CHECK(seen.size() > 2);
}
