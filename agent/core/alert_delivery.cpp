#include "agent/core/alert_delivery.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>

#include "acme/json_read.h"
#include "agent/core/alert_queue.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

// Of Mail: the server took it, but not for all recipients; it does not take this one for anybody.
constexpr const char* mail_in_part = "MAIL_PART_REFUSED";
constexpr const char* mail_refused = "MAIL_REFUSED";

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

// What a channel answers that does not want this message, whatever the hour. [RFC 9110 §15.5]
bool is_refusal(int status) {
  return status / 100 == 4 && status != 408 && status != 429;
}

struct Sending {
  World world;
  AlertChannel channel;
  AlertSender sender;
  std::deque<AlertParcel> parcels;
  std::size_t step = 0;      // of the first parcel
  std::size_t refusals = 0;  // of messages that were not refused before
  DeliveryEnd end = {};
  std::function<void(const AlertReceipt&)> each;
  std::function<void(const DeliveryEnd&)> done;

  std::string in_words(const std::string& why) const {
    return "channel " + channel.name + ": " + why;
  }
};
using SendingPointer = std::shared_ptr<Sending>;

void send_next(const SendingPointer& sending);

void taken(const SendingPointer& sending, const std::string& remark,
           std::vector<MailRefusal> left = {}) {
  AlertParcel& parcel = sending->parcels.front();
  if (++sending->step < parcel.deliveries.size()) return send_next(sending);
  const AlertReceipt receipt{std::move(parcel.messages), {}, remark, std::move(left)};
  sending->parcels.pop_front();
  sending->step = 0;
  sending->end.taken += receipt.messages.size();
  sending->each(receipt);
  send_next(sending);
}

// Of several together nobody knows which: then each for itself.
void refused(const SendingPointer& sending, const std::string& why) {
  AlertParcel parcel = std::move(sending->parcels.front());
  sending->parcels.pop_front();
  sending->step = 0;
  if (parcel.messages.size() > 1) {
    for (auto message = parcel.messages.rbegin(); message != parcel.messages.rend(); ++message) {
      for (AlertParcel& single : parcels_of(sending->channel, {*message}, sending->sender)) {
        sending->parcels.push_front(std::move(single));
      }
    }
    return send_next(sending);
  }
  if (!sending->end.failure) sending->end.failure = sending->in_words(why);
  if (parcel.messages.front().refusals == 0) ++sending->refusals;
  sending->each({std::move(parcel.messages), why});
  sending->end.broken = sending->end.taken == 0 && sending->refusals >= most_refusals;
  send_next(sending);
}

// Of the few that did not get it at first none does now either: the channel works, and the others
// have it.
void still_left(const SendingPointer& sending, const std::string& why) {
  const AlertReceipt receipt{std::move(sending->parcels.front().messages), why};
  sending->parcels.pop_front();
  sending->each(receipt);
  send_next(sending);
}

void failed(const SendingPointer& sending, const std::string& why) {
  sending->end.failure = sending->in_words(why);
  sending->end.broken = true;
  sending->end.broke_at = sending->parcels.front().messages;
  sending->done(sending->end);
}

void send(const SendingPointer& sending, acme::HttpRequest request) {
  HttpOptions options;
  options.plain_http = true;  // the configuration admits it for this host only
  options.timeout = sending->channel.timeout;
  options.roots_file = setting_of(sending->channel, "roots");
  sending->world.http.send(std::move(request), std::move(options),
                           [sending](const Result<acme::HttpResponse>& reply) {
                             if (!reply) return failed(sending, reply.error().message);
                             if (reply->status / 100 == 2) return taken(sending, {});
                             const std::string why = "it answers " + std::to_string(reply->status) +
                                                     ": " + acme::printable(reply->body, 200);
                             if (is_refusal(reply->status)) return refused(sending, why);
                             failed(sending, why);
                           });
}

// Whoever is refused for now gets it later, and nobody else twice.
void not_for_all(const SendingPointer& sending, const std::vector<MailRefusal>& refusals) {
  std::vector<MailRefusal> for_good;
  std::vector<MailRefusal> for_now;
  for (const MailRefusal& each : refusals) {
    (each.for_now() ? for_now : for_good).push_back(each);
  }
  taken(sending, in_words(for_good), std::move(for_now));
}

