#include "acme/persist_record.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "acme/base64url.h"
#include "acme/http_message.h"
#include "acme/json_read.h"

namespace nolapse::acme {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

// What may be the value of a parameter: visible and no semicolon. [RFC 8659 §4.2]
bool is_plain(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != ';'; });
}

struct Record {
  std::string issuer;
  std::string fault;  // why it cannot be read; empty: it can
  std::string account_uri;
  bool wildcard = false;
  std::optional<Time> until;
};

// One "TAG=VALUE" into the record. Gives why not; empty: it is fine.
std::string read_parameter(std::string_view parameter, Record& record) {
  const std::size_t equals = parameter.find('=');
  if (trimmed(parameter).empty()) return "it has an empty parameter, or a semicolon at its end";
  const std::string tag = lower(trimmed(parameter.substr(0, equals)));
  if (equals == std::string_view::npos || tag.empty()) {
    return "\"" + printable(trimmed(parameter), 80) + "\" is no TAG=VALUE";
  }
  const std::string value(trimmed(parameter.substr(equals + 1)));
  if (!is_plain(value)) return "the value of " + printable(tag, 40) + " has spaces or worse in it";
  if (tag == "accounturi") record.account_uri = value;
  if (tag == "policy") record.wildcard = lower(value) == "wildcard";
  if (tag == "persistuntil") {
    std::int64_t seconds = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()) {
      return "persistUntil is no number of seconds: \"" + printable(value, 40) + "\"";
    }
    // Beyond what a calendar is for: it does not end.
    constexpr std::int64_t year_9999 = 253'370'764'800;
    if (seconds < year_9999) {
      record.until = Time{std::chrono::seconds{std::max<std::int64_t>(seconds, 0)}};
    }
  }
  return {};
}

Record read_record(std::string_view text) {
  Record record;
  std::size_t end = text.find(';');
  record.issuer = trimmed(text.substr(0, end));
  std::set<std::string> seen;
  while (end != std::string_view::npos && record.fault.empty()) {
    text.remove_prefix(end + 1);
    end = text.find(';');
    const std::string_view parameter = text.substr(0, end);
    record.fault = read_parameter(parameter, record);
    const std::string tag = lower(trimmed(parameter.substr(0, parameter.find('='))));
    if (record.fault.empty() && !seen.insert(tag).second) {
      record.fault = "it has " + printable(tag, 40) + " twice";
    }
  }
  if (record.fault.empty() && record.account_uri.empty()) record.fault = "it has no accounturi";
  return record;
}

bool has(const std::vector<std::string>& list, const std::string& element) {
  return std::find(list.begin(), list.end(), element) != list.end();
}

// The further a record gets, the nearer it is to what is wanted.
enum class Step { unreadable, other_account, no_wildcard, ended };

}  // namespace

std::string persist_record_name(std::string_view domain) {
  return "_validation-persist." + std::string(domain);
}

std::string persist_account_hash(std::string_view prefix, std::string_view domain,
                                 std::string_view thumbprint, std::string_view account_url) {
  std::string input(1, static_cast<char>(domain.size()));
  input += std::string(domain) + std::string(thumbprint) + std::string(account_url);
  return std::string(prefix) + "sha-256/" + base64url_encode(sha256(input));
}

bool is_issuer_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string_view::npos;
}

bool is_account_uri_at(std::string_view uri, std::string_view account_url) {
  const std::size_t scheme = account_url.find("://");
  if (scheme == std::string_view::npos || uri.size() > 1000 || !is_plain(uri)) return false;
  const std::size_t path = account_url.find('/', scheme + 3);
  const std::string origin(account_url.substr(0, path));
  return uri.starts_with(origin + "/") || uri == origin;
}

std::string persist_record_value(const PersistRequest& request) {
  return request.issuers.front() + "; accounturi=" + request.account_uris.front() +
         (request.wildcard ? "; policy=wildcard" : "");
}

std::string persist_zone_line(const std::string& domain, const PersistRequest& request) {
  constexpr std::size_t string_limit = 255;
  std::string line = persist_record_name(domain) + ". TXT";
  const std::string value = persist_record_value(request);
  for (std::size_t at = 0; at < value.size(); at += string_limit) {
    line += " \"" + value.substr(at, string_limit) + "\"";
  }
  return line;
}

PersistJudgement judge_persist_records(const std::vector<std::string>& values,
                                       const PersistRequest& request, Time now) {
  if (values.empty()) return {"there is no such record", {}};
  std::optional<Step> furthest;
  std::string fault = "its records are for other CAs";
  const auto reject = [&](Step step, std::string why) {
    if (furthest && *furthest >= step) return;
    furthest = step;
    fault = std::move(why);
  };
  for (const std::string& value : values) {
    const Record record = read_record(value);
    if (!has(request.issuers, record.issuer)) continue;
    if (!record.fault.empty()) {
      reject(Step::unreadable, "its record for " + record.issuer + ": " + record.fault);
    } else if (!has(request.account_uris, record.account_uri)) {
      reject(Step::other_account,
             "its record is for another account, " + printable(record.account_uri, 200));
    } else if (request.wildcard && !record.wildcard) {
      reject(Step::no_wildcard, "its record has no policy=wildcard, so that it is for no wildcard");
    } else if (record.until && now > *record.until) {
      reject(Step::ended, "its record has ended, at " + format_rfc3339(*record.until));
    } else {
      return {{}, record.until};
    }
  }
  return {fault, {}};
}

}  // namespace nolapse::acme
