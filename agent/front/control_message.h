// The lines that a command and the daemon which it joins exchange over the control socket, one JSON
// object each.
//
//   request
//   {"schema":1,"command":"renew"|"deploy"|"rollback"|"rehearse"|"status"|"check"|"silence"|
//    "channels_work"|"forget"|"revoke"|"account",
//    "names":[…],"json":bool,"verbosity":-1|0|1}
//             and for renew "force", "again", "deploy" (bool) and "ca" (string); for deploy
//             "target" (string, empty: all) and "generation" (number, left out: the newest); for
//             rollback "target"; for revoke "reason" (number) and "generation" (number, left out:
//             the one in use); for account "action", as on the command line, and "ca"; for check
//             "deep" and "nagios" (bool); for silence
//             "what", "until" (RFC 3339) and "why"; of channels_work the names are those of
//             alert channels that have just taken a test
//   answer    {"daemon":{"pid":N,"certificates":[…]}}   at once: a daemon that hangs sends nothing
//             {"event":{"certificate","severity","code","message"}}   while it works
//             {"exit":N,"stdout":"…","error":"…"|null}   at last; what the command has to print
//
// A request comes from anybody who may connect, and everything about it is checked: what is not
// exactly right is an error that names it. Answers are read as coming from a daemon that may be
// newer: unknown ones are skipped.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/core/account_outcome.h"
#include "agent/core/alert.h"
#include "agent/core/event_stream.h"

namespace nolapse {

struct ControlRequest {
  enum class Command {
    renew,
    deploy,
    rollback,
    rehearse,
    status,
    check,
    silence,
    channels_work,
    forget,
    revoke,
    account
  };
  Command command = Command::status;
  std::vector<std::string> names;  // empty: all
  bool json = false;
  int verbosity = 0;  // as in GlobalOptions
  bool force = false;
  bool again = false;
  bool deploy = true;
  std::string ca;      // for account too
  std::string target;  // as in RenewOptions
  int reason = 0;      // this and the rest as in RevocationRequest, AccountAction
  std::optional<unsigned> generation;
  AccountAction action = AccountAction::show;
  bool deep = false;  // this and the next as in CheckCommand
  bool nagios = false;
  Silence silence;

  bool about_one() const { return command == Command::forget || command == Command::revoke; }
};

struct ControlGreeting {
  int process = 0;
  std::vector<std::string> certificates;  // all that the daemon's configuration names
};

struct ControlEnd {
  int exit = 0;
  std::string output;
  std::string error;  // empty: none
};

using ControlAnswer = std::variant<ControlGreeting, Event, ControlEnd>;

std::string format_request(const ControlRequest& request);
// Error: input BAD_REQUEST.
Result<ControlRequest> parse_request(const std::string& line);

std::string format_answer(const ControlAnswer& answer);
// Nothing for a line that this version does not know.
std::optional<ControlAnswer> parse_answer(const std::string& line);

}  // namespace nolapse
