#include "agent/core/alert_queue.h"

#include <algorithm>

namespace nolapse {

using namespace std::chrono_literals;

namespace {

// Begins the refusal of what only some recipients have not got.
constexpr const char* left_mark = "not taken for all: ";

Duration delivery_pause(int failures) {
  return std::min<Duration>(1min * (1 << std::clamp(failures - 1, 0, 6)), 1h);
}

// A back-off that a wrong clock made holds up nothing.
bool waits(const std::optional<Time>& until, Time now) {
  return until && now < *until && *until - now <= 2h;
}

bool is_news(const AlertMessage& message) {
  return message.news == AlertNews::raised || message.news == AlertNews::repeated ||
         message.news == AlertNews::escalated;
}

// For the same channel, of the same alert or of one that went on as this one.
bool is_about_same(const AlertMessage& one, const AlertMessage& another) {
  if (one.channel != another.channel || (one.alert == 0) != (another.alert == 0)) return false;
  return (one.alert != 0 && one.alert == another.alert) || one.finding.same_as(another.finding);
}

Told as_told(const AlertMessage& message, Time at) {
  const Finding& finding = message.finding;
  return {at, finding.code, finding.subject, finding.severity, finding.level};
}

AlertMessage* find_message(AlertState& state, std::uint64_t id) {
  const auto found = std::find_if(state.queue.begin(), state.queue.end(),
                                  [&](const AlertMessage& each) { return each.id == id; });
  return found == state.queue.end() ? nullptr : &*found;
}

}  // namespace

bool is_for_few(const AlertMessage& message) {
  return message.refusals > 0 && message.refusal.starts_with(left_mark);
}

std::vector<std::string> left_to(const AlertMessage& message,
                                 const std::vector<std::string>& recipients) {
  std::vector<std::string> left;
  if (!is_for_few(message)) return left;
  for (const MailRefusal& each : refusals_in(message.refusal, recipients)) {
    left.push_back(each.recipient);
  }
  return left;
}

void queue_message(AlertState& state, AlertMessage message, AlertOverflow& overflow) {
  message.id = ++state.last_id;
  std::size_t waiting = 0;
  for (AlertMessage& each : state.queue) {
    if (each.channel != message.channel) continue;
    ++waiting;
    if (!is_about_same(each, message)) continue;
    if (!message.before) message.before = each.before;
    each = std::move(message);
    return;
  }
  if (waiting >= (is_news(message) ? longest_queue : most_messages)) {
    NoRoom& none = overflow[message.channel];
    ++(is_news(message) ? none.postponed : none.lost);
  } else {
    state.queue.push_back(std::move(message));
  }
}

AlertMessage* find_waiting(AlertState& state, const std::string& channel, std::uint64_t alert) {
  const auto found = std::find_if(
      state.queue.begin(), state.queue.end(),
      [&](const AlertMessage& each) { return each.alert == alert && each.channel == channel; });
  return found == state.queue.end() ? nullptr : &*found;
}

std::vector<AlertMessage> due_messages(const AlertState& state, const std::string& channel,
                                       Time now) {
  const auto record = state.channels.find(channel);
  if (record != state.channels.end() && waits(record->second.next_attempt, now)) return {};
  std::vector<AlertMessage> messages;
  for (const AlertMessage& message : state.queue) {
    if (message.channel == channel && !waits(message.next_attempt, now)) {
      messages.push_back(message);
    }
  }
  std::stable_sort(messages.begin(), messages.end(),
                   [](const AlertMessage& one, const AlertMessage& another) {
                     return one.refusals < another.refusals;
                   });
  return messages;
}

std::optional<Time> next_delivery(const AlertState& state, Time now) {
  std::optional<Time> next;
  for (const AlertMessage& message : state.queue) {
    Time at = now;
    const auto record = state.channels.find(message.channel);
    if (record != state.channels.end() && waits(record->second.next_attempt, now)) {
      at = *record->second.next_attempt;
    }
    if (waits(message.next_attempt, now)) at = std::max(at, *message.next_attempt);
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

void note_delivered(AlertState& state, const std::string& channel, const std::string& remark,
                    Time now) {
  state.channels[channel] = ChannelRecord{now, {}, {}, 0, {}, remark};
}

void note_taken(AlertState& state, const std::vector<AlertMessage>& messages,
                const std::string& remark, Time now, const std::vector<MailRefusal>& left) {
  for (const AlertMessage& taken : messages) {
    // What goes to a few says nothing of the others, neither of whom is refused nor when the next
    // is due.
    const bool few = is_for_few(taken);
    const std::string former = state.channels[taken.channel].remark;
    note_delivered(state, taken.channel, few && remark.empty() ? former : remark, now);
    if (left.empty()) {
      std::erase_if(state.queue, [&](const AlertMessage& each) { return each.id == taken.id; });
    } else {
      note_refused(state, taken, left_mark + in_words(left), now);
    }
    if (!is_news(taken) || few) continue;
    const Told told = as_told(taken, now);
    for (Alert& alert : state.open) {
      if (alert.id == taken.alert) alert.told[taken.channel] = told;
    }
    // What came while it was under way.
    for (AlertMessage& newer : state.queue) {
      if (newer.id != taken.id && is_about_same(newer, taken)) newer.before = told;
    }
  }
}

void end_pause(AlertState& state, const std::string& channel) {
  state.channels[channel].next_attempt.reset();
  for (AlertMessage& message : state.queue) {
    if (message.channel == channel) message.next_attempt.reset();
  }
}

void note_refused(AlertState& state, const AlertMessage& message, const std::string& why,
                  Time now) {
  AlertMessage* const waiting = find_message(state, message.id);
  if (waiting == nullptr) return;
  const bool stays_for_few = is_for_few(*waiting) && !why.starts_with(left_mark);
  ++waiting->refusals;
  if (!stays_for_few) waiting->refusal = why;
  waiting->next_attempt = now + delivery_pause(waiting->refusals);
}

void note_failure(AlertState& state, const std::string& channel, const std::string& why, bool pause,
                  const std::vector<AlertMessage>& broke_at, Time now) {
  ChannelRecord& record = state.channels[channel];
  ++record.failures;
  if (!record.failing_since) record.failing_since = now;
  if (pause) record.next_attempt = now + delivery_pause(record.failures);
  record.error = why;
  const auto is_of_it = [&](const AlertMessage& each) {
    return std::any_of(broke_at.begin(), broke_at.end(),
                       [&](const AlertMessage& other) { return other.id == each.id; });
  };
  std::stable_partition(state.queue.begin(), state.queue.end(),
                        [&](const AlertMessage& each) { return !is_of_it(each); });
}

}  // namespace nolapse
