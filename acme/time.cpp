#include "acme/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace nolapse::acme {
namespace {

using namespace std::chrono;

// Exactly `width` digits at `position`, which moves behind them.
std::optional<int> digits(std::string_view text, std::size_t& position, std::size_t width) {
  if (position > text.size() || text.size() - position < width) return {};
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const char c = text[position + i];
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  position += width;
  return value;
}

bool skip(std::string_view text, std::size_t& position, char expected) {
  if (position >= text.size() || text[position] != expected) return false;
  ++position;
  return true;
}

std::optional<Time> compose(int year_number, unsigned month_number, unsigned day_number, int hour,
                            int minute, int second, milliseconds fraction) {
  const year_month_day date{year{year_number}, month{month_number}, day{day_number}};
  // A leap second (60) is counted as the second after it.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return {};
  return sys_days{date} + hours{hour} + minutes{minute} + seconds{second} + fraction;
}

// The first three digits behind a '.', the rest cut; any number of them.
std::optional<milliseconds> fraction_of_second(std::string_view text, std::size_t& position) {
  if (!skip(text, position, '.')) return milliseconds{0};
  int value = 0;
  int scale = 100;
  const std::size_t begin = position;
  for (; position < text.size() && text[position] >= '0' && text[position] <= '9'; ++position) {
    value += (text[position] - '0') * scale;
    scale /= 10;
  }
  if (position == begin) return {};
  return milliseconds{value};
}

std::optional<minutes> zone_offset(std::string_view text, std::size_t& position) {
  if (skip(text, position, 'Z') || skip(text, position, 'z')) return minutes{0};
  int sign = 1;
  if (skip(text, position, '-')) {
    sign = -1;
  } else if (!skip(text, position, '+')) {
    return {};
  }
  const auto offset_hours = digits(text, position, 2);
  if (!offset_hours || !skip(text, position, ':')) return {};
  const auto offset_minutes = digits(text, position, 2);
  if (!offset_minutes || *offset_hours > 23 || *offset_minutes > 59) return {};
  return sign * (hours{*offset_hours} + minutes{*offset_minutes});
}

constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string two_digits(std::int64_t value) {
  std::string text = std::to_string(value);
  return text.size() < 2 ? "0" + text : text;
}

}  // namespace

std::optional<Time> parse_rfc3339(std::string_view text) {
  std::size_t at = 0;
  const auto year_number = digits(text, at, 4);
  if (!year_number || !skip(text, at, '-')) return {};
  const auto month_number = digits(text, at, 2);
  if (!month_number || !skip(text, at, '-')) return {};
  const auto day_number = digits(text, at, 2);
  if (!day_number || !(skip(text, at, 'T') || skip(text, at, 't') || skip(text, at, ' '))) {
    return {};
  }
  const auto hour = digits(text, at, 2);
  if (!hour || !skip(text, at, ':')) return {};
  const auto minute = digits(text, at, 2);
  if (!minute || !skip(text, at, ':')) return {};
  const auto second = digits(text, at, 2);
  if (!second) return {};
  const auto fraction = fraction_of_second(text, at);
  if (!fraction) return {};
  const auto offset = zone_offset(text, at);
  if (!offset || at != text.size()) return {};
  const auto local =
      compose(*year_number, static_cast<unsigned>(*month_number),
              static_cast<unsigned>(*day_number), *hour, *minute, *second, *fraction);
  if (!local) return {};
  return *local - *offset;
}

std::string format_rfc3339(Time time) {
  const auto day_start = floor<days>(time);
  const year_month_day date{day_start};
  const hh_mm_ss clock{floor<seconds>(time - day_start)};
  std::string year_text = std::to_string(static_cast<int>(date.year()));
  while (year_text.size() < 4) year_text.insert(0, "0");
  return year_text + "-" + two_digits(static_cast<unsigned>(date.month())) + "-" +
         two_digits(static_cast<unsigned>(date.day())) + "T" + two_digits(clock.hours().count()) +
         ":" + two_digits(clock.minutes().count()) + ":" + two_digits(clock.seconds().count()) +
         "Z";
}

std::optional<Time> parse_http_date(std::string_view text) {
  const std::size_t comma = text.find(", ");
  if (comma == std::string_view::npos) return {};
  std::size_t at = comma + 2;
  const auto day_number = digits(text, at, 2);
  if (!day_number || !skip(text, at, ' ') || text.size() - at < 4) return {};
  const auto month_name = std::find(month_names.begin(), month_names.end(), text.substr(at, 3));
  if (month_name == month_names.end()) return {};
  at += 3;
  if (!skip(text, at, ' ')) return {};
  const auto year_number = digits(text, at, 4);
  if (!year_number || !skip(text, at, ' ')) return {};
  const auto hour = digits(text, at, 2);
  if (!hour || !skip(text, at, ':')) return {};
  const auto minute = digits(text, at, 2);
  if (!minute || !skip(text, at, ':')) return {};
  const auto second = digits(text, at, 2);
  if (!second || text.substr(at) != " GMT") return {};
  return compose(*year_number, static_cast<unsigned>(month_name - month_names.begin()) + 1,
                 static_cast<unsigned>(*day_number), *hour, *minute, *second, milliseconds{0});
}

std::optional<Time> parse_retry_after(std::string_view value, Time now) {
  constexpr Duration limit = days{30};
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  if (value.empty()) return {};
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t wait = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), wait);
    if (parsed.ec != std::errc{} || wait > duration_cast<seconds>(limit).count()) {
      return now + limit;
    }
    return now + seconds{wait};
  }
  const auto date = parse_http_date(value);
  if (!date) return {};
  return std::clamp(*date, now, now + limit);
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.size() < 2) return {};
  std::int64_t number = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, number);
  // 100,000 days is beyond any certificate and far below the range of Duration.
  if (parsed.ec != std::errc{} || parsed.ptr != end || number < 0) return {};
  Duration unit{};
  switch (*end) {
    case 's':
      unit = seconds{1};
      break;
    case 'm':
      unit = minutes{1};
      break;
    case 'h':
      unit = hours{1};
      break;
    case 'd':
      unit = days{1};
      break;
    default:
      return {};
  }
  if (number > days{100000} / unit) return {};
  return number * unit;
}

std::string format_duration(Duration duration) {
  if (duration < Duration{0}) return "-" + format_duration(-duration);
  if (duration < seconds{10}) {
    const auto tenths = duration.count() / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s";
  }
  const auto total = duration_cast<seconds>(duration).count();
  const auto pair = [](std::int64_t large, const char* large_unit, std::int64_t small,
                       const char* small_unit) {
    std::string text = std::to_string(large) + large_unit;
    if (small != 0) text += " " + std::to_string(small) + small_unit;
    return text;
  };
  if (total >= 86400) return pair(total / 86400, "d", total % 86400 / 3600, "h");
  if (total >= 3600) return pair(total / 3600, "h", total % 3600 / 60, "m");
  if (total >= 60) return pair(total / 60, "m", total % 60, "s");
  return std::to_string(total) + "s";
}

}  // namespace nolapse::acme
