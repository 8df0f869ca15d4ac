// What ca.rate_limits may say, and what an operator reads when it is wrong.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

std::string ca_with(const std::string& limits) {
  return "[[ca]]\nname = \"ca\"\ndirectory = \"https://ca.example/directory\"\n"
         "terms_of_service_agreed = true\nrate_limits = " +
         limits + "\n";
}

TEST_CASE("a CA's rate limits are Let's Encrypt's, those that were written, or none") {
  const RateLimits known = config_of(ca_with("{}")).cas.at(0).rate_limits;
  CHECK(known.certificates_per_set.capacity == 5);
  CHECK(known.certificates_per_set.refill == std::chrono::hours(34));
  const RateLimits written =
      config_of(ca_with("{ certificates_per_set = \"9/1h\", orders_per_account = \"none\" }"))
          .cas.at(0)
          .rate_limits;
  CHECK(written.certificates_per_set.capacity == 9);
  CHECK(written.certificates_per_set.refill == std::chrono::hours(1));
  CHECK(written.orders_per_account.capacity == 0);
  CHECK(written.failed_validations.capacity == 5);
  const RateLimits none = config_of(ca_with("\"none\"")).cas.at(0).rate_limits;
  for (const RateLimitKind kind : rate_limit_kinds) CHECK(none.of(kind).capacity == 0);
}

TEST_CASE("a rate limit that cannot be understood is an error that shows the form") {
  const std::string form =
      "; write rate_limits = \"none\", or the limits that differ, such as "
      "{ certificates_per_set = \"5/34h\" }: 5 at once, then one every 34 hours";
  check_cases({{ca_with("5"), {":5: ca.ca.rate_limits: must be \"none\" or a table" + form}},
               {ca_with("\"some\""), {":5: ca.ca.rate_limits: must be \"none\" or a table" + form}},
               {ca_with("{ certificates_per_sets = \"5/34h\" }"),
                {":5: ca.ca.rate_limits.certificates_per_sets: is no known limit; did you mean "
                 "\"certificates_per_set\"? known are: certificates_per_set, failed_validations, "
                 "certificates_per_domain, orders_per_account"}}});
  for (const char* value :
       {"5", "\"5\"", "\"5/\"", "\"/34h\"", "\"x/34h\"", "\"5/34\"", "\"0/34h\"", "\"-1/34h\"",
        "\"5/0s\"", "\"5/366d\"", "\"1000001/1h\"", "\"\""}) {
    CAPTURE(value);
    check_cases({{ca_with(std::string("{ failed_validations = ") + value + " }"),
                  {":5: ca.ca.rate_limits.failed_validations: must be a count and a duration, or "
                   "\"none\"" +
                   form}}});
  }
}

}  // namespace
}  // namespace nolapse
