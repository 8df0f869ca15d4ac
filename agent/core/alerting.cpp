#include "agent/core/alerting.h"

#include <algorithm>

#include "agent/core/alert_delivery.h"

namespace nolapse {

Alerting::Alerting(World world, const Config& config, const Store& store, EventStream& events)
    : world_(world), config_(config), store_(store), events_(events) {}

void Alerting::start() {
  auto state = store_.load_alerts();
  if (state) {
    state_ = std::move(*state);
  } else {
    events_.emit(Severity::warning, {}, "STATE_UNREADABLE",
                 state.error().message + "; what is open is told anew");
  }
  deliver_due();
}

void Alerting::follow(const std::vector<Finding>& findings) {
  if (stopped_) return;
  const Time now = world_.clock.now();
  update_alerts(state_, findings, config_.alerts, now);
  try_channels(state_, config_.alerts, now);
  // Somebody else alarms when this stays away: when nobody looks, or nobody can be told.
  ping_is_due_ = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.code == "CERTIFICATE_NOT_CONSIDERED";
  });
  save_then([this](const Result<void>&) { deliver_due(); });
}

void Alerting::silence(Silence silence, Completion<void> done) {
  std::erase_if(state_.silences, [&](const Silence& each) { return each.what == silence.what; });
  if (silence.until > world_.clock.now()) state_.silences.push_back(std::move(silence));
  save_then(std::move(done));
}

void Alerting::send_report(const ReportNotice& notice) {
  tell_report(state_, notice, config_.alerts, world_.clock.now());
  save_then([this](const Result<void>&) { deliver_due(); });
}

void Alerting::save_then(Completion<void> done) {
  unsaved_.push_back(std::move(done));
  if (!saving_) save();
}

// One at a time: two would write the same file. A message that the disk did not take is sent all
// the same, and perhaps again after a restart.
void Alerting::save() {
  saving_ = true;
  world_.files.run(store_.save_alerts(state_),
                   [this, waiting = std::exchange(unsaved_, {})](const Result<void>& saved) {
                     saving_ = false;
                     if (!saved)
                       events_.emit(Severity::error, {}, saved.error().code, saved.error().message);
                     if (!unsaved_.empty()) save();
                     for (const Completion<void>& done : waiting) done(saved);
                   });
}

void Alerting::deliver_due() {
  if (stopped_) return;
  for (const AlertChannel& channel : config_.alerts.channels) {
    if (under_way_[channel.name]) continue;
    const auto messages = due_messages(state_, channel.name, world_.clock.now());
    if (messages.empty()) continue;
    under_way_[channel.name] = true;
    deliver_alerts(world_, channel, messages, config_.alerts.repeat, store_.reports_path(),
                   [this, name = channel.name, count = messages.size()](const Result<void>& done) {
                     delivered(name, count, done);
                   });
  }
  if (state_.queue.empty() && std::exchange(ping_is_due_, false)) ping_heartbeat();
  sleep();
}

void Alerting::ping_heartbeat() {
  if (config_.alerts.heartbeat_url.empty()) return;
  HttpOptions options;
  options.plain_http = true;  // the configuration admits it for this host only
  world_.http.send({"GET", config_.alerts.heartbeat_url, {}, {}}, std::move(options),
                   [this](const Result<acme::HttpResponse>& reply) {
                     const bool heard = reply && reply->status / 100 == 2;
                     const bool news = heard == heartbeat_failed_;
                     heartbeat_failed_ = !heard;
                     if (!news) return;
                     events_.emit(
                         heard ? Severity::info : Severity::warning, {},
                         heard ? "HEARTBEAT_HEARD" : "HEARTBEAT_NOT_HEARD",
                         "heartbeat_url: " + (reply ? "it answers " + std::to_string(reply->status)
                                                    : reply.error().message));
                   });
}

void Alerting::delivered(const std::string& channel, std::size_t messages,
                         const Result<void>& outcome) {
  under_way_[channel] = false;
  if (stopped_) return;
  const bool was_failing = state_.channels[channel].failures > 0;
  const auto error =
      outcome ? std::optional<std::string>() : std::optional(outcome.error().message);
  note_delivery(state_, channel, messages, error, world_.clock.now());
  if (error && !was_failing) {
    events_.emit(
        Severity::error, {}, "ALERT_NOT_DELIVERED",
        *error + "; " + std::to_string(messages) + " message(s) wait, and are sent when it works");
  } else if (!error) {
    events_.emit(Severity::info, {}, "ALERT_DELIVERED",
                 "channel " + channel + " has taken " + std::to_string(messages) + " message(s)");
  }
  save_then([this](const Result<void>&) { deliver_due(); });
}

void Alerting::sleep() {
  if (alarm_) world_.clock.cancel_timer(*alarm_);
  alarm_.reset();
  const Time now = world_.clock.now();
  const auto next = next_delivery(state_, now);
  // What is under way ends with a look of its own.
  if (!next || *next <= now) return;
  alarm_ = world_.clock.start_timer(*next - now, [this] { deliver_due(); });
}

}  // namespace nolapse
