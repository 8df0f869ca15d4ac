// From evidence to a cause: each verdict with its first line and its one command.
#include "agent/core/diagnosis.h"

#include <doctest/doctest.h>

#include "agent/core/diagnosis_fix.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

// One authority for all cases: keys take time.
struct Authority {
  TestIssuer root = TestIssuer::root("Root", now - 24h * 4000, now + 24h * 4000);
  TestIssuer middle = root.intermediate("Middle");
  acme::PrivateKey key = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);

  acme::Certificate leaf(const std::string& name, Time from, Time until) const {
    LeafOptions options;
    options.identifiers = {{"dns", name}};
    options.common_name = name;
    options.not_before = from;
    options.not_after = until;
    return *acme::parse_certificate(middle.issue(options, key));
  }
  acme::Certificate intermediate() const { return *acme::parse_certificate(middle.certificate()); }
};

const Authority& authority() {
  static const Authority made;
  return made;
}

// The same each time: a signature is another one each time.
const acme::Certificate& good_leaf() {
  static const auto leaf = authority().leaf("shop.test", now - 24h * 10, now + 24h * 80);
  return leaf;
}
const acme::Certificate& expired_leaf() {
  static const auto leaf = authority().leaf("shop.test", now - 24h * 100, now - 3h);
  return leaf;
}

SeenAddress serving(const acme::Certificate& leaf, const std::string& chain_error = {}) {
  SeenAddress seen;
  seen.address = "127.0.0.1";
  seen.of_this_host = true;
  seen.outcome = ProbeReply::Outcome::handshake;
  seen.chain = {leaf, authority().intermediate()};
  seen.chain_error = chain_error;
  return seen;
}
SeenAddress failing(ProbeReply::Outcome outcome, const std::string& detail) {
  SeenAddress seen;
  seen.address = "127.0.0.1";
  seen.of_this_host = true;
  seen.outcome = outcome;
  seen.detail = detail;
  return seen;
}
SeenAddress refused() {
  return failing(ProbeReply::Outcome::unreachable, "127.0.0.1:443: Connection refused");
}
SeenAddress with_page(SeenAddress seen, int status) {
  seen.http = SeenHttp{status, {}, {}, {}};
  return seen;
}

Evidence seen(std::vector<SeenAddress> addresses) {
  Evidence evidence;
  evidence.asked.endpoint = {"shop.test:443", "shop.test", 443, "shop.test"};
  evidence.asked.addresses = std::move(addresses);
  evidence.now = now;
  return evidence;
}

PairOnDisk pair_of(const acme::Certificate& leaf,
                   const std::string& file = "/etc/ssl/shop/fullchain.pem") {
  PairOnDisk pair;
  pair.place = {"nginx", "/etc/nginx/sites-enabled/shop", 12};
  pair.certificate_file = file;
  pair.key_file = "/etc/ssl/shop/privkey.pem";
  pair.chain = {leaf, authority().intermediate()};
  return pair;
}
Evidence with_pair(Evidence evidence, PairOnDisk pair) {
  evidence.asked.pairs.push_back(std::move(pair));
  return evidence;
}
Evidence managed_by(Evidence evidence, const acme::Certificate& newest,
                    bool former_is_good = false) {
  evidence.asked.managed = ManagedCertificate{"shop", newest, former_is_good, {}, {}, {}};
  return evidence;
}

SeenEndpoint hop(SeenAddress address, SeenEndpoint::Role role = SeenEndpoint::Role::hop) {
  SeenEndpoint endpoint;
  endpoint.role = role;
  endpoint.endpoint = {"10.0.0.7:8443", "10.0.0.7", 8443, "shop.test"};
  endpoint.place = {"nginx", "/etc/nginx/sites-enabled/shop", 20};
  address.address = "10.0.0.7";
  address.of_this_host = false;
  endpoint.addresses = {std::move(address)};
  return endpoint;
}
Evidence before(SeenEndpoint behind, int status = 502) {
  Evidence evidence = seen({with_page(serving(good_leaf()), status)});
  evidence.behind.push_back(std::move(behind));
  return evidence;
}
SeenEndpoint unverified(SeenEndpoint endpoint, bool dates_checked = false) {
  endpoint.verified = false;
  endpoint.dates_checked = dates_checked;
  endpoint.name_checked = false;
  return endpoint;
}

