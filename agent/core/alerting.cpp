#include "agent/core/alerting.h"

#include <algorithm>

#include "agent/core/finding_fate.h"

namespace nolapse {
namespace {

bool has_same(const std::vector<Finding>& findings, const Finding& wanted) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& each) { return each.same_as(wanted); });
}

// Alertmanager is told again every few minutes: no news for anybody's log.
bool is_routine(const AlertChannel& channel, const std::vector<AlertMessage>& messages) {
  return channel.type == "alertmanager" &&
         std::all_of(messages.begin(), messages.end(), [](const AlertMessage& message) {
           return message.news == AlertNews::repeated;
         });
}

}  // namespace

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
  // What was wrong with a channel may be what was changed before this start.
  for (const AlertChannel& channel : config_.alerts.channels) end_pause(state_, channel.name);
  wake();
}

void Alerting::follow(const std::vector<Finding>& findings) {
  if (stopped_) return;
  const Time now = world_.clock.now();
  std::vector<Finding> all = findings;
  for (Finding& finding : channel_findings(state_)) {
    if (!has_same(findings, finding)) all.push_back(std::move(finding));
  }
  std::vector<std::string> left;
  for (const Alert& alert : state_.open) {
    if (has_left(alert.finding, config_)) left.push_back(alert.finding.certificate);
  }
  const AlertOverflow overflow = update_alerts(state_, all, config_.alerts, now, left);
  report_overflow(overflow);
  std::erase_if(full_, [&](const std::string& channel) { return !overflow.contains(channel); });
  try_channels(state_, config_.alerts, now);
  // Somebody else alarms when this stays away: when nobody looks, or nobody can be told.
  ping_is_due_ = std::none_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return finding.code == "CERTIFICATE_NOT_CONSIDERED" ||
           is_unknown_and_untold(state_, finding, now);
  });
  save_then([this](const Result<void>&) { deliver_due(); });
}

// Once when it begins, and each time that something is lost.
void Alerting::report_overflow(const AlertOverflow& overflow) {
  for (const auto& [channel, none] : overflow) {
    if (none.lost == 0 && full_.contains(channel)) continue;
    events_.emit(Severity::error, {}, "ALERT_QUEUE_FULL",
                 "channel " + channel + ": too many messages wait for it; " +
                     std::to_string(none.postponed) + " wait for room in the queue, and " +
                     std::to_string(none.lost) + " that tell of an end, or reports, are lost");
  }
  for (const auto& [channel, none] : overflow) full_.insert(channel);
}

void Alerting::silence(Silence silence, Completion<void> done) {
  set_silence(state_, silence, world_.clock.now());
  save_then(std::move(done));
}

void Alerting::channels_work(const std::vector<std::string>& channels, Completion<void> done) {
  for (const AlertChannel& channel : config_.alerts.channels) {
    if (std::find(channels.begin(), channels.end(), channel.name) == channels.end()) continue;
    note_delivered(state_, channel.name, {}, world_.clock.now());
    end_pause(state_, channel.name);
  }
  save_then([this, done = std::move(done)](const Result<void>& saved) {
    done(saved);
    deliver_due();
  });
}

void Alerting::send_report(const ReportNotice& notice) {
  report_overflow(tell_report(state_, notice, config_.alerts, world_.clock.now()));
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

void Alerting::wake() {
  if (stopped_) return;
  const std::uint64_t last = state_.last_id;
  report_overflow(remind(state_, config_.alerts, world_.clock.now()));
  if (state_.last_id == last) return deliver_due();
  save_then([this](const Result<void>&) { deliver_due(); });
}

void Alerting::deliver_due() {
  if (stopped_) return;
  const Time now = world_.clock.now();
  for (const AlertChannel& channel : config_.alerts.channels) {
    if (under_way_[channel.name]) continue;
    const auto messages = due_messages(state_, channel.name, now);
    if (messages.empty()) continue;
    under_way_[channel.name] = true;
    deliver_alerts(
        world_, channel, messages, config_.alerts.repeat, store_.reports_path(),
        [this](const AlertReceipt& receipt) { received(receipt); },
        [this, channel, is_news = !is_routine(channel, messages)](const DeliveryEnd& end) {
          ended(channel, end, is_news);
        });
  }
  if (ping_is_due_ && everybody_is_told(state_, now)) {
    ping_is_due_ = false;
    ping_heartbeat();
  }
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

// At once, so that a restart does not repeat what was taken before it.
void Alerting::received(const AlertReceipt& receipt) {
  if (stopped_ || receipt.messages.empty()) return;
  const Time now = world_.clock.now();
  const std::string& name = receipt.messages.front().channel;
  if (receipt.refused) {
    for (const AlertMessage& message : receipt.messages) {
      note_refused(state_, message, *receipt.refused, now);
      if (message.refusals > 0) continue;
      events_.emit(Severity::error, message.finding.certificate, "ALERT_REFUSED",
                   "channel " + name + " does not take " + message.finding.code + ": " +
                       *receipt.refused + "; the others are sent, and this one again later");
    }
  } else {
    const std::string before = state_.channels[name].remark;
    note_taken(state_, receipt.messages, receipt.remark, now, receipt.left);
    if (!receipt.remark.empty() && receipt.remark != before) {
      events_.emit(Severity::error, {}, "ALERT_NOT_TO_ALL",
                   "channel " + name + ": " + receipt.remark);
    }
    if (!receipt.left.empty() && !is_for_few(receipt.messages.front())) {
      events_.emit(
          Severity::warning, {}, "ALERT_NOT_TO_ALL",
          "channel " + name + ": " + in_words(receipt.left) + "; it is sent there again later");
    }
  }
  save_then([](const Result<void>&) {});
}

void Alerting::ended(const AlertChannel& channel, const DeliveryEnd& end, bool is_news) {
  under_way_[channel.name] = false;
  if (stopped_) return;
  const bool was_failing = state_.channels[channel.name].failures > 0;
  const bool failed = end.broken || (end.failure && end.taken == 0);
  if (failed) {
    note_failure(state_, channel.name, *end.failure, end.broken, end.broke_at, world_.clock.now());
  }
  if (failed && !was_failing) {
    const auto waiting =
        std::count_if(state_.queue.begin(), state_.queue.end(),
                      [&](const AlertMessage& message) { return message.channel == channel.name; });
    events_.emit(Severity::error, {}, "ALERT_NOT_DELIVERED",
                 *end.failure + "; " + std::to_string(waiting) +
                     " message(s) wait, and are sent when it works");
  }
  if (end.taken > 0 && is_news) {
    events_.emit(
        Severity::info, {}, "ALERT_DELIVERED",
        "channel " + channel.name + " has taken " + std::to_string(end.taken) + " message(s)");
  }
  save_then([this](const Result<void>&) { deliver_due(); });
}

void Alerting::sleep() {
  if (alarm_) world_.clock.cancel_timer(*alarm_);
  alarm_.reset();
  const Time now = world_.clock.now();
  auto next = next_delivery(state_, now);
  const auto reminder = next_reminder(state_, config_.alerts, now);
  if (reminder && (!next || *reminder < *next)) next = reminder;
  // What is under way ends with a look of its own.
  if (!next || *next <= now) return;
  alarm_ = world_.clock.start_timer(*next - now, [this] { wake(); });
}

}  // namespace nolapse
