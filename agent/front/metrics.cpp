#include "agent/front/metrics.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace nolapse {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// One metric after the other, with all its lines together, as the format wants it.
class Page {
 public:
  void metric(std::string_view name, const char* help, const char* type = "gauge") {
    name_ = name;
    for (const auto& [word, text] : {std::pair("HELP", help), std::pair("TYPE", type)}) {
      text_ += "# ";
      text_ += word;
      text_ += ' ';
      text_ += name_;
      text_ += ' ';
      text_ += text;
      text_ += '\n';
    }
  }

  void value(Labels labels, std::int64_t number) {
    text_ += name_;
    char before = '{';
    for (const auto& [label, content] : labels) {
      text_ += std::exchange(before, ',');
      text_ += label;
      text_ += "=\"";
      escape(content);
      text_ += '"';
    }
    if (labels.size() > 0) text_ += '}';
    text_ += ' ';
    text_ += std::to_string(number);
    text_ += '\n';
  }
  void moment(Labels labels, const std::optional<Time>& time) {
    if (!time) return;
    value(labels, std::chrono::floor<std::chrono::seconds>(time->time_since_epoch()).count());
  }

  std::string take() { return std::move(text_); }

 private:
  void escape(std::string_view content) {
    for (const char c : content) {
      if (c == '\\' || c == '"') text_ += '\\';
      // Names have no control characters; an octet that is no text would spoil the whole page.
      text_ += c >= ' ' && c < 0x7f ? c : '?';
    }
  }

  std::string_view name_;
  std::string text_;
};

void write_process(Page& page, const MetricsInput& input) {
  page.metric("nolapse_build_info", "The version that runs.");
  page.value({{"version", input.version}}, 1);
  page.metric("process_start_time_seconds", "When the daemon's process began.");
  page.moment({}, input.process_started);
  page.metric("nolapse_heartbeat_timestamp_seconds",
              "When the daemon last wrote that it looks after everything.");
  page.moment({}, input.heartbeat_at);
  page.metric("nolapse_events_total", "Events under the configuration that is in force.",
              "counter");
  for (const auto& [name, severity] :
       {std::pair("info", Severity::info), std::pair("warning", Severity::warning),
        std::pair("error", Severity::error)}) {
    page.value({{"severity", name}},
               static_cast<std::int64_t>(input.events[static_cast<std::size_t>(severity)]));
  }
  page.metric("nolapse_self_test_interval_seconds", "How often a self-test is to be run.");
  for (const auto& [depth, interval] :
       {std::pair("cheap", input.check_interval), std::pair("deep", input.deep_check_interval)}) {
    page.value({{"depth", depth}}, std::chrono::ceil<std::chrono::seconds>(interval).count());
  }
  page.metric("nolapse_certificates", "Certificates in the configuration.");
  page.value({}, static_cast<std::int64_t>(input.certificates_configured));
  page.metric("nolapse_status_timestamp_seconds",
              "Nothing that is said of certificates and endpoints here is older.");
  page.moment({}, input.as_of);
}

// ---- certificates

const acme::Certificate* leaf_of(const CertificateStatus& status) {
  return status.generation ? &status.generation->leaf() : nullptr;
}

template <class Write>
void for_each(const MetricsInput& input, Write write) {
  for (const KnownStatusPointer& known : input.certificates) write(*known);
}