void send(const SendingPointer& sending, MailMessage mail) {
  const std::vector<std::string> to = mail.to;
  sending->world.mail.send(std::move(mail), [sending, to](const Result<void>& outcome) {
    if (outcome) return taken(sending, {});
    const Error& error = outcome.error();
    const auto refusals = refusals_in(error.message, to);
    if (error.code == mail_refused) return refused(sending, error.message);
    if (error.code == mail_in_part) return not_for_all(sending, refusals);
    const bool few = is_for_few(sending->parcels.front().messages.front());
    if (!few || refusals.size() < to.size()) return failed(sending, error.message);
    const bool for_good = std::none_of(refusals.begin(), refusals.end(),
                                       [](const MailRefusal& each) { return each.for_now(); });
    if (for_good) return not_for_all(sending, refusals);
    still_left(sending, error.message);
  });
}

// A program that ends by itself with an error has something against the message, or cannot do its
// work: several such ends in a row tell which.
void send(const SendingPointer& sending, ProcessSpec process) {
  const std::string program = process.argv.front();
  const Duration deadline = process.deadline;
  sending->world.processes.run(std::move(process),
                               [sending, program, deadline](const Result<ProcessResult>& result) {
                                 if (!result) return failed(sending, result.error().message);
                                 const auto failure = failure_of(*result, deadline);
                                 if (!failure) return taken(sending, {});
                                 const std::string why = program + *failure;
                                 if (result->ending == ProcessResult::Ending::exited)
                                   return refused(sending, why);
                                 failed(sending, why);
                               });
}

void send_next(const SendingPointer& sending) {
  if (sending->parcels.empty() || sending->end.broken) return sending->done(sending->end);
  std::visit([&](const auto& delivery) { send(sending, delivery); },
             sending->parcels.front().deliveries[sending->step]);
}

Result<std::map<std::string, std::string>> read_secrets(const Files& files,
                                                        const AlertChannel& channel) {
  std::map<std::string, std::string> secrets;
  for (const auto& [key, value] : channel.settings) {
    if (!key.ends_with("_file")) continue;
    const auto content = files.read(value);
    if (!content) return fail(content.error());
    secrets[key] = first_line(*content);
  }
  return secrets;
}

// What mail brings of a report besides its summary. One that is too large for it, or gone, is told
// of instead.
ReportAttachment read_report(const Files& files, const std::string& folder, const std::string& id) {
  const std::string path = folder + "/" + id;
  ReportAttachment attachment;
  const auto text = files.read(path + ".txt");
  if (text) attachment.text = *text;
  auto page = files.read(path + ".html");
  if (page) {
    attachment.page = std::move(*page);
  } else {
    attachment.note = "The page is not attached: " + page.error().message +
                      ". `nolapse report --html FILE` makes one.";
  }
  return attachment;
}

}  // namespace

void deliver_alerts(const World& world, const AlertChannel& channel,
                    const std::vector<AlertMessage>& messages, Duration repeat,
                    const std::string& reports_folder,
                    std::function<void(const AlertReceipt&)> each,
                    std::function<void(const DeliveryEnd&)> done) {
  auto secrets = read_secrets(world.files, channel);
  if (!secrets) {
    const DeliveryEnd end{0, "channel " + channel.name + ": " + secrets.error().message, true};
    world.clock.start_timer(Duration{0}, [done = std::move(done), end] { done(end); });
    return;
  }
  const std::string host = first_line(world.files.read("/etc/hostname").value_or(""));
  AlertSender sender{host.empty() ? "localhost" : host, std::move(*secrets), repeat,
                     world.clock.now(), world.random.next()};
  for (const AlertMessage& message : messages) {
    if (message.news != AlertNews::report || channel.type != "email") continue;
    const std::string& id = message.finding.subject;
    sender.reports[id] = read_report(world.files, reports_folder, id);
  }
  auto parcels = parcels_of(channel, messages, sender);
  auto sending = std::make_shared<Sending>(
      Sending{world,
              channel,
              std::move(sender),
              {std::make_move_iterator(parcels.begin()), std::make_move_iterator(parcels.end())},
              0,
              0,
              {},
              std::move(each),
              std::move(done)});
  world.clock.start_timer(Duration{0}, [sending] { send_next(sending); });
}

}  // namespace nolapse
