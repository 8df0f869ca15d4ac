// What waits for each channel, and what an attempt to deliver it changes: pure functions.
#pragma once

#include "agent/core/alert.h"
#include "agent/world/mail_refusal.h"

namespace nolapse {

// News of what is open finds no room beyond that; it is made again when there is some.
inline constexpr std::size_t longest_queue = 1000;
// What cannot be made again (an end, a report) is dropped beyond that only.
inline constexpr std::size_t most_messages = 2 * longest_queue;

// What found no room in the queue of a channel, by its name.
struct NoRoom {
  std::size_t postponed = 0;  // made again
  std::size_t lost = 0;
};
using AlertOverflow = std::map<std::string, NoRoom>;

// Into the queue of its channel, with an id. What waits there of the same alert is out of date: the
// newer takes its place.
void queue_message(AlertState& state, AlertMessage message, AlertOverflow& overflow);

// What waits for the channel of this alert; nothing: nothing does.
AlertMessage* find_waiting(AlertState& state, const std::string& channel, std::uint64_t alert);

// The messages of one channel that are to be sent now, those that were refused before the last;
// empty: none, or not yet.
std::vector<AlertMessage> due_messages(const AlertState& state, const std::string& channel,
                                       Time now);
// When there is something to send next; nothing: never.
std::optional<Time> next_delivery(const AlertState& state, Time now);

// Was it taken by all recipients of mail but those that its `refusal` names, who get it later?
bool is_for_few(const AlertMessage& message);
// Who they are, of these; empty: it is for all.
std::vector<std::string> left_to(const AlertMessage& message,
                                 const std::vector<std::string>& recipients);

// The channel has taken these: they leave the queue, and their alerts are told. With `left`, whom
// the server refuses for now, they stay there for those alone.
void note_taken(AlertState& state, const std::vector<AlertMessage>& messages,
                const std::string& remark, Time now, const std::vector<MailRefusal>& left = {});
// The channel has taken something, be it a trial.
void note_delivered(AlertState& state, const std::string& channel, const std::string& remark,
                    Time now);
// Everything that waits for it is due now: somebody may have repaired it.
void end_pause(AlertState& state, const std::string& channel);
// It works, but not for this message, which is tried again later and holds up no other.
void note_refused(AlertState& state, const AlertMessage& message, const std::string& why, Time now);
// An attempt that delivered nothing. `pause`: nothing is sent before the next one, a minute
// doubling to an hour. What it broke at comes last then.
void note_failure(AlertState& state, const std::string& channel, const std::string& why, bool pause,
                  const std::vector<AlertMessage>& broke_at, Time now);

}  // namespace nolapse
