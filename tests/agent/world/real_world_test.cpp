#include "agent/world/real_world.h"

#include <doctest/doctest.h>

#include "tests/agent/world/temporary_folder.h"

using namespace nolapse;

TEST_CASE("the world guards the webroots that it is told of") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  std::filesystem::create_directory_symlink(elsewhere.path(), folder / ".well-known");
  RealWorld real({folder / "state", {}, {folder.path()}});
  std::optional<Result<void>> result;
  real.world().files.run({WriteFile{folder / ".well-known/token", "x", 0644, {}}},
                         [&](Result<void> written) { result = std::move(written); });
  real.run_until([&] { return result.has_value(); });
  REQUIRE_FALSE(*result);
  CHECK(result->error().message.find(folder / ".well-known") != std::string::npos);
  CHECK(std::filesystem::is_empty(elsewhere.path()));
}

TEST_CASE("the real world holds together and can be left at any moment") {
  const TemporaryFolder folder;
  int answers = 0;
  {
    RealWorld real({folder / "state", "127.0.0.1:9"});
    World world = real.world();
    CHECK(world.random.next() != world.random.next());
    acme::PrivateKey key;
    world.key_maker.generate(acme::KeyType::ecdsa_p256, [&](Result<acme::PrivateKey> made) {
      key = std::move(*made);
      ++answers;
    });
    world.files.run({MakeDirectory{folder / "state", 0700}}, [&](Result<void> made) {
      CHECK(made);
      ++answers;
    });
    world.dns.resolve("localhost", [&](Result<std::vector<std::string>> addresses) {
      CHECK(addresses);
      ++answers;
    });
    CHECK(answers == 0);
    real.run_until([&] { return answers == 3; });
    CHECK(key.type() == acme::KeyType::ecdsa_p256);
    CHECK(world.files.status(folder / "state")->mode == 0700);

    // Everything at once, and then the end.
    ProcessSpec sleep;
    sleep.argv = {"/bin/sleep", "30"};
    world.processes.run(sleep, [](Result<ProcessResult>) { FAIL("called after the end"); });
    world.key_maker.generate(acme::KeyType::rsa_2048,
                             [](Result<acme::PrivateKey>) { FAIL("called after the end"); });
    world.http.send({"GET", "https://shop.example/", {}, ""}, {},
                    [](Result<acme::HttpResponse>) { FAIL("called after the end"); });
    world.tls_probe.probe({}, [](ProbeReply) { FAIL("called after the end"); });
    world.clock.start_timer(std::chrono::hours(1), [] { FAIL("called after the end"); });
    int turns = 0;
    real.run_until([&turns] { return ++turns > 1; });
  }
  CHECK(answers == 3);
}
