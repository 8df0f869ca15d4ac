// ca.rate_limits: what a CA allows, where it is not Let's Encrypt. Each limit is a bucket: how much
// it holds, and how long until one more comes back.
#include <charconv>

#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

constexpr const char* form =
    "write rate_limits = \"none\", or the limits that differ, such as "
    "{ certificates_per_set = \"5/34h\" }: 5 at once, then one every 34 hours";

// "5/34h"; "none" is no limit.
std::optional<RateLimit> parse_limit(const std::string& text) {
  if (text == "none") return RateLimit{};
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return {};
  RateLimit limit;
  const auto parsed = std::from_chars(text.data(), text.data() + slash, limit.capacity);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + slash) return {};
  const auto refill = acme::parse_duration(text.substr(slash + 1));
  if (limit.capacity < 1 || limit.capacity > 1'000'000 || !refill) return {};
  if (*refill < std::chrono::seconds(1) || *refill > std::chrono::hours(24 * 365)) return {};
  limit.refill = *refill;
  return limit;
}

std::vector<std::string> known_limits() {
  std::vector<std::string> names;
  for (const RateLimitKind kind : rate_limit_kinds) names.emplace_back(name_of(kind));
  return names;
}

}  // namespace

void read_rate_limits(ConfigSection& section, RateLimits& limits) {
  const ConfigNode* node = section.find("rate_limits");
  if (node == nullptr) return;
  if (node->kind == ConfigNode::Kind::string && node->text == "none") {
    limits = RateLimits::none();
    return;
  }
  if (node->kind != ConfigNode::Kind::table) {
    section.problem("rate_limits", "must be \"none\" or a table", form);
    return;
  }
  for (const ConfigNode& entry : node->children) {
    const std::string key = "rate_limits." + entry.key;
    bool known = false;
    for (const RateLimitKind kind : rate_limit_kinds) {
      if (entry.key != name_of(kind)) continue;
      known = true;
      const auto limit = entry.kind == ConfigNode::Kind::string ? parse_limit(entry.text)
                                                                : std::optional<RateLimit>();
      if (limit) {
        limits.of(kind) = *limit;
      } else {
        section.problem_at(entry, key, "must be a count and a duration, or \"none\"", form);
      }
    }
    if (!known) {
      section.problem_at(entry, key, "is no known limit", suggest(entry.key, known_limits()));
    }
  }
}

}  // namespace nolapse