const std::string no_issuer =
    "the leaf certificate (shop.test): unable to get local issuer certificate";

SeenAddress leaf_alone(const acme::Certificate& leaf) {
  SeenAddress seen = serving(leaf, no_issuer);
  seen.chain.resize(1);
  return seen;
}
SeenAddress self_signed() {
  SeenAddress seen = serving(good_leaf(), "the leaf certificate: self-signed certificate");
  seen.chain.resize(1);
  seen.chain[0].issuer = seen.chain[0].subject;
  return seen;
}
SeenAddress not_looked_at() {
  SeenAddress seen;
  seen.address = "127.0.0.1";
  seen.looked_at = false;
  return seen;
}
SeenAddress revoked() {
  SeenAddress seen = serving(good_leaf());
  seen.revocation = acme::Revocation{now - 2h, "keyCompromise"};
  return seen;
}
SeenAddress with_clock(SeenAddress seen, Time theirs) {
  seen.http = SeenHttp{200, theirs, {}, {}};
  return seen;
}
PairOnDisk mismatched(PairOnDisk pair) {
  pair.mismatched = true;
  return pair;
}
PairOnDisk missing(PairOnDisk pair) {
  pair.chain.clear();
  pair.missing = true;
  return pair;
}
PairOnDisk apache(PairOnDisk pair) {
  pair.place.server = "apache";
  return pair;
}
Evidence held_by(Evidence evidence, const std::string& holder) {
  evidence.asked.port_holder = holder;
  return evidence;
}
Evidence without_address(const std::string& code) {
  Evidence evidence = seen({});
  evidence.asked.lookup_code = code;
  evidence.asked.lookup_detail = "no answer";
  return evidence;
}

struct Case {
  std::string what;
  Evidence evidence;
  Cause cause;
  std::string code;
  const char* summary;  // a part of it
  const char* fix;      // its beginning
};

void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    CAPTURE(each.what);
    const Diagnosis diagnosis = diagnose(each.evidence);
    CHECK(diagnosis.cause == each.cause);
    CHECK(diagnosis.code == each.code);
    CAPTURE(diagnosis.summary);
    CHECK(diagnosis.summary.find(each.summary) != std::string::npos);
    CHECK(diagnosis.summary.find('\n') == std::string::npos);
    CAPTURE(diagnosis.fix);
    CHECK(diagnosis.fix.starts_with(each.fix));
  }
}

}  // namespace

