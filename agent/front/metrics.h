// What the daemon knows, for Prometheus: a pure function into its text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Moments are seconds since 1970,
// and what is not known has no line: nothing is ever shown as zero that nobody has looked at.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/alert.h"
#include "agent/core/finding_document.h"
#include "agent/core/status_watch.h"

namespace nolapse {

inline constexpr const char* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

// How alerts and channels fare, without their texts.
struct AlertFigures {
  std::map<FindingSeverity, std::size_t> open;
  std::size_t silences = 0;
  std::map<std::string, std::size_t> queues;  // by channel; every configured one
  std::map<std::string, ChannelRecord> channels;
};
AlertFigures figures_of(const AlertState& state, const AlertsConfig& config, Time now);

struct MetricsInput {
  std::string version;
  Time process_started{};
  std::optional<Time> heartbeat_at;
  Duration check_interval{};  // as configured
  Duration deep_check_interval{};
  std::size_t certificates_configured = 0;
  std::array<std::uint64_t, 3> events{};  // under this configuration, by Severity
  std::shared_ptr<const SavedFindings> findings;
  AlertFigures alerts;
  std::optional<Time> as_of;  // of the certificates
  std::vector<KnownStatusPointer> certificates;
  std::vector<KnownWatchPointer> watched;  // like certificates, under their [[watch]]'s name
};

std::string render_metrics(const MetricsInput& input);

}  // namespace nolapse
