// Which CAs a standby may come from, what counts as revoked, and when the standby takes over.
#include "agent/core/standby.h"

#include <doctest/doctest.h>

#include "agent/core/schedule.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
constexpr Duration day = 24h;

struct Scene {
  Scene() {
    spec.name = "shop";
    spec.domains = {{"dns", "shop.test"}};
    spec.cas = {"one", "two", "three"};
    spec.deploy = {"nginx"};
    spec.standby = true;
    for (const std::string& name : spec.cas) {
      CaConfig ca;
      ca.name = name;
      ca.directory = "https://" + name + "/directory";
      config.cas.push_back(ca);
    }
    in_use = generation_of("one", 60 * day);
    standby = generation_of("two", 80 * day);
  }
  Generation generation_of(const std::string& ca, Duration left) const {
    acme::Certificate leaf;
    leaf.not_after = now + left;
    leaf.not_before = leaf.not_after - 90 * day;
    leaf.subject_alternative_names = spec.domains;
    leaf.fingerprint_sha256 = ca;
    Generation generation;
    generation.chain = {leaf};
    generation.ca = ca;
    generation.ca_directory = "https://" + ca + "/directory";
    generation.identifiers = spec.domains;
    generation.key_type = acme::KeyType::ecdsa_p256;
    return generation;
  }
  static void revoke(ScheduleRecord& schedule, const std::string& ca) {
    schedule.renewal_info = SavedRenewalInfo{ca, now - 1h, now - 30min, now - 40min, "", now};
  }
  std::string reason() const {
    return reason_to_take_over({spec, config, has_one ? &in_use : nullptr, schedule, standby,
                                standby_schedule, requested, asked_for, failed, now});
  }
  bool takes_over() const { return !reason().empty(); }

  CertificateSpec spec;
  Config config;
  Generation in_use;
  Generation standby;
  ScheduleRecord schedule;
  ScheduleRecord standby_schedule;
  bool has_one = true;
  bool requested = false;
  std::string asked_for;
  bool failed = false;
};

}  // namespace

TEST_CASE("a standby is wanted like its certificate, and deployed nowhere") {
  const Scene scene;
  const CertificateSpec spec = standby_of(scene.spec);
  CHECK(spec.name == "shop/standby");
  CHECK(spec.domains == scene.spec.domains);
  CHECK(spec.deploy.empty());
  CHECK(spec.endpoints->empty());
  CHECK_FALSE(spec.standby);
}

TEST_CASE("its CAs are all but the one that the certificate is from") {
  Scene scene;
  const auto cas = [&](const std::string& in_use) {
    return other_cas(scene.spec, scene.config, scene.generation_of(in_use, day));
  };
  using Names = std::vector<std::string>;
  CHECK(cas("one") == Names{"two", "three"});
  CHECK(cas("two") == Names{"one", "three"});
  // What nobody issues any more, or whose record is lost, is renewed by the first.
  CHECK(cas("gone") == Names{"two", "three"});
  CHECK(cas("") == Names{"two", "three"});
  // A second name for the same CA goes down with it.
  scene.config.cas[2].directory = scene.config.cas[0].directory;
  CHECK(cas("one") == Names{"two"});
  CHECK(cas("three") == Names{"two"});
}

TEST_CASE("a standby from the CA that the certificate has come from meanwhile is due now") {
  const Scene scene;
  CertificateSpec spec = standby_of(scene.spec);
  spec.cas = other_cas(spec, scene.config, scene.generation_of("two", day));
  RenewalInput input{spec, scene.config};
  input.newest = &scene.standby;
  input.now = now;
  CHECK(next_renewal(input).now);
  CHECK(next_renewal(input).reason == "the certificate itself is now from two");
}