TEST_CASE("what an endpoint serves gives the cause") {
  using Outcome = ProbeReply::Outcome;
  const auto future = authority().leaf("shop.test", now + 24h * 3, now + 24h * 90);
  const auto other = authority().leaf("other.test", now - 24h, now + 24h * 80);
  SeenAddress plain = failing(Outcome::no_handshake, "what answers there does not speak TLS");
  plain.plain_http = true;
  SeenAddress old_tls = serving(good_leaf());
  old_tls.http = SeenHttp{0, {}, "CA_TLS", "the TLS handshake failed: unsupported protocol"};
  check({
      {"fine", seen({with_page(serving(good_leaf()), 200)}), Cause::other, "CERTIFICATE_FINE",
       "serves shop.test, issued by \"Middle\", valid until 2027-02-11", ""},
      {"a client's fault", seen({with_page(serving(good_leaf()), 404)}), Cause::other,
       "CERTIFICATE_FINE", "HTTP 404", ""},
      {"expired", seen({serving(expired_leaf(), "the leaf certificate expired on …")}),
       Cause::certificate, "EXPIRED", "shop.test:443 serves a certificate that expired 3h",
       "here: renew"},
      {"expired and of nobody", seen({serving(expired_leaf(), no_issuer)}), Cause::certificate,
       "EXPIRED", "expired 3h", "here: renew"},
      {"not yet valid", seen({serving(future, "is not valid before")}), Cause::certificate,
       "NOT_YET_VALID", "not valid before 2026-11-26T09:00:00Z", ""},
      {"another name", seen({serving(other, "x does not name shop.test")}), Cause::certificate,
       "WRONG_NAME", "does not name shop.test, but other.test", ""},
      {"a leaf alone", seen({leaf_alone(good_leaf())}), Cause::certificate, "UNTRUSTED_ROOT",
       "of \"Middle\", which is not trusted here (a private CA, or an intermediate", ""},
      {"a leaf alone, and the rest is on the disk",
       with_pair(seen({leaf_alone(good_leaf())}), pair_of(good_leaf())), Cause::certificate,
       "INCOMPLETE_CHAIN", "without the intermediate \"Middle\", which stands in /etc/ssl/shop",
       "append the intermediate to /etc/ssl/shop/fullchain.pem, then: systemctl reload nginx"},
      {"a private root", seen({serving(good_leaf(), no_issuer)}), Cause::certificate,
       "UNTRUSTED_ROOT", "of \"Root\", which is not trusted here", ""},
      {"self-signed", seen({self_signed()}), Cause::certificate, "SELF_SIGNED", "self-signed", ""},
      {"an inner part expired",
       seen({serving(good_leaf(), "the certificate at depth 1 (Middle) expired on 2026-01-01")}),
       Cause::certificate, "EXPIRED", "a part has expired: the certificate at depth 1", ""},
      {"weak", seen({serving(good_leaf(), "the leaf certificate: CA md too weak")}),
       Cause::certificate, "NOT_ACCEPTED", "what clients refuse", ""},
      {"revoked", seen({revoked()}), Cause::certificate, "REVOKED",
       "revoked on 2026-11-23T07:00:00Z (keyCompromise)", ""},
      {"no roots", seen({serving(good_leaf(), "cannot read the trust anchors in /x")}),
       Cause::unknown, "ROOTS_UNREADABLE", "/x", "correct the file"},
      {"refused", seen({refused()}), Cause::other, "TCP_REFUSED", "Connection refused",
       "here: start the service"},
      {"silent", seen({failing(Outcome::unreachable, "x: no answer within 1.5s")}), Cause::other,
       "TCP_TIMEOUT", "no answer within 1.5s", ""},
      {"no route", seen({failing(Outcome::unreachable, "x: No route to host")}), Cause::other,
       "TCP_UNREACHABLE", "No route", ""},
      {"in the clear", seen({plain}), Cause::other, "PLAIN_HTTP_ON_TLS_PORT", "plain HTTP",
       "here: turn TLS on"},
      {"old TLS only", seen({old_tls}), Cause::other, "TLS_VERSION", "clients of today", ""},
      {"too old for anything",
       seen({failing(Outcome::no_handshake, "the TLS handshake failed: unsupported protocol")}),
       Cause::other, "TLS_VERSION", "unsupported protocol", ""},
      {"unknown name",
       seen({failing(Outcome::no_handshake, "the TLS handshake failed: tlsv1 unrecognized name")}),
       Cause::certificate, "WRONG_NAME", "has no certificate for shop.test", ""},
      {"no handshake", seen({failing(Outcome::no_handshake, "the server closed the connection")}),
       Cause::unknown, "HANDSHAKE_FAILS", "closed", "here: read the log"},
      {"no time for it", seen({not_looked_at()}), Cause::unknown, "NOT_SEEN", "no time", ""},
      {"no such name", without_address("NAME_NOT_FOUND"), Cause::other, "NO_SUCH_NAME",
       "has no address", "add the address record of shop.test"},
      {"no name server", without_address("DNS_TIMEOUT"), Cause::other, "DNS_FAILS",
       "cannot be looked up", "see /etc/resolv.conf"},
  });
}

