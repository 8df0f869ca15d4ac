// When to renew and when to try again, as tables.
#include "agent/core/schedule.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

acme::Certificate leaf_of(Duration lifetime) {
  acme::Certificate leaf;
  leaf.not_before = now;
  leaf.not_after = now + lifetime;
  leaf.subject_alternative_names = {{"dns", "shop.test"}, {"dns", "www.shop.test"}};
  return leaf;
}

struct Wanted {
  Wanted() {
    spec.domains = {{"dns", "www.shop.test"}, {"dns", "shop.test"}};
    spec.cas = {"ca"};
    CaConfig ca;
    ca.name = "ca";
    ca.directory = "https://ca/directory";
    config.cas = {ca};
    generation.chain = {leaf_of(90 * 24h)};
    generation.ca = "ca";
    generation.ca_directory = "https://ca/directory";
    generation.identifiers = spec.domains;
    generation.key_type = acme::KeyType::ecdsa_p256;
  }
  Due due(Time at) const {
    return next_renewal(
        {spec, config, &generation, false, false, false, at, info ? &*info : nullptr});
  }

  CertificateSpec spec;
  Config config;
  Generation generation;
  std::optional<SavedRenewalInfo> info;
};

}  // namespace

TEST_CASE("the renewal point is a third of the lifetime before expiry, half under ten days") {
  struct Row {
    Duration lifetime;
    std::optional<Duration> renew_before;
    Duration used;  // of the lifetime, at the renewal point
  };
  const Row rows[] = {
      {90 * 24h, {}, 60 * 24h},
      {45 * 24h, {}, 30 * 24h},
      {398 * 24h, {}, 398 * 16h},
      {10 * 24h, {}, 160h},
      {160h, {}, 80h},
      {6min, {}, 3min},
      {90 * 24h, 30 * 24h, 60 * 24h},
      {90 * 24h, 1h, 2159h},
      {90 * 24h, 75 * 24h, 15 * 24h},
      // Longer than the certificate lives, or nearly: it would renew for ever.
      {90 * 24h, 76 * 24h, 60 * 24h},
      {6 * 24h, 30 * 24h, 72h},
  };
  for (const Row& row : rows) {
    CAPTURE(row.lifetime.count());
    CHECK(renewal_point(leaf_of(row.lifetime), row.renew_before) - now == row.used);
  }
}

TEST_CASE("a renew_before that is ignored is said to be, with the most that there can be") {
  struct Row {
    Duration lifetime;
    std::optional<Duration> renew_before;
    const char* said;
  };
  const Row rows[] = {
      {90 * 24h, {}, ""},
      {90 * 24h, 30 * 24h, ""},
      {90 * 24h, 75 * 24h, ""},
      {90 * 24h, 76 * 24h,
       "renew_before of 76d is ignored: the certificate lives for 90d, so that 75d is the most; "
       "lower or remove it"},
      {6 * 24h, 30 * 24h,
       "renew_before of 30d is ignored: the certificate lives for 6d, so that 5d is the most; "
       "lower or remove it"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.lifetime.count());
    CHECK(ignored_renew_before(leaf_of(row.lifetime), row.renew_before) == row.said);
    Wanted wanted;
    wanted.generation.chain = {leaf_of(row.lifetime)};
    wanted.spec.renew_before = row.renew_before;
    const std::string reason = wanted.due(now).reason;
    CHECK((reason.find("is ignored") != std::string::npos) == (*row.said != '\0'));
    CHECK(reason.find("before expiry") != std::string::npos);
  }
}

TEST_CASE("a sound certificate is due at its renewal point and says which") {
  const Wanted wanted;
  CHECK_FALSE(wanted.due(now).now);
  CHECK(wanted.due(now).at == now + 60 * 24h);
  CHECK_FALSE(wanted.due(now + 60 * 24h - 1s).now);
  CHECK(wanted.due(now + 60 * 24h).now);
  CHECK(wanted.due(now + 90 * 24h).reason == "the certificate has expired");
  CHECK(wanted.due(now).reason.find("30d before expiry") != std::string::npos);
}

