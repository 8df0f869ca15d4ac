// Orders to the hook service against root's configuration, and pairs against what they claim to be.
#include "agent/core/hook_order.h"

#include <doctest/doctest.h>

#include "acme/signing_request.h"
#include "tests/support/fake_world.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;

namespace {

const Time start = *acme::parse_rfc3339("2026-11-01T00:00:00Z");
const Time end = *acme::parse_rfc3339("2027-01-30T00:00:00Z");

struct Scene {
  Scene() {
    config.files = {"/etc/nolapse/nolapse.toml"};
    spec.name = "shop";
    spec.domains = {{"dns", "shop.test"}, {"dns", "*.shop.test"}};
    spec.deploy = {"nginx", "old", "own"};
    config.certificates = {spec};
    add("nginx", HookKind::nolapse, "root");
    add("old", HookKind::certbot, "root");
    add("own", HookKind::nolapse, "");
    add("elsewhere", HookKind::nolapse, "root");
    chain = pem_of({issued_for(spec.domains, key), issuer.certificate()});
  }
  void add(const std::string& name, HookKind kind, const std::string& user) {
    DeployTarget target;
    target.name = target.section = name;
    target.hook = "/hooks/" + name;
    target.kind = kind;
    target.user = user;
    config.targets.emplace(name, target);
  }
  std::string said(const HookOrder& order) const {
    const auto found = find_ordered_hook(config, order);
    if (found) return "";
    CHECK(found.error().code == "HOOK_ORDER_REFUSED");
    return found.error().message;
  }
  std::string issued_for(const std::vector<acme::Identifier>& names,
                         const acme::PrivateKey& subject) const {
    LeafOptions leaf;
    leaf.identifiers = names;
    leaf.not_before = start;
    leaf.not_after = end;
    return issuer.issue(leaf, subject);
  }
  std::string fault_of(const GenerationTexts& texts) const {
    const auto pair = check_ordered_pair(spec, texts);
    if (pair) return "";
    CHECK(pair.error().code == "HOOK_ORDER_REFUSED");
    CHECK(pair.error().message.find("-----") == std::string::npos);
    return pair.error().message;
  }