TEST_CASE("what lies on the disk explains it") {
  const auto newer = authority().leaf("shop.test", now - 24h, now + 24h * 89);
  const auto handshake = ProbeReply::Outcome::no_handshake;
  const PairOnDisk lets_encrypt =
      pair_of(expired_leaf(), "/etc/letsencrypt/live/shop/fullchain.pem");
  check({
      {"not reloaded", with_pair(seen({serving(expired_leaf())}), pair_of(newer)),
       Cause::certificate, "OLD_ONE_SERVED",
       "a good one, valid until 2027-02-20T09:00:00Z, lies in /etc/ssl/shop/fullchain.pem: nginx "
       "was not reloaded",
       "systemctl reload nginx"},
      {"not deployed", managed_by(seen({serving(expired_leaf())}), newer), Cause::certificate,
       "OLD_ONE_SERVED", "it has not been deployed there", "nolapse deploy shop"},
      {"not renewed", managed_by(seen({serving(expired_leaf())}), expired_leaf()),
       Cause::certificate, "EXPIRED", "expired 3h", "nolapse renew --force shop"},
      {"revoked, and managed", managed_by(seen({revoked()}), good_leaf()), Cause::certificate,
       "REVOKED", "keyCompromise", "nolapse renew --force shop"},
      {"the newest is trusted by nobody",
       managed_by(seen({serving(newer, no_issuer)}), newer, true), Cause::certificate,
       "UNTRUSTED_ROOT", "not trusted", "nolapse rollback shop"},
      {"expired, certbot's", with_pair(seen({serving(expired_leaf())}), lets_encrypt),
       Cause::certificate, "EXPIRED", "expired",
       "certbot renew --force-renewal --cert-name shop && systemctl reload nginx"},
      {"somebody else",
       held_by(with_pair(seen({self_signed()}), pair_of(newer)), "apache2 (pid 12)"),
       Cause::certificate, "SERVED_BY_SOMETHING_ELSE", "the port is held by apache2 (pid 12)",
       "stop what holds the port"},
      {"the same server by another name",
       held_by(with_pair(seen({self_signed()}), apache(pair_of(newer))), "httpd (pid 12)"),
       Cause::certificate, "OLD_ONE_SERVED", "apache was not reloaded", "systemctl reload apache2"},
      {"down with a mismatched pair", with_pair(seen({refused()}), mismatched(pair_of(newer))),
       Cause::certificate, "MISMATCHED_PAIR", "do not belong together (nginx, /etc/nginx/sites",
       "put a certificate into /etc/ssl/shop/fullchain.pem"},
      {"no handshake with a mismatched pair",
       with_pair(seen({failing(handshake, "closed")}), mismatched(pair_of(newer))),
       Cause::certificate, "MISMATCHED_PAIR", "do not belong together", ""},
      {"the newer one does not match",
       with_pair(seen({serving(expired_leaf())}), mismatched(pair_of(newer))), Cause::certificate,
       "MISMATCHED_PAIR", "so nginx cannot take it", ""},
      {"down without its file", with_pair(seen({refused()}), missing(pair_of(newer))),
       Cause::certificate, "CERTIFICATE_FILE_MISSING", "/etc/ssl/shop/fullchain.pem is missing",
       "put a certificate"},
      {"down with a good pair", with_pair(seen({refused()}), pair_of(newer)), Cause::other,
       "TCP_REFUSED", "refused", "systemctl restart nginx"},
  });
  // It is not the cause as long as the old one is good.
  const Diagnosis fine = diagnose(with_pair(seen({serving(good_leaf())}), pair_of(newer)));
  CHECK(fine.code == "CERTIFICATE_FINE");
  CHECK(fine.why.size() == 1);
  CHECK(fine.why.at(0).find("does not serve the newer one") != std::string::npos);
  const Diagnosis ahead =
      diagnose(with_pair(seen({serving(good_leaf())}), mismatched(pair_of(good_leaf()))));
  CHECK(ahead.code == "CERTIFICATE_FINE");
  CHECK(ahead.why.at(0).find("the next reload or restart will fail") != std::string::npos);
}

TEST_CASE("one bad address of several is named, and one that this host cannot reach is not bad") {
  SeenAddress good = serving(good_leaf());
  SeenAddress bad = serving(expired_leaf());
  bad.address = "127.0.0.2";
  SeenAddress closed = refused();
  closed.address = "127.0.0.2";
  SeenAddress no_ipv6 =
      failing(ProbeReply::Outcome::unreachable, "[2001:db8::1]:443: Network is unreachable");
  check({
      {"a certificate", seen({good, bad}), Cause::certificate, "ONE_ADDRESS_BAD",
       "1 of the 2 addresses of shop.test:443 is bad: 127.0.0.2 serves a certificate that expired",
       ""},
      {"a service", seen({good, closed}), Cause::other, "ONE_ADDRESS_BAD", "127.0.0.2 cannot", ""},
      {"both kinds", seen({good, closed, bad}), Cause::certificate, "ONE_ADDRESS_BAD",
       "2 of the 3 addresses of shop.test:443 are bad: 127.0.0.2 serves", ""},
      {"all", seen({bad, bad}), Cause::certificate, "EXPIRED", "shop.test:443 serves", ""},
      {"no IPv6 here", seen({good, no_ipv6}), Cause::other, "CERTIFICATE_FINE", "serves", ""},
  });
}

