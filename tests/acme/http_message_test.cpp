#include "acme/http_message.h"

#include <doctest/doctest.h>

using namespace nolapse::acme;
using Links = std::vector<std::string>;

TEST_CASE("header names are compared without case, the first value wins") {
  const HttpResponse response{200, {{"location", "a"}, {"LOCATION", "b"}}, {}};
  CHECK(response.header("Location") == "a");
  CHECK(response.header("Replay-Nonce").empty());
  CHECK(response.header_values("Location").size() == 2);
}

TEST_CASE("alternate chains are found in several fields, lists and spellings [RFC 8288 §3]") {
  const HttpResponse response{
      200,
      {{"Link", "<https://ca/1>;rel=\"alternate\""},
       {"link",
        "<https://ca/2>; title=\"x, y\"; rel=alternate,"
        "<https://ca/3>;rel=\"index\", <https://ca/4,5>;rel=\"up alternate\""},
       {"Link", "broken"},
       {"Link", "<https://ca/6"},
       {"Link", "<https://ca/7>"}},
      {}};
  CHECK(response.links("alternate") == Links{"https://ca/1", "https://ca/2", "https://ca/4,5"});
  CHECK(response.links("index") == Links{"https://ca/3"});
  CHECK(response.links("up") == Links{"https://ca/4,5"});
}