TEST_CASE("revoked is what the CA wanted replaced before its time, not a window that was missed") {
  Scene scene;
  const auto revoked = [&](Duration left, Duration end) {
    ScheduleRecord schedule;
    schedule.renewal_info =
        SavedRenewalInfo{"one", now + end - 1h, now + end, now + end - 30min, "", now};
    return is_revoked(scene.generation_of("one", left), schedule, now);
  };
  CHECK(revoked(60 * day, -30min));
  CHECK_FALSE(revoked(60 * day, 30min));  // early, and not over
  CHECK(revoked(20 * day, -20 * day));
  CHECK_FALSE(revoked(20 * day, -5 * day));  // it was due by its age when the window ended
  ScheduleRecord other;
  Scene::revoke(other, "another certificate");
  CHECK_FALSE(is_revoked(scene.in_use, other, now));
  CHECK_FALSE(is_revoked(scene.in_use, {}, now));
}

TEST_CASE("the standby takes over at an operator's word, for its own CA alone") {
  Scene scene;
  CHECK_FALSE(scene.takes_over());
  scene.requested = true;
  CHECK_FALSE(scene.takes_over());  // --force alone asks the certificate's own CAs
  scene.asked_for = "three";
  CHECK_FALSE(scene.takes_over());
  scene.asked_for = "two";
  CHECK(scene.reason() == "requested with --force --ca two");
  scene.standby = scene.generation_of("two", 15 * day);
  CHECK(scene.takes_over());
  scene.standby = scene.generation_of("two", 15 * day - 1s);  // little is left
  CHECK_FALSE(scene.takes_over());
}

TEST_CASE("the standby takes over from one that is revoked, however long it lasts itself") {
  Scene scene;
  Scene::revoke(scene.schedule, "one");
  CHECK(scene.reason() == "the CA has revoked what was in use");
  scene.standby = scene.generation_of("two", 1h);
  CHECK(scene.takes_over());
  scene.requested = true;
  scene.asked_for = "three";
  CHECK_FALSE(scene.takes_over());  // the operator wants another
}

TEST_CASE("the standby is the last resort where CAs fail and little is left") {
  struct Row {
    Duration left;     // of what is in use
    Duration standby;  // and of the standby
    bool failed;
    bool takes_over;
  };
  const Row rows[] = {
      {14 * day, 80 * day, true, true},  {14 * day, 80 * day, false, false},
      {16 * day, 80 * day, true, false}, {-1 * day, 80 * day, true, true},
      {-1 * day, 1h, true, true},        {2 * day, 1 * day, true, false},
  };
  Scene scene;
  for (const Row& row : rows) {
    CAPTURE(row.left.count());
    CAPTURE(row.standby.count());
    scene.in_use = scene.generation_of("one", row.left);
    scene.standby = scene.generation_of("two", row.standby);
    scene.failed = row.failed;
    CHECK(scene.takes_over() == row.takes_over);
  }
  scene.has_one = false;
  scene.failed = true;
  CHECK(scene.takes_over());
}

TEST_CASE("a standby that is not what is wanted never takes over") {
  const auto refused = [](auto change) {
    Scene scene;
    Scene::revoke(scene.schedule, "one");
    REQUIRE(scene.takes_over());
    change(scene);
    return !scene.takes_over();
  };
  CHECK(refused([](Scene& scene) { scene.standby = scene.generation_of("two", 0s); }));
  CHECK(refused([](Scene& scene) { scene.standby = scene.generation_of("two", 91 * day); }));
  CHECK(refused([](Scene& scene) { Scene::revoke(scene.standby_schedule, "two"); }));
  CHECK(refused([](Scene& scene) { scene.spec.domains.push_back({"dns", "www.shop.test"}); }));
  CHECK(refused([](Scene& scene) { scene.spec.key_type = acme::KeyType::rsa_2048; }));
  CHECK(refused([](Scene& scene) { scene.spec.profile = "shortlived"; }));
  CHECK(refused([](Scene& scene) { scene.spec.cas = {"one", "three"}; }));
}