TEST_CASE("a wrong clock makes a good certificate look bad") {
  const auto future = authority().leaf("shop.test", now + 24h * 3, now + 24h * 90);
  check({
      {"ours is behind", seen({with_clock(serving(future), now + 24h * 5)}), Cause::other,
       "CLIENT_CLOCK_WRONG", "it is 5d", "timedatectl"},
      {"one of them is ahead", seen({with_clock(serving(expired_leaf()), now - 24h * 5)}),
       Cause::unknown, "CLIENT_CLOCK_WRONG", "one of them is wrong by 5d", "timedatectl"},
      {"both agree", seen({with_clock(serving(expired_leaf()), now - 1min)}), Cause::certificate,
       "EXPIRED", "expired", ""},
      {"they differ, and it has expired by both",
       seen({with_clock(serving(expired_leaf()), now + 24h)}), Cause::certificate, "EXPIRED",
       "expired", ""},
  });
}

TEST_CASE("a page that fails behind a healthy handshake is decided by what is behind it") {
  const std::string no_name = "the leaf certificate (x) does not name shop.test";
  const auto other = authority().leaf("other.test", now - 24h, now + 24h * 80);
  SeenEndpoint clear = hop(refused());
  clear.tls = false;
  SeenEndpoint answers = hop(failing(ProbeReply::Outcome::no_handshake, ""));
  answers.tls = false;
  SeenAddress silent = serving(good_leaf());
  silent.http = SeenHttp{0, {}, "CA_TIMEOUT", "no response within 1.5s"};
  check({
      {"nothing is known", seen({with_page(serving(good_leaf()), 500)}), Cause::unknown,
       "HOPS_UNKNOWN", "answers HTTP 500 behind a healthy handshake", "run `nolapse diagnose`"},
      {"no response at all", seen({silent}), Cause::unknown, "HOPS_UNKNOWN",
       "gives no HTTP response", ""},
      {"an inner one expired", before(hop(serving(expired_leaf())), 500), Cause::certificate,
       "INNER_EXPIRED",
       "answers HTTP 500 behind a healthy handshake, and what it passes on to, 10.0.0.7:8443 "
       "(nginx, /etc/nginx/sites-enabled/shop:20), serves a certificate that expired 3h",
       "on the host that serves 10.0.0.7:8443: renew"},
      {"nobody looks at it", before(unverified(hop(serving(expired_leaf())))), Cause::other,
       "UPSTREAM_ERROR", "answers, too", ""},
      {"only at the dates", before(unverified(hop(serving(expired_leaf())), true)),
       Cause::certificate, "INNER_EXPIRED", "expired", ""},
      {"only at the dates, and the name is wrong",
       before(unverified(hop(serving(other, no_name)), true)), Cause::other, "UPSTREAM_ERROR", "",
       ""},
      {"another name", before(hop(serving(other, no_name))), Cause::certificate, "INNER_WRONG_NAME",
       "does not name", ""},
      {"down", before(hop(refused())), Cause::other, "UPSTREAM_DOWN", "refused", ""},
      {"down, in the clear", before(clear), Cause::other, "UPSTREAM_DOWN", "refused", ""},
      {"well, in the clear", before(answers), Cause::other, "UPSTREAM_ERROR", "answers, too", ""},
      {"no handshake", before(hop(failing(ProbeReply::Outcome::no_handshake, "closed"))),
       Cause::unknown, "INNER_HANDSHAKE_FAILS", "closed", ""},
      {"well", before(hop(with_page(serving(good_leaf()), 500)), 500), Cause::other,
       "UPSTREAM_ERROR", "10.0.0.7:8443 itself answers HTTP 500", "read the log"},
      {"a declared one expired", before(hop(serving(expired_leaf()), SeenEndpoint::Role::declared)),
       Cause::certificate, "INNER_EXPIRED",
       "which is declared for the same name, serves a certificate", ""},
      {"a declared one is well", before(hop(serving(good_leaf()), SeenEndpoint::Role::declared)),
       Cause::unknown, "HOPS_UNKNOWN", "nobody here knows", ""},
      {"something else that is known expired",
       before(hop(serving(expired_leaf()), SeenEndpoint::Role::known)), Cause::unknown,
       "INNER_SUSPECTED", "perhaps 10.0.0.7:8443 is behind it, which serves a certificate that",
       ""},
      {"the page is well", before(hop(serving(expired_leaf())), 200), Cause::other,
       "CERTIFICATE_FINE", "HTTP 200", ""},
  });
  Evidence nameless = before(hop(serving(good_leaf(), "the leaf certificate does not name x")));
  nameless.behind[0].name_checked = false;
  CHECK(diagnose(nameless).code == "UPSTREAM_ERROR");
  Evidence perhaps = before(hop(serving(expired_leaf())), 500);
  perhaps.behind[0].surely = false;
  CHECK(diagnose(perhaps).code == "INNER_SUSPECTED");
  CHECK(diagnose(perhaps).cause == Cause::unknown);
  // What nobody looked at may be guilty, whatever is wrong besides.
  for (Evidence hidden : {before(hop(serving(good_leaf()))), before(hop(refused()))}) {
    hidden.hidden = {"what nginx, /etc/nginx/nginx.conf:7 passes on to"};
    const Diagnosis diagnosis = diagnose(hidden);
    CHECK(diagnosis.code == "HOPS_UNKNOWN");
    CHECK(diagnosis.cause == Cause::unknown);
    CHECK(diagnosis.summary.find("nginx.conf:7") != std::string::npos);
  }
  Evidence both = before(hop(serving(expired_leaf())));
  both.hidden = {"more"};
  CHECK(diagnose(both).code == "INNER_EXPIRED");
}

