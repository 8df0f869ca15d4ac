#include "tests/simulation/shop.h"

#include <doctest/doctest.h>

#include "acme/json_read.h"
#include "acme/signing_request.h"
#include "agent/solvers/solvers.h"

namespace nolapse {

namespace {

constexpr const char* hook = "/hooks/nginx";
constexpr const char* roots = "/etc/nolapse/roots.pem";

}  // namespace

Shop::Shop(std::uint64_t seed, FakeCaSettings settings)
    : world(seed),
      ca(world.add_ca(std::move(settings))),
      nginx(world.add_service("nginx", hook, "192.0.2.10", 443)) {
  world.files.put_directory("/var/lib");
  std::string anchors;
  for (const std::string& anchor : ca.trust_anchors()) anchors += pem_of(anchor);
  world.files.put(roots, anchors);

  CaConfig issuer;
  issuer.name = "ca";
  issuer.directory = ca.directory_url();
  issuer.terms_of_service_agreed = true;
  issuer.issuer_roots_file = roots;
  config.cas = {issuer};
  config.state_directory = state;
  config.daemon.self_tests = false;  // they have tests of their own
  ChallengeConfig web;
  web.name = "web";
  web.type = "http-01";
  web.listen = "[::]:80";
  config.challenges["web"] = web;
  DeployTarget target;
  target.name = "nginx";
  target.section = "nginx";
  target.hook = hook;
  config.targets["nginx"] = target;
  add_certificate("shop", "shop.test");
}

void Shop::add_certificate(const std::string& name, const std::string& host) {
  world.add_local_name(host);
  CertificateSpec spec;
  spec.name = name;
  spec.domains = {{"dns", host}};
  spec.challenges = {"web"};
  spec.cas = {"ca"};
  spec.deploy = {"nginx"};
  spec.endpoints = {{Endpoint{host + ":443", host, 443, host}}};
  config.certificates.push_back(spec);
}

// ---- processes

void Shop::begin(RenewOptions options) {
  dead_ = false;
  outcomes_.reset();
  events_ = std::make_unique<EventStream>(world.clock);
  events_->add_reader([this](const Event& event) {
    trace.push_back(acme::format_rfc3339(event.at) + " " + event.certificate + " " + event.code +
                    " " + event.message);
  });
  agent_ = std::make_unique<Agent>(world.world(), config, *events_, make_solver);
  agent_->open("nolapse renew", [this, options](Result<void> opened) {
    if (!opened) {
      outcomes_ = Result<Outcomes>(fail(opened.error()));
      return;
    }
    agent_->renew(options, [this](Outcomes outcomes) { outcomes_ = std::move(outcomes); });
  });
}

void Shop::end() {
  // The process exits: its timers and completions go with it.
  world.clock.drop_all();
  agent_.reset();
  events_.reset();
}

void Shop::die(Death death) {
  dead_ = true;
  agent_.reset();
  events_.reset();
  if (death == Death::kill) {
    world.kill();
  } else {
    world.crash();
  }
}

std::optional<Result<Shop::Outcomes>> Shop::renew(RenewOptions options) {
  begin(std::move(options));
  world.clock.run_until([this] { return outcomes_.has_value() || dead_; });
  if (!dead_) end();
  return outcomes_;
}

std::optional<Result<Shop::Outcomes>> Shop::renew_and_die(std::uint64_t file_operations,
                                                          Death death, RenewOptions options) {
  world.files.crash_after(file_operations, [this, death] { die(death); });
  return renew(std::move(options));
}

std::optional<Result<Shop::Outcomes>> Shop::renew_and_die_after_steps(int steps, Death death) {
  begin({});
  for (int i = 0; i < steps && !outcomes_; ++i) world.clock.step();
  if (outcomes_) {
    end();
  } else {
    die(death);
  }
  return outcomes_;
}

CertificateOutcome Shop::renewed(RenewOptions options) {
  const auto outcomes = renew(std::move(options));
  REQUIRE(outcomes.has_value());
  if (!*outcomes) FAIL((*outcomes).error().message);
  return (**outcomes).front();
}

CertificateStatus Shop::status() {
  std::optional<std::vector<CertificateStatus>> statuses;
  collect_status(world.world(), config, {}, [&](std::vector<CertificateStatus> collected) {
    statuses = std::move(collected);
  });
  REQUIRE(world.clock.run_until([&] { return statuses.has_value(); }));
  return statuses->front();
}

// ---- what must hold

std::string Shop::fingerprint_of_live() const {
  const auto chain =
      acme::parse_pem_chain(world.files.text(std::string(state) + "/live/shop/fullchain.pem"));
  return chain ? chain->front().fingerprint_sha256 : "";
}

std::string Shop::fingerprint_served() const {
  return nginx.served().empty() ? "" : nginx.served().back();
}

std::string Shop::violation() const {
  const std::string live = std::string(state) + "/live/shop";
  if (world.files.read_link(live)) {
    const KeyPair pair{world.files.text(live + "/fullchain.pem"),
                       world.files.text(live + "/privkey.pem")};
    const auto request = acme::parse_signing_request(world.files.text(live + "/request.pem"));
    const auto chain = acme::parse_pem_chain(pair.fullchain);
    const bool of_request = request && chain && pair.private_key.empty() &&
                            request->public_key_der == chain->front().public_key_der;
    if (!of_request && !is_matching(pair)) return "live/shop is no matching pair";
  }
  if (nginx.serving() && !is_matching(*nginx.serving())) return "nginx serves a mismatched pair";
  for (const std::string& line : trace) {
    if (line.find("PRIVATE KEY") != std::string::npos) return "key material in an event";
  }
  return {};
}

}  // namespace nolapse
