#include "acme/renewal_info.h"

#include <algorithm>

#include "acme/base64url.h"
#include "acme/json_read.h"

namespace nolapse::acme {
namespace {

using namespace std::chrono;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Empty for anything that is not lower-case hex of whole octets.
std::string hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return {};
  std::string octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    octets += static_cast<char>(high * 16 + low);
  }
  return octets;
}

// It is shown to a person who may follow it, so nothing but a plain web address passes.
bool is_web_address(std::string_view url) {
  const bool web = url.substr(0, 8) == "https://" || url.substr(0, 7) == "http://";
  return web && url.size() <= 2000 &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::transient, "BAD_RENEWAL_INFO",
              "the CA's renewal information is of no use: " + why);
}

// Eight octets, the most significant first.
std::string octets_of(std::uint64_t number) {
  std::string octets;
  for (int shift = 56; shift >= 0; shift -= 8) {
    octets += static_cast<char>(static_cast<unsigned char>((number >> shift) & 255));
  }
  return octets;
}

std::uint64_t number_of(std::string_view octets) {
  std::uint64_t number = 0;
  for (const char c : octets) number = (number << 8) | static_cast<unsigned char>(c);
  return number;
}

// floor(number × limit / 2^64): as uniform as `number`. In halves, because ISO C++ has no wider
// type.
std::uint64_t scale(std::uint64_t number, std::uint64_t limit) {
  constexpr std::uint64_t low_half = 0xffffffff;
  const std::uint64_t low = (number & low_half) * (limit & low_half);
  const std::uint64_t middle = (number >> 32) * (limit & low_half) + (low >> 32);
  const std::uint64_t cross = (number & low_half) * (limit >> 32) + (middle & low_half);
  return (number >> 32) * (limit >> 32) + (middle >> 32) + (cross >> 32);
}

}  // namespace

std::string renewal_certificate_id(const Certificate& certificate) {
  const std::string serial = hex_decode(certificate.serial_number);
  if (serial.empty() || certificate.authority_key_identifier.empty()) return {};
  return base64url_encode(certificate.authority_key_identifier) + "." + base64url_encode(serial);
}

std::string renewal_info_url(std::string_view renewal_info, std::string_view certificate_id) {
  if (renewal_info.empty() || certificate_id.empty()) return {};
  std::string url(renewal_info);
  if (url.back() != '/') url += '/';
  url += certificate_id;
  return url;
}

Result<RenewalInfo> parse_renewal_info(std::string_view body) {
  const auto document = parse_object(body, "it");
  if (!document) return refuse(document.error().message);
  const nlohmann::json& window = object_member(*document, "suggestedWindow");
  const auto start = time_member(window, "start");
  const auto end = time_member(window, "end");
  if (!start || !end) {
    return refuse(std::string("suggestedWindow has no ") + (start ? "end" : "start") +
                  " that is an RFC 3339 time");
  }
  RenewalInfo info{floor<seconds>(*start), floor<seconds>(*end), {}};
  if (info.end <= info.start) {
    return refuse("suggestedWindow ends " + format_rfc3339(info.end) + ", not after its start " +
                  format_rfc3339(info.start));
  }
  const std::string url = string_member(*document, "explanationURL");
  if (is_web_address(url)) info.explanation_url = url;
  return info;
}

Time renewal_info_poll_after(const HttpResponse& response, Time now) {
  const Time sent = parse_http_date(response.header("Date")).value_or(now);
  const auto retry_after = response.retry_after(sent);
  if (!retry_after) return now + hours(6);
  return now + std::clamp<Duration>(*retry_after - sent, minutes(1), days(1));
}

Time choose_renewal_instant(const RenewalInfo& info, std::uint64_t seed) {
  if (info.end <= info.start) return info.start;
  const auto start = static_cast<std::uint64_t>(info.start.time_since_epoch().count());
  const auto end = static_cast<std::uint64_t>(info.end.time_since_epoch().count());
  // A digest, because neighbouring seeds and windows must not give neighbouring instants.
  const std::string digest = sha256(octets_of(seed) + octets_of(start) + octets_of(end));
  const std::uint64_t chosen = scale(number_of(digest.substr(0, 8)), (end - start) / 1000);
  return info.start + seconds(static_cast<std::int64_t>(chosen));
}

}  // namespace nolapse::acme
