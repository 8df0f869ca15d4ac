#include "agent/solvers/aws_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>

#include "acme/base64url.h"

namespace nolapse {
namespace {

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes.data(), &size);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// "https://host/path?query" in its three parts.
struct Url {
  explicit Url(const std::string& url) {
    const std::size_t begin = url.find("://") + 3;
    const std::size_t question = std::min(url.find('?', begin), url.size());
    const std::size_t slash = std::min(url.find('/', begin), question);
    host = url.substr(begin, slash - begin);
    path = slash == question ? "/" : url.substr(slash, question - slash);
    if (question < url.size()) query = url.substr(question + 1);
  }
  std::string host;
  std::string path;
  std::string query;
};

// Sorted by parameter; one without "=" gets it.
std::string canonical_query(const std::string& query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (std::size_t begin = 0; begin < query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string parameter = query.substr(begin, end - begin);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    parameters.emplace_back(parameter.substr(0, equals),
                            parameter.substr(std::min(equals + 1, parameter.size())));
    begin = end + 1;
  }
  std::sort(parameters.begin(), parameters.end());
  std::string text;
  for (const auto& [name, value] : parameters) {
    text += (text.empty() ? "" : "&") + name + "=" + value;
  }
  return text;
}

}  // namespace

void sign_aws_request(acme::HttpRequest& request, const AwsCredentials& credentials,
                      acme::Time now) {
  std::string moment = acme::format_rfc3339(now);  // "20150830T123600Z"
  moment.erase(
      std::remove_if(moment.begin(), moment.end(), [](char c) { return c == '-' || c == ':'; }),
      moment.end());
  const std::string day = moment.substr(0, 8);
  const Url url(request.url);
  request.headers.push_back({"X-Amz-Date", moment});
  if (!credentials.session_token.empty()) {
    request.headers.push_back({"X-Amz-Security-Token", credentials.session_token});
  }
  std::map<std::string, std::string> fields{{"host", url.host}};
  for (const auto& [name, value] : request.headers) fields[lower_case(name)] = value;
  std::string headers;
  std::string names;
  for (const auto& [name, value] : fields) {
    headers += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string canonical = request.method + "\n" + url.path + "\n" +
                                canonical_query(url.query) + "\n" + headers + "\n" + names + "\n" +
                                acme::hex_encode(acme::sha256(request.body));
  const std::string scope =
      day + "/" + credentials.region + "/" + credentials.service + "/aws4_request";
  const std::string text = "AWS4-HMAC-SHA256\n" + moment + "\n" + scope + "\n" +
                           acme::hex_encode(acme::sha256(canonical));
  std::string key = "AWS4" + credentials.secret_access_key;
  for (const std::string& part :
       {day, credentials.region, credentials.service, std::string("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  request.headers.push_back(
      {"Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + scope +
                            ", SignedHeaders=" + names +
                            ", Signature=" + acme::hex_encode(hmac_sha256(key, text))});
}

}  // namespace nolapse