void write_certificates(Page& page, const MetricsInput& input) {
  page.metric("nolapse_certificate_not_after_timestamp_seconds",
              "When the newest certificate that is stored ends.");
  for_each(input, [&](const KnownStatus& known) {
    const CertificateStatus& status = known.status;
    if (const auto* leaf = leaf_of(status)) {
      page.moment({{"certificate", status.name}, {"series", "in_use"}}, leaf->not_after);
    }
    if (!status.standby) return;
    if (const auto* leaf = leaf_of(*status.standby)) {
      page.moment({{"certificate", status.name}, {"series", "standby"}}, leaf->not_after);
    }
  });
  page.metric("nolapse_certificate_not_before_timestamp_seconds",
              "When the newest certificate that is stored begins.");
  for_each(input, [&](const KnownStatus& known) {
    const auto* leaf = leaf_of(known.status);
    if (leaf == nullptr) return;
    page.moment({{"certificate", known.status.name}, {"series", "in_use"}}, leaf->not_before);
  });
  page.metric("nolapse_certificate_serving",
              "1 for what is served now: ok, wrong, expired, unreachable, unverified or unknown.");
  for_each(input, [&](const KnownStatus& known) {
    page.value({{"certificate", known.status.name}, {"state", name_of(known.status.serving)}}, 1);
  });
  page.metric("nolapse_certificate_renewal",
              "1 for whether it will be renewed: ok, due, overdue, failing, missing, orphan or "
              "unknown.");
  for_each(input, [&](const KnownStatus& known) {
    page.value({{"certificate", known.status.name}, {"state", name_of(known.status.renewal)}}, 1);
  });
  page.metric("nolapse_certificate_last_success_timestamp_seconds",
              "When a renewal last went well to its end.");
  for_each(input, [&](const KnownStatus& known) {
    page.moment({{"certificate", known.status.name}}, known.succeeded_at);
  });
  page.metric("nolapse_certificate_next_attempt_timestamp_seconds",
              "When the next renewal is planned.");
  for_each(input, [&](const KnownStatus& known) {
    page.moment({{"certificate", known.status.name}}, known.status.next_attempt);
  });
  page.metric("nolapse_certificate_failures", "Renewals in a row that failed.");
  for_each(input, [&](const KnownStatus& known) {
    page.value({{"certificate", known.status.name}}, known.status.failures);
  });
  page.metric("nolapse_rehearsal_timestamp_seconds", "When a renewal was last rehearsed at a CA.");
  for_each(input, [&](const KnownStatus& known) {
    for (const auto& [ca, record] : known.rehearsals) {
      page.moment(
          {{"certificate", known.status.name}, {"ca", ca}, {"result", name_of(record.result)}},
          record.at);
    }
  });
}

// Two lines of the same labels would spoil the whole page. Of endpoints that are named twice the
// worse counts.
struct Served {
  bool ok = true;
  std::optional<Time> not_after;
};
using ServedAt = std::map<std::pair<std::string_view, std::string_view>, Served>;

void note_served(ServedAt& places, std::string_view endpoint, std::string_view address, bool ok,
                 const std::optional<Time>& not_after) {
  Served& served = places[{endpoint, address}];
  served.ok = served.ok && ok;
  if (!served.not_after || (not_after && *not_after < *served.not_after)) {
    served.not_after = not_after;
  }
}

ServedAt served_at(const CertificateStatus& status) {
  ServedAt places;
  for (const EndpointState& state : status.endpoints) {
    note_served(places, state.endpoint, state.address, state.ok(), state.not_after);
  }
  return places;
}

std::optional<Time> end_of(const WatchedCertificate& watched) {
  return watched.leaf ? std::optional(watched.leaf->not_after) : std::nullopt;
}

// Of one [[watch]], the endpoints, or else the files.
ServedAt served_at(const std::vector<WatchedCertificate>& places, bool files) {
  ServedAt found;
  for (const WatchedCertificate& watched : places) {
    if (watched.endpoint.empty() != files) continue;
    note_served(found, files ? watched.file : watched.endpoint, watched.address,
                watched.is_of_use(), end_of(watched));
  }
  return found;
}

void write_endpoints(Page& page, const MetricsInput& input) {
  const auto each_place = [&](const auto& write) {
    const auto write_all = [&](const std::string& name, const ServedAt& places) {
      for (const auto& [place, served] : places) {
        write(Labels{{"certificate", name}, {"endpoint", place.first}, {"address", place.second}},
              served);
      }
    };
    for_each(input, [&](const KnownStatus& known) {
      write_all(known.status.name, served_at(known.status));
    });
    for (const KnownWatchPointer& places : input.watched) {
      if (!places->empty()) write_all(places->front().watch, served_at(*places, false));
    }
  };
  page.metric("nolapse_endpoint_not_after_timestamp_seconds",
              "When the certificate ends that an endpoint serves.");
  each_place([&](Labels labels, const Served& served) { page.moment(labels, served.not_after); });
  page.metric("nolapse_endpoint_ok", "Does an endpoint serve exactly what it should?");
  each_place([&](Labels labels, const Served& served) { page.value(labels, served.ok ? 1 : 0); });
}