TEST_CASE("what the operator changed is due now") {
  const auto reason = [](auto change) {
    Wanted wanted;
    change(wanted);
    const Due due = wanted.due(now);
    return due.now ? due.reason : "";
  };
  CHECK(reason([](Wanted&) {}) == "");
  CHECK(reason([](Wanted& w) {
          w.spec.domains.push_back({"dns", "new.test"});
        }) == "the configuration now names new.test");
  CHECK(reason([](Wanted& w) { w.spec.domains.pop_back(); }) ==
        "the configuration names fewer domains");
  CHECK(reason([](Wanted& w) { std::swap(w.spec.domains[0], w.spec.domains[1]); }) == "");
  CHECK(reason([](Wanted& w) { w.spec.key_type = acme::KeyType::rsa_2048; }) ==
        "the configured key is now rsa-2048");
  CHECK(reason([](Wanted& w) { w.spec.cas = {"other"}; }) ==
        "the configuration no longer lists the CA ca");
  CHECK(reason([](Wanted& w) { w.config.cas[0].directory = "https://ca/v2"; }) ==
        "the CA ca has another directory");
  CHECK(reason([](Wanted& w) {
          w.config.cas[0].name = "renamed";
          w.spec.cas = {"renamed"};
        }) == "");
  CHECK(reason([](Wanted& w) {
          w.config.cas.push_back(w.config.cas[0]);
          w.config.cas[0].name = "renamed";
          w.config.cas[1].directory = "https://other/";
          w.spec.cas = {"renamed", "ca"};
        }) == "");
  CHECK(reason([](Wanted& w) { w.spec.profile = "shortlived"; }) ==
        "the configured profile changed");
  CHECK(reason([](Wanted& w) { w.config.cas[0].profile = "shortlived"; }) ==
        "the configured profile changed");
}

TEST_CASE("a certificate whose meta.json is lost is not renewed for that") {
  Wanted wanted;
  wanted.generation.ca.clear();
  wanted.generation.ca_directory.clear();
  wanted.generation.identifiers.clear();
  wanted.generation.key_type.reset();
  CHECK_FALSE(wanted.due(now).now);
}

TEST_CASE("the CA's advice moves the renewal point, within limits [RFC 9773 §4.2]") {
  struct Row {
    Duration instant;  // after issuance
    std::optional<Duration> renew_before;
    Duration due;
  };
  const Row rows[] = {
      {58 * 24h, {}, 58 * 24h},        // earlier than a third
      {70 * 24h, {}, 70 * 24h},        // later, and allowed
      {80 * 24h, {}, 75 * 24h},        // never into the last sixth
      {400 * 24h, {}, 75 * 24h},       // a window behind the expiry does not disable renewal
      {-1h, {}, -1h},                  // an incident: the window is in the past
      {70 * 24h, 30 * 24h, 60 * 24h},  // an operator's renew_before is not postponed
      {50 * 24h, 30 * 24h, 50 * 24h},
  };
  for (const Row& row : rows) {
    CAPTURE(row.instant.count());
    Wanted wanted;
    wanted.generation.chain[0].fingerprint_sha256 = "f";
    wanted.spec.renew_before = row.renew_before;
    wanted.info = SavedRenewalInfo{
        "f", now + row.instant - 1h, now + row.instant + 1h, now + row.instant, "https://ca/why",
        now};
    CHECK(wanted.due(now).at == now + row.due);
    CHECK(wanted.due(now).reason.find("https://ca/why") != std::string::npos);
    CHECK(wanted.due(now).now == (row.due <= 0h));
  }
}

