#include "agent/core/alert_delivery.h"

#include <memory>

#include "acme/json_read.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

struct Sending {
  World world;
  AlertChannel channel;
  std::vector<AlertDelivery> deliveries;
  std::size_t next = 0;
  Completion<void> done;
};
using SendingPointer = std::shared_ptr<Sending>;

void send_next(const SendingPointer& sending);

void sent(const SendingPointer& sending, const Result<void>& outcome) {
  if (outcome) return send_next(sending);
  sending->done(fail(outcome.error().kind, outcome.error().code,
                     "channel " + sending->channel.name + ": " + outcome.error().message));
}

void send(const SendingPointer& sending, acme::HttpRequest request) {
  HttpOptions options;
  options.plain_http = true;  // the configuration admits it for this host only
  options.timeout = sending->channel.timeout;
  const auto roots = sending->channel.settings.find("roots");
  if (roots != sending->channel.settings.end()) options.roots_file = roots->second;
  sending->world.http.send(
      std::move(request), std::move(options), [sending](const Result<acme::HttpResponse>& reply) {
        if (!reply) {
          return sent(sending, fail(ErrorKind::transient, "ALERT_FAILED", reply.error().message));
        }
        if (reply->status / 100 == 2) return sent(sending, {});
        sent(sending, fail(ErrorKind::transient, "ALERT_REFUSED",
                           "it answers " + std::to_string(reply->status) + ": " +
                               acme::printable(reply->body, 200)));
      });
}

void send(const SendingPointer& sending, MailMessage mail) {
  sending->world.mail.send(std::move(mail),
                           [sending](const Result<void>& outcome) { sent(sending, outcome); });
}

void send(const SendingPointer& sending, ProcessSpec process) {
  const std::string program = process.argv.front();
  const Duration deadline = process.deadline;
  sending->world.processes.run(
      std::move(process), [sending, program, deadline](const Result<ProcessResult>& result) {
        if (!result) return sent(sending, fail(result.error()));
        const auto failure = failure_of(*result, deadline);
        if (!failure) return sent(sending, {});
        sent(sending, fail(ErrorKind::local, "ALERT_FAILED", program + *failure));
      });
}

void send_next(const SendingPointer& sending) {
  if (sending->next == sending->deliveries.size()) return sending->done({});
  std::visit([&](const auto& delivery) { send(sending, delivery); },
             sending->deliveries[sending->next++]);
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
                    const std::string& reports_folder, Completion<void> done) {
  auto secrets = read_secrets(world.files, channel);
  if (!secrets) {
    world.clock.start_timer(
        Duration{0}, [done = std::move(done), error = secrets.error(), name = channel.name] {
          done(fail(error.kind, error.code, "channel " + name + ": " + error.message));
        });
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
  auto sending = std::make_shared<Sending>(
      Sending{world, channel, deliveries_of(channel, messages, sender), 0, std::move(done)});
  world.clock.start_timer(Duration{0}, [sending] { send_next(sending); });
}

}  // namespace nolapse
