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