TEST_CASE("the timeline is that of the guilty one, in order, and short") {
  Evidence evidence = managed_by(seen({serving(expired_leaf())}), expired_leaf());
  for (int day = 1; day < 12; ++day) {
    evidence.asked.managed->history.push_back({now - 24h * day, "day " + std::to_string(day)});
  }
  const Diagnosis diagnosis = diagnose(evidence);
  REQUIRE(diagnosis.timeline.size() == 8);
  CHECK(diagnosis.timeline.back().what == "it expired");
  CHECK(diagnosis.timeline.at(6).what == "day 1");
  CHECK(diagnosis.timeline.at(0).what == "day 7");
  REQUIRE(diagnosis.addresses.size() == 1);
  CHECK_FALSE(diagnosis.addresses[0].ok);
  CHECK(diagnosis.addresses[0].not_after == expired_leaf().not_after);
}

TEST_CASE("what a hostile server says stays on its line") {
  auto leaf = authority().leaf("other.test", now - 24h, now + 24h);
  leaf.issuer_common_name = "a\nThe certificate is fine\x1b[31m";
  const Diagnosis diagnosis = diagnose(seen({serving(leaf)}));
  CHECK(diagnosis.code == "WRONG_NAME");
  CHECK(diagnosis.summary.find('\n') == std::string::npos);
  CHECK(diagnosis.summary.find('\x1b') == std::string::npos);
}

TEST_CASE("who renews a certificate is told by where its file is") {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"/etc/letsencrypt/live/shop/fullchain.pem",
       "certbot renew --force-renewal --cert-name shop"},
      {"/var/www/.acme.sh/shop.test_ecc/fullchain.cer",
       "acme.sh --renew --force -d shop.test --ecc"},
      {"/var/www/.acme.sh/shop.test/fullchain.cer", "acme.sh --renew --force -d shop.test"},
      {"/var/lib/dehydrated/certs/shop.test/cert.pem",
       "dehydrated --cron --force --domain shop.test"},
      {"/etc/ssl/shop.pem", ""},
      {"/etc/letsencrypt/live/shop", ""},
  };
  for (const auto& [file, command] : cases) CHECK(renewal_command(file) == command);
}
