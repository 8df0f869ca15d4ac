#include "acme/http_message.h"

#include <algorithm>

namespace nolapse::acme {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Is `relation` one of the space-separated words of this link's rel parameter?
bool has_relation(std::string_view parameters, std::string_view relation) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    if (!equal_ignoring_case(trim(parameter.substr(0, equals)), "rel")) continue;
    std::string_view words = trim(parameter.substr(equals + 1));
    if (words.size() >= 2 && words.front() == '"' && words.back() == '"') {
      words = words.substr(1, words.size() - 2);
    }
    while (!words.empty()) {
      const std::size_t space = std::min(words.find(' '), words.size());
      if (equal_ignoring_case(words.substr(0, space), relation)) return true;
      words.remove_prefix(std::min(space + 1, words.size()));
    }
  }
  return false;
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const HttpHeader& field : headers) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

std::vector<std::string> HttpResponse::header_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const HttpHeader& field : headers) {
    if (equal_ignoring_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}

std::vector<std::string> HttpResponse::links(std::string_view relation) const {
  std::vector<std::string> targets;
  for (const std::string& value : header_values("Link")) {
    std::string_view rest = value;
    while (true) {
      const std::size_t open = rest.find('<');
      const std::size_t close = rest.find('>', open == std::string_view::npos ? 0 : open);
      if (open == std::string_view::npos || close == std::string_view::npos) break;
      const std::string_view target = rest.substr(open + 1, close - open - 1);
      rest.remove_prefix(close + 1);
      // The next link begins at its '<', so the parameters end there.
      const std::string_view parameters = rest.substr(0, rest.find('<'));
      const std::size_t comma = parameters.rfind(',');
      const bool last = rest.find('<') == std::string_view::npos;
      if (has_relation(last ? parameters : parameters.substr(0, comma), relation)) {
        targets.emplace_back(target);
      }
    }
  }
  return targets;
}

std::optional<Time> HttpResponse::retry_after(Time now) const {
  return parse_retry_after(header("Retry-After"), now);
}

}  // namespace nolapse::acme
