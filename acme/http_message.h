// HTTP requests and responses as values, with the few header fields that ACME gives a meaning.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/time.h"

namespace nolapse::acme {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;

  // The first field of that name, compared without case; empty when absent.
  std::string_view header(std::string_view name) const;
  std::vector<std::string> header_values(std::string_view name) const;
  // Targets of all Link fields with this relation; several fields, comma-joined lists and
  // unquoted `rel` are understood. [RFC 8288 §3]
  std::vector<std::string> links(std::string_view relation) const;
  std::optional<Time> retry_after(Time now) const;
  bool ok() const { return status >= 200 && status < 300; }
};

}  // namespace nolapse::acme
