// Vectors of AWS's own test suite for signature version 4 (aws-sig-v4-test-suite), by their names.
#include "agent/solvers/aws_signature.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace nolapse {
namespace {

const AwsCredentials suite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "",
                              "us-east-1", "service"};

std::string authorization(acme::HttpRequest request, const AwsCredentials& credentials = suite) {
  sign_aws_request(request, credentials, *acme::parse_rfc3339("2015-08-30T12:36:00Z"));
  CHECK(std::count_if(request.headers.begin(), request.headers.end(), [](const auto& header) {
          return header.name == "X-Amz-Date" && header.value == "20150830T123600Z";
        }) == 1);
  return request.headers.back().value;
}

TEST_CASE("requests are signed as in AWS's test suite") {
  struct Case {
    const char* name;
    acme::HttpRequest request;
    std::string names;
    std::string signature;
  };
  const std::string host = "https://example.amazonaws.com";
  const std::vector<Case> cases = {
      {"get-vanilla",
       {"GET", host + "/", {}, ""},
       "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla without a path",
       {"GET", host, {}, ""},
       "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla-query-order-key-case",
       {"GET", host + "/?Param2=value2&Param1=value1", {}, ""},
       "host;x-amz-date",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-empty-query-key",
       {"GET", host + "?Param1=value1", {}, ""},
       "host;x-amz-date",
       "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
      {"post-vanilla",
       {"POST", host + "/", {}, ""},
       "host;x-amz-date",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-x-www-form-urlencoded",
       {"POST",
        host + "/",
        {{"Content-Type", "application/x-www-form-urlencoded"}},
        "Param1=value1"},
       "content-type;host;x-amz-date",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.name);
    CHECK(authorization(each.request) ==
          "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
          "SignedHeaders=" +
              each.names + ", Signature=" + each.signature);
  }
}

TEST_CASE("the token of temporary credentials is sent and signed: post-sts-header-before") {
  AwsCredentials temporary = suite;
  temporary.session_token =
      "AQoDYXdzEPT//////////"
      "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPf"
      "IeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"
      "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7W"
      "Z0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
      "scqKmlzm8F"
      "DrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
  CHECK(authorization({"POST", "https://example.amazonaws.com/", {}, ""}, temporary) ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

}  // namespace
}  // namespace nolapse
