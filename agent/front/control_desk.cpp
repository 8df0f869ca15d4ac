#include "agent/front/control_desk.h"

#include <algorithm>
#include <sstream>

#include "agent/core/status_collection.h"
#include "agent/front/account_output.h"
#include "agent/front/check_output.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"
#include "agent/front/rehearsal_output.h"
#include "agent/front/renewal_output.h"
#include "agent/front/status_output.h"

namespace nolapse {
namespace {

// A status asks every endpoint. Peers that ask and leave could otherwise have the daemon knock on
// web servers without end.
constexpr std::size_t most_at_once = 16;

constexpr const char* of_the_daemon =
    ". That is the configuration which the daemon has in force; a changed one it takes up with "
    "`systemctl reload nolapse` (SIGHUP)";

}  // namespace

// Those about the agent as a whole are of interest to everybody: an account was made, a CA failed.
bool ControlDesk::Visitor::wants(const Event& event) const {
  if (request.command == ControlRequest::Command::account) return event.certificate.empty();
  if (request.command == ControlRequest::Command::status ||
      request.command == ControlRequest::Command::check ||
      request.command == ControlRequest::Command::silence ||
      request.command == ControlRequest::Command::channels_work ||
      request.command == ControlRequest::Command::forget) {
    return false;
  }
  const auto& names = request.names;
  return event.certificate.empty() || names.empty() ||
         std::find(names.begin(), names.end(), event.certificate) != names.end();
}

void ControlDesk::Visitor::send(const ControlAnswer& answer) const {
  connection->send_line(format_answer(answer));
}

ControlEnd ControlDesk::refusal(const Visitor& visitor, const Error& error) {
  if (visitor.request.nagios) {
    return {exit_status::undecided, nagios_refusal(error.message), error.message};
  }
  return {exit_status_of(error), visitor.request.json ? error_document(error) : std::string(),
          error.message};
}

void ControlDesk::Visitor::refuse(const Error& error) const {
  send(refusal(*this, error));
  connection->close_after_sending();
}

ControlDesk::ControlDesk(World world, const Config& config, EventStream& events, Daemon& daemon)
    : world_(world), config_(config), daemon_(daemon) {
  events.add_reader([visitors = visitors_](const Event& event) {
    for (const auto& visitor : *visitors) {
      if (visitor->wants(event)) visitor->send(event);
    }
  });
}

ControlDesk::~ControlDesk() {
  const Error stopped{ErrorKind::held,
                      "DAEMON_STOPPED",
                      "the daemon was stopped meanwhile; what was begun is gone on with by its "
                      "next start, or by another renew",
                      {},
                      {}};
  for (const auto& visitor : *visitors_) visitor->refuse(stopped);
  visitors_->clear();
}

void ControlDesk::take(const std::shared_ptr<ControlConnection>& connection,
                       const std::string& line) {
  auto visitor = std::make_shared<Visitor>();
  visitor->connection = connection;
  auto request = parse_request(line);
  if (!request) return visitor->refuse(request.error());
  visitor->request = std::move(*request);
  ControlGreeting greeting{this_process().process, {}};
  for (const CertificateSpec& spec : config_.certificates) {
    greeting.certificates.push_back(spec.name);
  }
  visitor->send(greeting);
  if (const auto error = objection(*visitor)) return visitor->refuse(*error);
  visitors_->push_back(visitor);
  switch (visitor->request.command) {
    case ControlRequest::Command::renew:
    case ControlRequest::Command::deploy:
    case ControlRequest::Command::rollback:
      return renew(visitor);
    case ControlRequest::Command::rehearse:
      return rehearse(visitor);
    case ControlRequest::Command::forget:
      return forget(visitor);
    case ControlRequest::Command::revoke:
      return revoke(visitor);
    case ControlRequest::Command::account:
      return work_on_accounts(visitor);
    case ControlRequest::Command::silence:
      return silence(visitor);
    case ControlRequest::Command::channels_work:
      return channels_work(visitor);
    case ControlRequest::Command::check:
      return check(visitor);
    case ControlRequest::Command::status:
      return collect(visitor);
  }
}

std::optional<Error> ControlDesk::objection(const Visitor& visitor) const {
  const ControlRequest& request = visitor.request;
  const ControlPeer& peer = visitor.connection->peer();
  const bool looks = request.command == ControlRequest::Command::status ||
                     (request.command == ControlRequest::Command::check && !request.deep);
  const bool renews = !looks;
  if (renews && peer.user != 0 && peer.user != this_process().user) {
    return Error{
        ErrorKind::local,
        "PERMISSION_DENIED",
        "you may ask this daemon for the status and for a check that is not deep, but for nothing "
        "else; run this as root or as the user that the daemon runs as",
        {},
        {}};
  }
  if (renews && renewals_refused_) {
    return Error{ErrorKind::held,
                 "DAEMON_STOPPING",
                 "the daemon is about to stop or to take up a new configuration; try again in a "
                 "moment",
                 {},
                 {}};
  }
  if (!renews && visitors_->size() >= most_at_once) {
    return Error{ErrorKind::held,
                 "DAEMON_BUSY",
                 "the daemon is answering " + std::to_string(most_at_once) +
                     " others; try again in a moment",
                 {},
                 {}};
  }
  // What is no longer configured can be forgotten and revoked. Channels are no certificates.
  if (request.about_one() || request.command == ControlRequest::Command::channels_work) return {};
  const bool for_own_only = request.command == ControlRequest::Command::renew ||
                            request.command == ControlRequest::Command::deploy ||
                            request.command == ControlRequest::Command::rollback ||
                            request.command == ControlRequest::Command::rehearse;
  auto error = for_own_only ? not_to_renew(request.names, config_)
               : request.command == ControlRequest::Command::status
                   ? unknown_to_status(request.names, config_, world_.files)
                   : unknown_name(request.names, config_);
  if (!error) error = unknown_ca(request.ca, config_);
  if (!error) error = unknown_target(request.target, request.names, config_);
  if (error) error->message += of_the_daemon;
  return error;
}

void ControlDesk::renew(const std::shared_ptr<const Visitor>& visitor) {
  RenewOptions options;
  const ControlRequest::Command command = visitor->request.command;
  if (command == ControlRequest::Command::deploy) options.work = RenewOptions::Work::deploy;
  if (command == ControlRequest::Command::rollback) options.work = RenewOptions::Work::roll_back;
  options.target = visitor->request.target;
  options.generation = visitor->request.generation;
  options.names = visitor->request.names;
  options.force = visitor->request.force;
  options.again = visitor->request.again;
  options.deploy = visitor->request.deploy;
  options.ca = visitor->request.ca;
  daemon_.renew(std::move(options),
                [visitors = visitors_, visitor](const std::vector<CertificateOutcome>& outcomes) {
                  std::ostringstream text;
                  const int status = write_renewal(text, visitor->request.json, outcomes);
                  end(*visitors, visitor, {status, text.str(), {}});
                });
}

void ControlDesk::rehearse(const std::shared_ptr<const Visitor>& visitor) {
  daemon_.rehearse(
      visitor->request.names,
      [visitors = visitors_, visitor](const std::vector<CertificateRehearsal>& rehearsals) {
        std::ostringstream text;
        const int status = write_rehearsals(text, visitor->request.json, rehearsals);
        end(*visitors, visitor, {status, text.str(), {}});
      });
}

void ControlDesk::forget(const std::shared_ptr<const Visitor>& visitor) {
  const std::string& name = visitor->request.names.front();
  daemon_.forget(name, [visitors = visitors_, visitor, name](const Result<void>& forgotten) {
    const bool json = visitor->request.json;
    if (forgotten) {
      return end(*visitors, visitor,
                 {exit_status::ok, json ? forgotten_document(name) : forgotten_line(name), {}});
    }
    end(*visitors, visitor, refusal(*visitor, forgotten.error()));
  });
}

void ControlDesk::revoke(const std::shared_ptr<const Visitor>& visitor) {
  const ControlRequest& request = visitor->request;
  daemon_.revoke({request.names.front(), request.generation, request.reason},
                 [visitors = visitors_, visitor](const Result<RevocationOutcome>& outcome) {
                   if (!outcome) return end(*visitors, visitor, refusal(*visitor, outcome.error()));
                   const std::string& name = visitor->request.names.front();
                   end(*visitors, visitor,
                       {exit_status::ok,
                        visitor->request.json ? revoked_document(name, *outcome)
                                              : revoked_text(name, *outcome, true),
                        {}});
                 });
}

void ControlDesk::work_on_accounts(const std::shared_ptr<const Visitor>& visitor) {
  const ControlRequest& request = visitor->request;
  daemon_.work_on_accounts(
      request.action, request.ca,
      [visitors = visitors_, visitor](const std::vector<AccountOutcome>& outcomes) {
        std::ostringstream text;
        const int status = write_accounts(text, visitor->request.json, outcomes);
        end(*visitors, visitor, {status, text.str(), {}});
      });
}

void ControlDesk::silence(const std::shared_ptr<const Visitor>& visitor) {
  const Time now = world_.clock.now();
  daemon_.silence(visitor->request.silence, [visitors = visitors_, visitor,
                                             now](Result<void> saved) {
    const ControlRequest& asked = visitor->request;
    if (!saved) return end(*visitors, visitor, refusal(*visitor, saved.error()));
    end(*visitors, visitor, {exit_status::ok, silenced_text(asked.silence, now, asked.json), {}});
  });
}

void ControlDesk::channels_work(const std::shared_ptr<const Visitor>& visitor) {
  daemon_.channels_work(visitor->request.names,
                        [visitors = visitors_, visitor](const Result<void>& saved) {
                          if (!saved)
                            return end(*visitors, visitor, refusal(*visitor, saved.error()));
                          end(*visitors, visitor, {exit_status::ok, {}, {}});
                        });
}

void ControlDesk::check(const std::shared_ptr<const Visitor>& visitor) {
  const ControlRequest& request = visitor->request;
  daemon_.check({request.names, request.deep},
                [this, visitors = visitors_, visitor](const Findings& findings) {
                  std::ostringstream text;
                  const ControlRequest& asked = visitor->request;
                  const CheckStyle style{asked.json, asked.nagios, asked.verbosity};
                  const int status = write_findings(
                      text, style, findings, config_.certificates.size() + config_.watches.size());
                  end(*visitors, visitor, {status, text.str(), {}});
                });
}

void ControlDesk::collect(const std::shared_ptr<const Visitor>& visitor) {
  const auto done = [this, visitors = visitors_, visitor](
                        const std::vector<CertificateStatus>& statuses,
                        const std::vector<WatchedCertificate>& watched) {
    std::ostringstream text;
    const StatusStyle style{visitor->request.json, visitor->request.verbosity};
    const int status = write_statuses(text, style, world_.clock.now(), statuses, watched);
    end(*visitors, visitor, {status, text.str(), {}});
  };
  collect_weighed_status(world_, config_, visitor->request.names,
                         [this, visitor, done](const std::vector<CertificateStatus>& statuses) {
                           collect_watched(
                               world_, config_, visitor->request.names,
                               [statuses, done](const std::vector<WatchedCertificate>& watched) {
                                 done(statuses, watched);
                               });
                         });
}

void ControlDesk::end(Visitors& visitors, const std::shared_ptr<const Visitor>& visitor,
                      const ControlEnd& answer) {
  const auto found = std::find(visitors.begin(), visitors.end(), visitor);
  if (found == visitors.end()) return;
  visitors.erase(found);
  visitor->send(answer);
  visitor->connection->close_after_sending();
}

}  // namespace nolapse
