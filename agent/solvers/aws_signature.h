// AWS's signature of a request, version 4, in header fields.
// [https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html]
#pragma once

#include <string>

#include "acme/http_message.h"

namespace nolapse {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
  std::string region;
  std::string service;
};

// Adds X-Amz-Date, X-Amz-Security-Token where there is one, and Authorization. The query's
// parameters and the path are percent-encoded already; all header fields that are there are signed.
void sign_aws_request(acme::HttpRequest& request, const AwsCredentials& credentials,
                      acme::Time now);

}  // namespace nolapse
