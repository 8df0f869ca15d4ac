// The two axes, as a table of what is known.
#include "agent/core/status.h"

#include <doctest/doctest.h>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

struct Known {
  Known() {
    spec.name = "shop";
    spec.domains = {{"dns", "shop.test"}};
    spec.cas = {"ca"};
    acme::Certificate leaf;
    leaf.not_before = now;
    leaf.not_after = now + 90 * 24h;
    leaf.subject_alternative_names = spec.domains;
    Generation generation;
    generation.number = 1;
    generation.chain = {leaf};
    newest = generation;
  }
  CertificateStatus status(Time at = now) const {
    return make_status({spec, config, newest, schedule, {}, endpoints, under_way, readable, at});
  }
  void see(Verdict verdict) { endpoints.push_back({"e", "a", verdict, "", {}, ""}); }

  CertificateSpec spec;
  Config config;
  std::optional<Generation> newest;
  ScheduleRecord schedule;
  std::vector<EndpointState> endpoints;
  bool under_way = false;
  bool readable = true;
};

}  // namespace

TEST_CASE("serving is the worst of all endpoints; without any it is unverified, never ok") {
  const auto serving = [](std::vector<Verdict> verdicts) {
    Known known;
    for (const Verdict verdict : verdicts) known.see(verdict);
    return std::string(name_of(known.status().serving));
  };
  CHECK(serving({Verdict::ok, Verdict::ok}) == "ok");
  CHECK(serving({Verdict::ok, Verdict::unreachable}) == "unreachable");
  CHECK(serving({Verdict::unreachable, Verdict::wrong}) == "wrong");
  CHECK(serving({Verdict::wrong, Verdict::expired, Verdict::ok}) == "expired");
  CHECK(serving({}) == "unverified");
  Known nothing;
  nothing.newest.reset();
  CHECK(nothing.status().serving == Serving::unknown);
}

TEST_CASE(
    "where nobody can read what was issued, another certificate is unknown, an outage is one") {
  const auto serving = [](std::vector<EndpointState> endpoints, bool readable = false) {
    Known known;
    known.newest.reset();
    known.readable = readable;
    known.endpoints = std::move(endpoints);
    return std::string(name_of(known.status().serving));
  };
  const EndpointState other = {"e", "a", Verdict::wrong, "f00", now, "serves another certificate"};
  const EndpointState mute = {"e", "a", Verdict::wrong, "", {}, "no TLS handshake"};
  CHECK(serving({other}, true) == "wrong");
  CHECK(serving({other}) == "unknown");
  CHECK(serving({other, mute}) == "wrong");
  CHECK(serving({other, {"e", "a", Verdict::unreachable, "", {}, ""}}) == "unreachable");
  CHECK(serving({other, {"e", "a", Verdict::expired, "f00", now, ""}}) == "expired");
  Known known;
  known.newest.reset();
  known.readable = false;
  known.endpoints = {other};
  CHECK(known.status().endpoints.front().detail ==
        "serves a certificate, and nobody knows whether it is the right one; valid until "
        "2026-11-23T09:00:00Z");
}

TEST_CASE("will it renew: missing, unknown, failing, ok, due, overdue") {
  Known known;
  known.see(Verdict::ok);
  CHECK(known.status().ok());
  CHECK(known.status(now + 60 * 24h).renewal == RenewalHealth::due);
  CHECK(known.status(now + 61 * 24h).renewal == RenewalHealth::due);
  CHECK(known.status(now + 61 * 24h + 1s).renewal == RenewalHealth::overdue);
  known.schedule.failures = 1;
  CHECK(known.status(now + 61 * 24h + 1s).renewal == RenewalHealth::failing);
  known.newest.reset();
  CHECK(known.status().renewal == RenewalHealth::missing);
  known.readable = false;  // what cannot be read is not missing
  CHECK(known.status().renewal == RenewalHealth::unknown);
  CHECK_FALSE(known.status().ok());
}

TEST_CASE("the next attempt waits for the back-off and for the renewal point") {
  Known known;
  CHECK(known.status().next_attempt == now + 60 * 24h);
  known.schedule.failures = 1;
  known.schedule.next_attempt = now + 61 * 24h;
  CHECK(known.status(now + 60 * 24h).next_attempt == now + 61 * 24h);
  known.under_way = true;
  CHECK(known.status().renewal == RenewalHealth::failing);
}

TEST_CASE("a standby that is not kept is a renewal that is not ok") {
  struct Row {
    RenewalHealth own;
    RenewalHealth standby;
    int failures;  // of the standby
    RenewalHealth together;
  };
  using Health = RenewalHealth;
  const Row rows[] = {
      {Health::ok, Health::ok, 0, Health::ok},
      {Health::ok, Health::due, 0, Health::due},
      {Health::ok, Health::overdue, 0, Health::overdue},
      {Health::ok, Health::failing, 2, Health::failing},
      {Health::ok, Health::missing, 0, Health::due},
      {Health::ok, Health::missing, 1, Health::failing},
      {Health::ok, Health::unknown, 0, Health::unknown},
      {Health::due, Health::failing, 1, Health::due},
      {Health::missing, Health::missing, 0, Health::missing},
  };
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.standby));
    Known known;
    if (row.own == Health::missing) known.newest.reset();
    CertificateStatus standby;
    standby.renewal = row.standby;
    standby.failures = row.failures;
    standby.renew_reason = "why";
    const Time at = row.own == Health::due ? now + 60 * 24h : now;
    StatusInput input{known.spec, known.config, known.newest, {}, {}, {}, false, true, at};
    input.standby = std::make_shared<const CertificateStatus>(standby);
    const CertificateStatus status = make_status(std::move(input));
    CHECK(status.renewal == row.together);
    CHECK((status.renew_reason == "its standby: why") == (row.own != row.together));
  }
}
