#include "agent/world/trust_store.h"

#include <doctest/doctest.h>

#include "tests/agent/world/await.h"
#include "tests/agent/world/temporary_folder.h"
#include "tests/agent/world/tls_server.h"

using namespace nolapse;

namespace {

struct Asker {
  // All ask before the first has its answer.
  std::vector<Result<TrustStore>> ask(const std::string& roots_file, std::size_t times) {
    std::vector<Result<TrustStore>> answers;
    for (std::size_t i = 0; i < times; ++i) {
      stores.get(roots_file,
                 [&](Result<TrustStore> store) { answers.push_back(std::move(store)); });
    }
    CHECK(answers.empty());
    loop.run_until([&] { return answers.size() == times; });
    return answers;
  }
  EventLoop loop;
  WorkerPool workers{loop, 4};
  TrustStores stores{workers};
};

}  // namespace

TEST_CASE("many who ask at once for the same anchors wait for one load of them") {
  const TemporaryFolder folder;
  const auto roots = folder.write("roots.pem", make_certificate(nullptr, "Test Root", "").pem());
  Asker asker;
  const auto first = asker.ask(roots, 40);
  REQUIRE(first.front());
  for (const auto& store : first) CHECK(store->anchors == first.front()->anchors);
  // Nothing changed, nothing is loaded; a changed file is.
  CHECK(asker.ask(roots, 2).back()->anchors == first.front()->anchors);
  folder.write("roots.pem", make_certificate(nullptr, "Another Root", "").pem() + "\n");
  CHECK(asker.ask(roots, 2).back()->anchors != first.front()->anchors);
}

TEST_CASE("anchors that cannot be loaded are an error for all who wait, and are tried again") {
  const TemporaryFolder folder;
  Asker asker;
  for (const auto& store : asker.ask(folder / "roots.pem", 5)) {
    REQUIRE_FALSE(store);
    CHECK(store.error().code == "FILE_MISSING");
  }
  folder.write("roots.pem", make_certificate(nullptr, "Test Root", "").pem());
  CHECK(asker.ask(folder / "roots.pem", 1).front());
}

TEST_CASE("who has just got anchors can ask for them again") {
  const TemporaryFolder folder;
  const auto roots = folder.write("roots.pem", make_certificate(nullptr, "Test Root", "").pem());
  Asker asker;
  int answers = 0;
  asker.stores.get(roots, [&](Result<TrustStore>) {
    ++answers;
    asker.stores.get(roots, [&](Result<TrustStore> again) { answers += again ? 1 : 0; });
  });
  asker.loop.run_until([&] { return answers == 2; });
  CHECK(answers == 2);
}

TEST_CASE("an issuer is known by the anchors alone, whatever the name and the time") {
  const TemporaryFolder folder;
  const auto root = make_certificate(nullptr, "Test Root", "");
  const auto stranger = make_certificate(nullptr, "Test Root", "");
  const auto issuer = make_certificate(&root, "Issuer", "");
  const auto store = load_trust_store(folder.write("roots.pem", root.pem()));
  REQUIRE(store);
  const auto error_of = [&store](const std::vector<TestCertificate>& chain) {
    std::vector<std::string> ders;
    for (const auto& each : chain) ders.push_back(each.der());
    return issuer_error(*store, ders);
  };
  for (const long seconds : {86400L, -60L}) {
    const auto leaf = make_certificate(&issuer, "", "DNS:shop.test", seconds);
    CHECK(error_of({leaf, issuer}).empty());
    CHECK_FALSE(error_of({leaf}).empty());
    CHECK_FALSE(error_of({make_certificate(&stranger, "", "DNS:shop.test", seconds)}).empty());
  }
  CHECK_FALSE(error_of({make_certificate(nullptr, "shop.test", "DNS:shop.test")}).empty());
  CHECK(issuer_error(*store, {}) == "there is no certificate");
  CHECK(issuer_error(*store, {"no DER"}) == "a certificate of the chain cannot be read");
  CHECK(load_trust_store(folder / "none.pem").error().code == "FILE_MISSING");
}
