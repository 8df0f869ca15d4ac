// Two seconds, not the five of resolv.conf(5), until a server is asked again: a lost packet should
// not cost five, and a late answer to the first try is still taken.
#include "agent/world/resolver_config.h"

#include <algorithm>
#include <charconv>

#include "acme/identifier.h"

namespace nolapse {
namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::size_t most_servers = 3;
constexpr std::size_t most_search_domains = 6;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view blank = " \t\r";
  for (auto begin = line.find_first_not_of(blank); begin != std::string_view::npos;
       begin = line.find_first_not_of(blank)) {
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(blank), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

bool same_word(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// "timeout:3"
std::optional<int> option_value(std::string_view word, std::string_view option) {
  if (!word.starts_with(option)) return std::nullopt;
  word.remove_prefix(option.size());
  int value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

void read_options(const std::vector<std::string_view>& words, ResolverConfig& config) {
  for (const auto word : words) {
    if (const auto seconds = option_value(word, "timeout:")) {
      config.timeout = std::chrono::seconds(std::clamp(*seconds, 1, 5));
    }
    if (const auto attempts = option_value(word, "attempts:")) {
      config.attempts = std::clamp(*attempts, 1, 5);
    }
  }
}

void read_search(const std::vector<std::string_view>& words, ResolverConfig& config) {
  config.search.clear();  // the last search or domain line counts
  for (std::size_t i = 1; i < words.size() && i <= most_search_domains; ++i) {
    std::string domain(words[i]);
    if (domain.ends_with('.')) domain.pop_back();
    if (!domain.empty()) config.search.push_back(std::move(domain));
  }
}

}  // namespace

std::string ResolverConfig::server_names() const {
  std::string names;
  for (const auto& server : servers) names += (names.empty() ? "" : ", ") + server.text();
  return names;
}

ResolverConfig parse_resolv_conf(std::string_view text) {
  ResolverConfig config;
  for (const auto line : lines_of(text)) {
    const auto words = words_of(line);
    if (words.size() < 2) continue;
    if (words[0] == "nameserver" && config.servers.size() < most_servers) {
      if (const auto server = SocketAddress::make(std::string(words[1]), dns_port)) {
        config.servers.push_back(*server);
      }
    } else if (words[0] == "search" || words[0] == "domain") {
      read_search(words, config);
    } else if (words[0] == "options") {
      read_options(words, config);
    }
  }
  if (config.servers.empty()) config.servers.push_back(*SocketAddress::make("127.0.0.1", dns_port));
  return config;
}

std::vector<std::string> addresses_in_hosts(std::string_view text, std::string_view name) {
  std::vector<std::string> addresses;
  for (const auto line : lines_of(text)) {
    const auto words = words_of(line.substr(0, line.find('#')));
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!same_word(words[i], name)) continue;
      std::string address = acme::canonical_address(words[0]);
      const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
      if (!address.empty() && !known) addresses.push_back(std::move(address));
      break;
    }
  }
  return addresses;
}

}  // namespace nolapse
