// Instants and durations, and the two textual forms ACME uses for them: RFC 3339 in JSON and
// IMF-fixdate in HTTP headers. Nothing here asks what time it is; the caller always says.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace nolapse::acme {

using Duration = std::chrono::milliseconds;
// Wall-clock time, UTC.
using Time = std::chrono::sys_time<Duration>;

// "2026-11-23T09:00:00.304726266+01:00": any number of fraction digits, `Z` or an offset.
// Digits past the millisecond are cut. [RFC 3339 §5.6]
std::optional<Time> parse_rfc3339(std::string_view text);
// UTC with a precision of seconds: "2026-11-23T08:00:00Z".
std::string format_rfc3339(Time time);

// "Sun, 06 Nov 1994 08:49:37 GMT". [RFC 9110 §5.6.7]
std::optional<Time> parse_http_date(std::string_view text);

// A Retry-After value in either form, as an instant that is never before `now`. Garbage and
// negative numbers give nothing; a wait above 30 days is cut to 30 days. [RFC 9110 §10.2.3]
std::optional<Time> parse_retry_after(std::string_view value, Time now);

// "90s", "15m", "12h", "30d": one number and one unit, as the configuration writes it.
std::optional<Duration> parse_duration(std::string_view text);
// For people: the two largest units, "59d 3h", "4m 10s", "0.3s".
std::string format_duration(Duration duration);

}  // namespace nolapse::acme
