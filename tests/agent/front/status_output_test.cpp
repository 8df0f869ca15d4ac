// A status as scripts and people read it: what a standby and a proof add to the certificate's.
#include "agent/front/status_output.h"

#include <doctest/doctest.h>

#include <sstream>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"

using namespace nolapse;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

CertificateStatus shop_with(const CertificateStatus& standby) {
  CertificateStatus status;
  status.name = "shop";
  status.ca = "letsencrypt";
  status.serving = Serving::ok;
  status.renewal = RenewalHealth::ok;
  status.renew_reason = "later";
  status.standby = std::make_shared<const CertificateStatus>(standby);
  return status;
}

CertificateStatus standby_from_zerossl() {
  acme::Certificate leaf;
  leaf.not_after = now;
  CertificateStatus standby;
  standby.ca = "zerossl";
  standby.renewal = RenewalHealth::ok;
  standby.generation.emplace();
  standby.generation->number = 7;
  standby.generation->chain = {leaf};
  return standby;
}

std::string written(const CertificateStatus& status, bool json) {
  std::ostringstream text;
  CHECK(write_statuses(text, {json, 0}, now, {status}) == exit_status::ok);
  return text.str();
}

}  // namespace

TEST_CASE("a standby is an object of its certificate's, and a word at the end of its line") {
  const CertificateStatus status = shop_with(standby_from_zerossl());
  const auto document = acme::parse_object(written(status, true), "status");
  REQUIRE(document);
  const auto& certificates = (*document)["certificates"];
  REQUIRE(certificates.size() == 1);
  const auto& standby = certificates[0]["standby"];
  CHECK(standby["ca"] == "zerossl");
  CHECK(standby["generation"] == 7);
  CHECK(standby["not_after"] == "2026-11-23T09:00:00Z");
  CHECK(standby["renewal"] == "ok");
  CHECK(written(status, false) ==
        "shop  serving ok  renewal ok    later  standby zerossl until 2026-11-23T09:00:00Z, "
        "renewal ok\n");
}

TEST_CASE("a standby that cannot be had says why below its certificate") {
  CertificateStatus standby;
  standby.renewal = RenewalHealth::missing;
  standby.failures = 3;
  standby.last_error = SavedError{now, "transient", "CA_DOWN", "the CA is down", "", {}};
  const std::string text = written(shop_with(standby), false);
  CHECK(text.find("later  standby none, renewal missing\n") != std::string::npos);
  CHECK(text.find("  standby: last error, 2026-11-23T09:00:00Z (3 in a row): the CA is down\n") !=
        std::string::npos);
}

TEST_CASE("where no standby is wanted, none is spoken of") {
  CertificateStatus status = shop_with({});
  status.standby.reset();
  CHECK(written(status, true).find("standby") == std::string::npos);
  CHECK(written(status, false).find("standby") == std::string::npos);
}

TEST_CASE("how long a proof took is told where it was long, or not seen from here") {
  CertificateStatus status = shop_with({});
  status.standby.reset();
  CHECK(written(status, true).find("\"proof\": null") != std::string::npos);
  status.proof = SavedProof{"zone", now, std::chrono::seconds(20), true};
  CHECK(written(status, false).find("proof") == std::string::npos);
  CHECK(written(status, true).find("\"took_seconds\": 20") != std::string::npos);
  status.proof->took = std::chrono::seconds(83);
  CHECK(written(status, false)
            .find("\n  the last proof, by zone at 2026-11-23T09:00:00Z, was seen after 1m 23s\n") !=
        std::string::npos);
  status.proof->seen = false;
  CHECK(written(status, false).find("was not seen from here within 1m 23s, but by the CA\n") !=
        std::string::npos);
}

TEST_CASE(
    "a rehearsal that showed a part is told with what it did not show; one that passed is not") {
  CertificateStatus status = shop_with({});
  status.standby.reset();
  RehearsalStanding& standing = status.rehearsals["letsencrypt"];
  standing.state = RehearsalStanding::State::partial;
  standing.at = now;
  standing.record.emplace().result = RehearsalResult::partial;
  standing.record->not_shown = {"an order", "the hook's part"};
  const std::string line =
      "\n  rehearsal at letsencrypt on 2026-11-23T09:00:00Z: PARTIAL, not shown: an order; "
      "the hook's part\n";
  CHECK(written(status, false).find(line) != std::string::npos);
  const auto document = acme::parse_object(written(status, true), "status");
  REQUIRE(document);
  const auto& rehearsal = (*document)["certificates"][0]["rehearsals"][0];
  CHECK(rehearsal["ca"] == "letsencrypt");
  CHECK(rehearsal["result"] == "partial");
  CHECK(rehearsal["not_shown"].size() == 2);
  standing.state = RehearsalStanding::State::passed;
  standing.record->result = RehearsalResult::passed;
  standing.record->not_shown.clear();
  CHECK(written(status, false).find("rehearsal") == std::string::npos);
}

TEST_CASE("doubts stand below their certificate, those of the host once at the end") {
  CertificateStatus status = shop_with({});
  status.standby.reset();
  status.renewal = RenewalHealth::failing;
  status.doubts = {
      {"PORT_IN_USE", "shop", "challenge web", FindingSeverity::error, "it is taken", "by python3",
       "end it", now},
      {"HEARTBEAT_OLD", {}, {}, FindingSeverity::unknown, "silent", "old", "look", {}}};
  std::ostringstream text;
  CHECK(write_statuses(text, {false, 0}, now, {status, status}) == exit_status::failed);
  const std::string doubt = "\n  error PORT_IN_USE: it is taken: by python3 (since 2026";
  const std::size_t first = text.str().find(doubt);
  CHECK(first != std::string::npos);
  CHECK(text.str().find(doubt, first + 1) != std::string::npos);
  CHECK(text.str().ends_with("this host\n  unknown HEARTBEAT_OLD: silent: old\n"));
  CHECK(text.str().find("HEARTBEAT_OLD") == text.str().rfind("HEARTBEAT_OLD"));
}

TEST_CASE("a target that waits for its window says until when, and for which generation") {
  CertificateStatus status = shop_with({});
  status.standby.reset();
  TargetWait wait{"nginx", 7, 8};
  wait.until = now + std::chrono::hours(17);
  wait.window = "02:00-05:00";
  status.waits = {wait};
  CHECK(written(status, false)
            .find("\n  target nginx has generation 7; generation 8 waits for its window "
                  "02:00-05:00 until 2026-11-24T02:00:00Z (in 17h)\n") != std::string::npos);
}

TEST_CASE("a watched certificate near its end is not well, however good it is now") {
  WatchedCertificate watched;
  watched.watch = "intranet";
  watched.file = "/etc/ssl/a.pem";
  const auto status_when = [&](WatchedState state) {
    watched.state = state;
    std::ostringstream text;
    const int status = write_statuses(text, {false, 0}, now, {}, {watched});
    CHECK(text.str().find(std::string("watched ") + name_of(state)) != std::string::npos);
    return status;
  };
  CHECK(status_when(WatchedState::good) == exit_status::ok);
  CHECK(status_when(WatchedState::near) == exit_status::failed);
  CHECK(status_when(WatchedState::expired) == exit_status::failed);
}