TEST_CASE("what the CA recalls is due at once; one that is recalled in its turn, a day later") {
  struct Row {
    Duration start, end;  // of the window
    Duration issued_at;
    std::optional<Duration> answered_at;  // the recall of the one before it
    Duration due;
  };
  const Row rows[] = {
      {-3h, -1h, -3 * 24h, {}, -2h},
      {-3h, -1h, -1min, {}, -2h},            // issued a minute ago
      {-3h, -1h, -1min, -40 * 24h, -2h},     // the recall before it was another incident
      {-3h, -1h, -1min, -1min, 24h - 1min},  // the CA recalls each new certificate
      {-3h, -1h, -25h, -25h, -2h},           // and that is a day ago
      {-3h, -1h, -1min, 60 * 24h, -2h},      // noted by a clock that was wrong
      {-1min, 2h, -1min, {}, 24h - 1min},    // not over yet: early advice, once a day
      {70 * 24h, 71 * 24h, -1min, -1min, 70 * 24h + 12h},
  };
  for (const Row& row : rows) {
    CAPTURE(row.start.count());
    CAPTURE(row.issued_at.count());
    Wanted wanted;
    wanted.generation.issued_at = now + row.issued_at;
    wanted.generation.chain[0].fingerprint_sha256 = "f";
    wanted.info = SavedRenewalInfo{
        "f", now + row.start, now + row.end, now + (row.start + row.end) / 2, "https://ca/why", now,
        {}};
    if (row.answered_at) wanted.info->recall_answered_at = now + *row.answered_at;
    const Due due = wanted.due(now);
    CHECK(due.at == now + row.due);
    CHECK(due.now == (row.due <= 0h));
    // By a clock that is ahead windows look as if they were over: see CLOCK_AHEAD.
    CHECK(due.by_time);
    CHECK(due.reason.find("https://ca/why") != std::string::npos);
  }
}

TEST_CASE("a recall is a window that was over before the certificate's age asked for a renewal") {
  struct Row {
    Duration end;  // of the window, after issuance
    Duration at;   // we look
    bool recalled;
  };
  const Row rows[] = {
      {10 * 24h, 10 * 24h, true},      {10 * 24h, 10 * 24h - 1s, false}, {10 * 24h, 89 * 24h, true},
      {60 * 24h - 1s, 61 * 24h, true}, {60 * 24h, 61 * 24h, false},  // merely missed
      {61 * 24h, 62 * 24h, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.end.count());
    Wanted wanted;
    wanted.generation.chain[0].fingerprint_sha256 = "f";
    SavedRenewalInfo info{"f", now + row.end - 1h, now + row.end, now + row.end - 1min, "", now};
    CHECK(is_recalled(&wanted.generation, &info, now + row.at) == row.recalled);
    info.fingerprint_sha256 = "another";
    CHECK_FALSE(is_recalled(&wanted.generation, &info, now + row.at));
  }
  CHECK_FALSE(is_recalled(nullptr, nullptr, now));
}

TEST_CASE("a recall ends the wait for the next attempt, but for what the CA asked for") {
  ScheduleRecord schedule;
  schedule.next_attempt = now + 10h;
  note_recall(schedule);
  CHECK_FALSE(schedule.next_attempt);
  schedule.next_attempt = now + 10h;
  schedule.last_error = SavedError{};
  schedule.last_error->retry_after = now + 10h;
  note_recall(schedule);
  CHECK(schedule.next_attempt == now + 10h);
}

TEST_CASE("advice about another certificate, or none but when to ask again, changes nothing") {
  Wanted wanted;
  wanted.generation.chain[0].fingerprint_sha256 = "f";
  wanted.info = SavedRenewalInfo{"other", now - 2h, now - 1h, now - 1h, "", now};
  CHECK(wanted.due(now).at == now + 60 * 24h);
  wanted.info = SavedRenewalInfo{"f", {}, {}, {}, "", now};
  CHECK(wanted.due(now).at == now + 60 * 24h);
}

TEST_CASE("a request, an interrupted renewal and a missing certificate come before all") {
  const Wanted wanted;
  CHECK(next_renewal({wanted.spec, wanted.config, nullptr, false, false, false, now, nullptr})
            .reason == "there is no certificate yet");
  CHECK(next_renewal(
            {wanted.spec, wanted.config, &wanted.generation, true, false, false, now, nullptr})
            .now);
  CHECK(next_renewal(
            {wanted.spec, wanted.config, &wanted.generation, false, true, false, now, nullptr})
            .now);
}