void write_files(Page& page, const MetricsInput& input) {
  const auto each_file = [&](const auto& write) {
    for (const KnownWatchPointer& places : input.watched) {
      for (const auto& [place, seen] : served_at(*places, true)) {
        write(Labels{{"certificate", places->front().watch}, {"file", place.first}}, seen);
      }
    }
  };
  page.metric("nolapse_file_not_after_timestamp_seconds",
              "When the certificate ends that lies in a watched file.");
  each_file([&](Labels labels, const Served& seen) { page.moment(labels, seen.not_after); });
  page.metric("nolapse_file_ok", "Is the certificate in a watched file of use?");
  each_file([&](Labels labels, const Served& seen) { page.value(labels, seen.ok ? 1 : 0); });
}

// ---- findings and alerts

void write_findings(Page& page, const SavedFindings& saved) {
  page.metric("nolapse_self_test_timestamp_seconds", "When a self-test last ended.");
  page.moment({{"depth", "cheap"}}, saved.checked_at);
  page.moment({{"depth", "deep"}}, saved.deep_checked_at);
  std::map<std::tuple<std::string_view, std::string_view, FindingSeverity>, std::int64_t> counts;
  for (const Finding& finding : saved.findings) {
    ++counts[{finding.code, finding.certificate, finding.severity}];
  }
  page.metric("nolapse_findings", "What self-tests found and still find.");
  for (const auto& [what, count] : counts) {
    const auto& [code, certificate, severity] = what;
    page.value({{"code", code}, {"severity", name_of(severity)}, {"certificate", certificate}},
               count);
  }
}

void write_alerts(Page& page, const AlertFigures& alerts) {
  page.metric("nolapse_alerts_open", "Alerts that are open, silenced ones too.");
  for (const FindingSeverity severity :
       {FindingSeverity::error, FindingSeverity::warning, FindingSeverity::unknown}) {
    const auto count = alerts.open.find(severity);
    page.value({{"severity", name_of(severity)}},
               count == alerts.open.end() ? 0 : static_cast<std::int64_t>(count->second));
  }
  page.metric("nolapse_alert_silences", "Silences that are in force.");
  page.value({}, static_cast<std::int64_t>(alerts.silences));
  page.metric("nolapse_alert_queue_length", "Messages that a channel has still to take.");
  for (const auto& [name, length] : alerts.queues) {
    page.value({{"channel", name}}, static_cast<std::int64_t>(length));
  }
  page.metric("nolapse_alert_channel_failures", "Deliveries in a row that failed.");
  for (const auto& [name, length] : alerts.queues) {
    const auto record = alerts.channels.find(name);
    page.value({{"channel", name}}, record == alerts.channels.end() ? 0 : record->second.failures);
  }
  page.metric("nolapse_alert_channel_delivered_timestamp_seconds",
              "When a channel last took a message.");
  for (const auto& [name, record] : alerts.channels) {
    page.moment({{"channel", name}}, record.delivered_at);
  }
  page.metric("nolapse_alert_channel_failing_since_timestamp_seconds",
              "Since when a channel takes nothing; no line: it works.");
  for (const auto& [name, record] : alerts.channels) {
    page.moment({{"channel", name}}, record.failing_since);
  }
}

}  // namespace

AlertFigures figures_of(const AlertState& state, const AlertsConfig& config, Time now) {
  AlertFigures figures;
  for (const AlertChannel& channel : config.channels) figures.queues[channel.name] = 0;
  for (const AlertMessage& message : state.queue) {
    const auto queue = figures.queues.find(message.channel);
    if (queue != figures.queues.end()) ++queue->second;
  }
  for (const auto& [name, record] : state.channels) {
    if (figures.queues.contains(name)) figures.channels[name] = record;
  }
  for (const Alert& alert : state.open) ++figures.open[alert.finding.severity];
  figures.silences = static_cast<std::size_t>(
      std::count_if(state.silences.begin(), state.silences.end(),
                    [&](const Silence& silence) { return silence.until > now; }));
  return figures;
}

std::string render_metrics(const MetricsInput& input) {
  Page page;
  write_process(page, input);
  write_certificates(page, input);
  write_endpoints(page, input);
  write_files(page, input);
  if (input.findings) write_findings(page, *input.findings);
  write_alerts(page, input.alerts);
  return page.take();
}

}  // namespace nolapse
