#include "acme/caa.h"

#include <algorithm>

#include "acme/problem.h"

namespace nolapse::acme {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(trimmed(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string quoted(const CaaRecord& record) {
  return record.tag + " \"" + printable(record.value, 200) + "\"";
}

// Why one issue or issuewild record does not let the CA in; empty: it does.
std::string fault_of(const CaaRecord& record, const CaaRequest& request) {
  const auto parts = split(record.value, ';');
  const std::string issuer = lower_case(parts.front());
  if (issuer.empty()) return "lets no CA issue";
  if (std::find(request.ca_identities.begin(), request.ca_identities.end(), issuer) ==
      request.ca_identities.end()) {
    return "names another CA";
  }
  int accounts = 0;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].empty()) continue;
    const std::size_t equals = parts[i].find('=');
    const std::string_view tag = trimmed(parts[i].substr(0, equals));
    if (equals == std::string_view::npos || !is_tag(tag)) return "cannot be understood";
    const std::string_view value = trimmed(parts[i].substr(equals + 1));
    if (lower_case(tag) == "accounturi") {
      if (++accounts > 1) return "names two accounts, which no account can be";
      if (value != request.account_url) {
        return "is for another account than " + request.account_url;
      }
    }
    if (lower_case(tag) == "validationmethods") {
      const auto methods = split(value, ',');
      if (std::find(methods.begin(), methods.end(), request.challenge_type) == methods.end()) {
        return "does not allow " + request.challenge_type;
      }
    }
  }
  return {};
}

}  // namespace

CaaRecord parse_caa_record(std::string_view text) {
  const std::size_t first = text.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
  unsigned flags = 0;
  bool number = first != std::string_view::npos && first > 0 && first <= 3;
  for (std::size_t i = 0; number && i < first; ++i) {
    number = text[i] >= '0' && text[i] <= '9';
    flags = flags * 10 + static_cast<unsigned>(text[i] - '0');
  }
  if (!number || second == std::string_view::npos ||
      !is_tag(text.substr(first + 1, second - first - 1))) {
    return {true, "unreadable", std::string(text)};
  }
  // Bit 0 is the most significant; some write a 1, and CAs take it for the same. [RFC 8659 §4.1]
  return {(flags & 128) != 0 || flags == 1, lower_case(text.substr(first + 1, second - first - 1)),
          std::string(text.substr(second + 1))};
}

std::string caa_refusal(const std::vector<CaaRecord>& records, bool wildcard,
                        const CaaRequest& request) {
  std::vector<const CaaRecord*> issue;
  std::vector<const CaaRecord*> issue_wild;
  for (const CaaRecord& record : records) {
    if (record.tag == "issue") {
      issue.push_back(&record);
    } else if (record.tag == "issuewild") {
      issue_wild.push_back(&record);
    } else if (record.critical && record.tag != "iodef") {
      return quoted(record) + " is critical, and no CA knows it";
    }
  }
  const auto& relevant = wildcard && !issue_wild.empty() ? issue_wild : issue;
  std::string refusal;
  for (const CaaRecord* record : relevant) {
    const std::string fault = fault_of(*record, request);
    if (fault.empty()) return {};
    refusal += (refusal.empty() ? "" : "; ") + quoted(*record) + " " + fault;
  }
  return refusal;
}

std::vector<std::string> caa_names(const Identifier& identifier) {
  std::vector<std::string> names;
  if (identifier.type != "dns") return names;
  std::string_view name = identifier.value;
  if (name.substr(0, 2) == "*.") name.remove_prefix(2);
  while (true) {
    names.emplace_back(name);
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return names;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace nolapse::acme