TEST_CASE("an attempt that failed is to be repeated, whatever made it due") {
  const Wanted wanted;
  const Due due = next_renewal(
      {wanted.spec, wanted.config, &wanted.generation, false, false, true, now, nullptr});
  CHECK(due.now);
  CHECK(due.reason == "the last attempt failed");
}

TEST_CASE("a revoked certificate is due now, whatever else is known of it") {
  struct Row {
    const char* revoked;  // its fingerprint
    bool requested, under_way, failed;
    const char* reason;  // empty: not due
  };
  const Row rows[] = {
      {"f", false, false, false, "the CA has revoked it (keyCompromise)"},
      {"f", false, false, true, "the CA has revoked it (keyCompromise)"},
      {"f", false, true, false, "the CA has revoked it (keyCompromise)"},
      {"f", true, false, false, "requested with --force"},
      {"other", false, false, false, ""},
      {"other", false, false, true, "the last attempt failed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    Wanted wanted;
    wanted.generation.chain[0].fingerprint_sha256 = "f";
    const SavedRevocation revocation{row.revoked, {now, "keyCompromise"}};
    const Due due = next_renewal({wanted.spec, wanted.config, &wanted.generation, row.requested,
                                  row.under_way, row.failed, now, nullptr, &revocation});
    CHECK(due.now == (*row.reason != '\0'));
    if (due.now) CHECK(due.reason == row.reason);
    // The lifetime has not asked for it, so no clock that is wrong may speak against it.
    CHECK(due.by_time == !due.now);
  }
}

TEST_CASE("back-off doubles from a minute to twelve hours, give or take a quarter") {
  const Duration expected[] = {1min,   2min,   4min,   8min, 16min, 32min, 64min,
                               128min, 256min, 512min, 12h,  12h,   12h};
  for (int i = 0; i < 13; ++i) {
    CAPTURE(i);
    RetryInput input{i + 1, ErrorKind::transient, {}, now + 365 * 24h, now, 500};
    CHECK(next_attempt(input) - now == expected[i]);
    input.random = 0;
    CHECK(next_attempt(input) - now == expected[i] * 3 / 4);
    input.random = 1000;
    CHECK(next_attempt(input) - now == expected[i] * 5 / 4);
  }
}

TEST_CASE("at least six more attempts fit into what remains, but no two within five minutes") {
  const auto interval = [](Duration remaining, int failures, ErrorKind kind) {
    return next_attempt({failures, kind, {}, now + remaining, now, 500}) - now;
  };
  CHECK(interval(30 * 24h, 20, ErrorKind::transient) == 12h);
  CHECK(interval(36h, 20, ErrorKind::transient) == 6h);
  CHECK(interval(6min, 20, ErrorKind::transient) == 5min);
  CHECK(interval(6min, 1, ErrorKind::transient) == 1min);
  CHECK(interval(-24h, 20, ErrorKind::transient) == 15min);
  // What waits for a person slows down at once, but not past the point of no return.
  CHECK(interval(30 * 24h, 1, ErrorKind::input) == 12h);
  CHECK(interval(6h, 1, ErrorKind::input) == 1h);
}

TEST_CASE("the CA's Retry-After is obeyed over all") {
  RetryInput input{1, ErrorKind::deferred, now + 7h, now + 1h, now, 500};
  CHECK(next_attempt(input) == now + 7h);
  input.retry_after = now - 1h;
  CHECK(next_attempt(input) == now + 1min);
}

TEST_CASE("another CA is asked when the fault is the CA's and little is left") {
  const acme::Certificate leaf = leaf_of(90 * 24h);
  const auto may = [&](ErrorKind kind, Duration left, bool requested = false) {
    return may_fail_over({kind, &leaf, requested, leaf.not_after - left});
  };
  CHECK_FALSE(may(ErrorKind::transient, 30 * 24h));
  CHECK_FALSE(may(ErrorKind::transient, 15 * 24h));
  CHECK(may(ErrorKind::transient, 15 * 24h - 1s));
  CHECK(may(ErrorKind::deferred, 1h));
  CHECK(may(ErrorKind::input, 1h));  // CAA or a policy may forbid this one only
  CHECK(may(ErrorKind::transient, -1h));
  CHECK(may(ErrorKind::transient, 60 * 24h, true));
  CHECK_FALSE(may(ErrorKind::validation, 1h, true));
  CHECK_FALSE(may(ErrorKind::local, 1h, true));
  CHECK(may_fail_over({ErrorKind::transient, nullptr, false, now}));
  const auto over_our_count = [&](Duration left, bool requested) {
    return may_fail_over({ErrorKind::deferred, &leaf, requested, leaf.not_after - left, true});
  };
  CHECK_FALSE(over_our_count(60 * 24h, true));
  CHECK_FALSE(over_our_count(15 * 24h, true));
  CHECK(over_our_count(15 * 24h - 1s, true));
  CHECK(over_our_count(15 * 24h - 1s, false));
  const acme::Certificate week = leaf_of(6 * 24h);
  CHECK(may_fail_over({ErrorKind::transient, &week, false, week.not_after - 35h}));
  CHECK_FALSE(may_fail_over({ErrorKind::transient, &week, false, week.not_after - 36h}));
}

TEST_CASE("a noted wait holds until its moment, unless a wrong clock must have noted it") {
  struct Row {
    Duration until;
    Duration longest;
    bool waits;
  };
  const Row rows[] = {{1s, longest_back_off, true},        {0s, longest_back_off, false},
                      {-1s, longest_back_off, false},      {15h, longest_back_off, true},
                      {15h + 1s, longest_back_off, false}, {15h + 1s, longest_retry_after, true},
                      {720h, longest_retry_after, true},   {720h + 1s, longest_retry_after, false}};
  for (const Row& row : rows) {
    CAPTURE(row.until.count());
    CHECK(must_wait(now + row.until, row.longest, now) == row.waits);
    ScheduleRecord schedule;
    schedule.next_attempt = now + row.until;
    if (row.longest == longest_retry_after) {
      schedule.last_error = SavedError{};
      schedule.last_error->retry_after = now + row.until;
    }
    CHECK(must_wait(schedule, now) == row.waits);
  }
  CHECK_FALSE(must_wait(std::nullopt, longest_back_off, now));
  CHECK_FALSE(must_wait(ScheduleRecord{}, now));
}

TEST_CASE("without any certificate no wait is longer than an hour, unless a person must act") {
  for (int failures = 1; failures < 40; ++failures) {
    CHECK(next_attempt({failures, ErrorKind::transient, {}, {}, now, 1000}) <= now + 1h);
  }
  CHECK(next_attempt({20, ErrorKind::input, {}, {}, now, 500}) == now + 12h);
}

TEST_CASE("no back-off is longer than the longest, and no Retry-After than 30 days") {
  for (const std::uint64_t random : {0u, 500u, 1000u}) {
    for (int failures = 1; failures < 40; ++failures) {
      const RetryInput input{failures, ErrorKind::transient, {}, {}, now, random};
      CHECK(next_attempt(input) <= now + longest_back_off);
    }
  }
  const RetryInput asked{1, ErrorKind::deferred, now + 10 * 365 * 24h, {}, now, 0};
  CHECK(next_attempt(asked) == now + longest_retry_after);
}

TEST_CASE("the next look is no later than the check interval, give or take a quarter") {
  const Due due{false, now + 60 * 24h, {}};
  const ScheduleRecord schedule;
  for (const std::uint64_t random : {0u, 500u, 1000u}) {
    LookInput input{due, schedule, {}, now, random, true, 8h};
    CHECK(next_look(input) >= now + 6h);
    CHECK(next_look(input) <= now + 10h);
    input.verifiable = false;
    CHECK(next_look(input) == now + 60 * 24h);
    // The poll for revocations waits some hours for another look that takes it along.
    input.revocation_poll = now + 20h;
    CHECK(next_look(input) == now + 30h);
    input.revocation_poll = now - 10h;  // of a certificate that is not asked about any more
    CHECK(next_look(input) == now + 60 * 24h);
  }
}