  Config config;
  CertificateSpec spec;
  TestIssuer root = TestIssuer::root("root", start, end);
  TestIssuer issuer = root.intermediate("issuer");
  acme::PrivateKey key = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  std::string chain;
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an order for what is configured is found") {
  const Scene scene;
  for (const char* verb : {"check", "install", "reload", "rollback", "rehearse"}) {
    const auto hook = find_ordered_hook(scene.config, {"nginx", verb, "shop", 1});
    REQUIRE(hook);
    CHECK(hook->target.hook == "/hooks/nginx");
    CHECK(hook->spec.name == "shop");
  }
  CHECK(find_ordered_hook(scene.config, {"old", run_once, "shop", 1}));
}

TEST_CASE("an order for what is not configured is refused, and the reason named") {
  const Scene scene;
  CHECK(says(scene.said({"nginx", "install", "../../etc", 1}), "no certificate is named"));
  CHECK(says(scene.said({"nginx", "install", "shop/standby", 1}), "no certificate is named"));
  CHECK(says(scene.said({"haproxy", "install", "shop", 1}), "does not go to a target named"));
  CHECK(says(scene.said({"elsewhere", "install", "shop", 1}), "does not go to a target named"));
  CHECK(says(scene.said({"own", "install", "shop", 1}), "has no `user`"));
  CHECK(says(scene.said({"nginx", "-c", "shop", 1}), "knows no verb \"-c\""));
  CHECK(says(scene.said({"nginx", run_once, "shop", 1}), "knows no verb"));
  CHECK(says(scene.said({"old", "install", "shop", 1}), "knows no verb"));
  CHECK(says(scene.said({"nginx", "\x1b[2J", "shop", 1}), "knows no verb \" [2J\""));
}

TEST_CASE("a pair that belongs together is laid out as a generation is") {
  const Scene scene;
  const std::string noise = "not a certificate\n";
  const auto pair = check_ordered_pair(scene.spec, {noise + scene.chain, scene.key.to_pem(), ""});
  REQUIRE_MESSAGE(pair, pair.error().message);
  CHECK(pair->has_key);
  std::map<std::string, std::string> files;
  for (const auto& file : pair->files) {
    files[file.name] = file.content;
    CHECK(file.secret == (std::string(file.name) == "privkey.pem"));
  }
  CHECK(files.at("privkey.pem") == scene.key.to_pem());
  CHECK(files.at("fullchain.pem") == scene.chain);
  CHECK(files.at("cert.pem") + files.at("chain.pem") == scene.chain);
  CHECK(files.at("chain.pem") == pem_of(scene.issuer.certificate()));
  const Generation generation = ordered_generation(*pair, 7, "/staging/order-1/shop");
  CHECK(generation.number == 7);
  CHECK(generation.directory == "/staging/order-1/shop");
  CHECK(generation.has_key);
  CHECK(generation.issued_at == start);
}

TEST_CASE("a pair in which one name was left out is good, one with another name is not") {
  const Scene scene;
  const std::string key = scene.key.to_pem();
  const auto chain = [&](const std::vector<acme::Identifier>& names) {
    return pem_of({scene.issued_for(names, scene.key), scene.issuer.certificate()});
  };
  CHECK(scene.fault_of({chain({{"dns", "shop.test"}}), key, ""}).empty());
  CHECK(says(scene.fault_of({chain({{"dns", "shop.test"}, {"dns", "bank.test"}}), key, ""}),
             "names \"bank.test\", and the domains of shop do not"));
  // A configured wildcard is no leave to use any name below it.
  CHECK(says(scene.fault_of({chain({{"dns", "a.shop.test"}}), key, ""}), "a.shop.test"));
  CHECK(says(scene.fault_of({chain({}), key, ""}), "names nothing"));
}

TEST_CASE("a key of another certificate, and what is no key, are refused") {
  const Scene scene;
  const auto other = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  CHECK(says(scene.fault_of({scene.chain, other.to_pem(), ""}),
             "privkey.pem is not of the key of the certificate"));
  CHECK(says(scene.fault_of({scene.chain, "root:x:0:0", ""}), "privkey.pem: "));
  CHECK(says(scene.fault_of({scene.chain, "", ""}), "there is no privkey.pem"));
}

TEST_CASE("a chain whose parts do not belong together is refused") {
  const Scene scene;
  const std::string key = scene.key.to_pem();
  const std::string leaf = scene.issued_for(scene.spec.domains, scene.key);
  const TestIssuer stranger = TestIssuer::root("stranger", start, end);
  CHECK(scene.fault_of({pem_of(leaf), key, ""}).empty());
  CHECK(says(scene.fault_of({pem_of({leaf, stranger.certificate()}), key, ""}), "broken chain"));
  CHECK(says(scene.fault_of({pem_of({leaf, scene.root.certificate()}), key, ""}), "broken chain"));
  CHECK(says(scene.fault_of({scene.chain + key, key, ""}), "fullchain.pem: "));
  CHECK(says(scene.fault_of({"", key, ""}), "fullchain.pem: "));
}

TEST_CASE("a generation without a key is good where the operator brought the request") {
  Scene scene;
  const std::string der = *acme::make_signing_request(scene.key, scene.spec.domains);
  acme::SigningRequest request;
  request.der = der;
  const std::string pem = acme::to_pem(request);
  CHECK(says(scene.fault_of({scene.chain, "", pem}), "the certificate has no csr_file"));
  scene.spec.csr_file = "/etc/nolapse/shop.csr";
  const auto pair = check_ordered_pair(scene.spec, {scene.chain, "", pem});
  REQUIRE_MESSAGE(pair, pair.error().message);
  CHECK_FALSE(pair->has_key);
  for (const auto& file : pair->files) CHECK(std::string(file.name) != "privkey.pem");
  const auto other = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  request.der = *acme::make_signing_request(other, scene.spec.domains);
  CHECK(says(scene.fault_of({scene.chain, "", acme::to_pem(request)}),
             "request.pem is not of the key of the certificate"));
  CHECK(says(scene.fault_of({scene.chain, "", "no request"}), "request.pem: "));
}

TEST_CASE("what has expired may be looked at and is put nowhere") {
  const Scene scene;
  const auto pair = check_ordered_pair(scene.spec, {scene.chain, scene.key.to_pem(), ""});
  REQUIRE(pair);
  const Duration second = std::chrono::seconds(1);
  for (const char* verb : {"install", "reload", "rollback", run_once}) {
    CHECK(check_ordered_validity(*pair, verb, end - second));
    const auto expired = check_ordered_validity(*pair, verb, end);
    REQUIRE_FALSE(expired);
    CHECK(expired.error().code == "HOOK_ORDER_REFUSED");
    CHECK(says(expired.error().message, "expired at 2027-01-30T00:00:00Z"));
    // A clock that is behind is no reason.
    CHECK(check_ordered_validity(*pair, verb, start - std::chrono::hours(9)));
  }
  CHECK(check_ordered_validity(*pair, "check", end + second));
}

TEST_CASE("the issuer may be any configured CA, and each file of anchors is read once") {
  Config config;
  for (const char* roots : {"", "/etc/roots.pem", "", "/etc/roots.pem"}) {
    config.cas.emplace_back().issuer_roots_file = roots;
  }
  CHECK(roots_of_issuers(config) == std::vector<std::string>{"", "/etc/roots.pem"});
}

TEST_CASE("only who has a port of the configuration is told") {
  Scene scene;
  scene.config.challenges["web"].listen = "[::]:80";
  scene.config.challenges["dns"] = {};
  scene.config.daemon.status_listen = "127.0.0.1:9180";
  CHECK(check_asked_port(scene.config, 80));
  CHECK(check_asked_port(scene.config, 9180));
  for (const int port : {0, 22, 180, 8080}) {
    const auto asked = check_asked_port(scene.config, static_cast<std::uint16_t>(port));
    REQUIRE_FALSE(asked);
    CHECK(asked.error().code == "HOOK_ORDER_REFUSED");
  }
}

namespace {

// Processes of a user who may become nobody, and writes down what it was asked for.
struct OrderedProcesses final : Processes {
  explicit OrderedProcesses(Clock& world_clock) : clock(world_clock) {}
  bool may_become(const std::string& user) override { return user.empty(); }
  void run(ProcessSpec spec, Completion<ProcessResult> done) override {
    specs.push_back(std::move(spec));
    clock.start_timer(Duration{0}, [done = std::move(done)] { done(ProcessResult{}); });
  }
  void find_listener(std::uint16_t, std::function<void(std::string)> done) override {
    clock.start_timer(Duration{0}, [done = std::move(done)] { done({}); });
  }
  Clock& clock;
  std::vector<ProcessSpec> specs;
};

}  // namespace

TEST_CASE("a folder of hooks that this user may not run is one order, and nobody looks into it") {
  Scene scene;
  FakeWorld fake{1};
  World world = fake.world();
  OrderedProcesses processes{world.clock};
  World other{world.clock,
              world.http,
              world.tls_probe,
              world.dns,
              world.files,
              processes,
              world.key_maker,
              world.http_responder,
              world.tls_alpn_responder,
              world.random,
              world.mail};
  Generation generation;
  generation.number = 7;
  generation.directory = "/state/certificates/shop/7";
  generation.chain.emplace_back();
  run_hook(other, {scene.config.targets.at("old"), run_once, scene.spec, generation, "/live"},
           [](const Result<HookOutcome>& outcome) { CHECK(outcome); });
  REQUIRE(processes.specs.size() == 1);
  const ProcessSpec& spec = processes.specs.front();
  REQUIRE(spec.order);
  CHECK(spec.order->target == "old");
  CHECK(spec.order->verb == run_once);
  CHECK(spec.order->certificate == "shop");
  CHECK(spec.order->generation == 7);
  CHECK(spec.environment.empty());
}
