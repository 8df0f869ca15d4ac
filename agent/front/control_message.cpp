#include "agent/front/control_message.h"

#include <algorithm>
#include <limits>

#include "acme/json_read.h"

namespace nolapse {
namespace {

using nlohmann::json;

tl::unexpected<Error> bad_request(const std::string& why) {
  return fail(ErrorKind::input, "BAD_REQUEST",
              "the daemon does not understand the request: " + acme::printable(why, 200) +
                  "; are command and daemon of the same version? Restart the daemon after an "
                  "upgrade");
}

// Collects the first thing that is wrong, so that the fields can be read one after the other.
class RequestReader {
 public:
  explicit RequestReader(const json& object) : object_(object) {}

  void read(const char* key, bool& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return complain(key, "true or false");
    into = value->get<bool>();
  }
  void read(const char* key, std::string& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return complain(key, "a string");
    into = value->get<std::string>();
  }
  void read(const char* key, std::vector<std::string>& into) {
    const json* value = find(key);
    if (value == nullptr) return;
    const bool texts =
        value->is_array() && std::all_of(value->begin(), value->end(),
                                         [](const json& item) { return item.is_string(); });
    if (!texts) return complain(key, "a list of strings");
    into = value->get<std::vector<std::string>>();
  }
  // Nothing where it is absent or no number from `least` to `most`.
  std::optional<int> number(const char* key, int least, int most) {
    const json* value = find(key);
    if (value == nullptr) return {};
    const auto number = value->is_number_integer() ? value->get<std::int64_t>()
                                                   : std::numeric_limits<std::int64_t>::min();
    if (number >= least && number <= most) return static_cast<int>(number);
    complain(key, least == most
                      ? std::to_string(least)
                      : "a number from " + std::to_string(least) + " to " + std::to_string(most));
    return {};
  }
  void complain(const std::string& key, const std::string& wanted) {
    if (problem_.empty()) problem_ = "\"" + key + "\" must be " + wanted;
  }
  // What is wrong; empty: nothing.
  std::string problem() {
    for (const auto& [key, value] : object_.items()) {
      if (!problem_.empty()) break;
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      problem_ = "\"" + key + "\" is unknown";
    }
    return problem_;
  }

 private:
  const json* find(const char* key) {
    known_.emplace_back(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const json& object_;
  std::vector<std::string> known_;
  std::string problem_;
};

const char* name_of(ControlRequest::Command command) {
  switch (command) {
    case ControlRequest::Command::renew:
      return "renew";
    case ControlRequest::Command::deploy:
      return "deploy";
    case ControlRequest::Command::rollback:
      return "rollback";
    case ControlRequest::Command::rehearse:
      return "rehearse";
    case ControlRequest::Command::check:
      return "check";
    case ControlRequest::Command::silence:
      return "silence";
    case ControlRequest::Command::channels_work:
      return "channels_work";
    case ControlRequest::Command::forget:
      return "forget";
    case ControlRequest::Command::revoke:
      return "revoke";
    case ControlRequest::Command::account:
      return "account";
    case ControlRequest::Command::status:
      break;
  }
  return "status";
}

const char* name_of(Severity severity) {
  if (severity == Severity::info) return "info";
  return severity == Severity::warning ? "warning" : "error";
}

Severity severity_of(const std::string& name) {
  if (name == "warning") return Severity::warning;
  return name == "error" ? Severity::error : Severity::info;
}

json object_of(const ControlGreeting& greeting) {
  return {{"daemon", {{"pid", greeting.process}, {"certificates", greeting.certificates}}}};
}

json object_of(const Event& event) {
  return {{"event",
           {{"certificate", event.certificate},
            {"severity", name_of(event.severity)},
            {"code", event.code},
            {"message", event.message}}}};
}

json object_of(const ControlEnd& end) {
  return {{"exit", end.exit},
          {"stdout", end.output},
          {"error", end.error.empty() ? json(nullptr) : json(end.error)}};
}

// One from 0 to `most`, or the other.
int small_number(const json& object, const char* name, int most, int otherwise) {
  const auto value = acme::integer_member(object, name);
  const bool fits = value && *value >= 0 && *value <= most;
  return fits ? static_cast<int>(*value) : otherwise;
}

}  // namespace

std::string format_request(const ControlRequest& request) {
  json object{{"schema", 1},
              {"command", name_of(request.command)},
              {"names", request.names},
              {"json", request.json},
              {"verbosity", request.verbosity}};
  if (request.command == ControlRequest::Command::renew) {
    object["force"] = request.force;
    object["again"] = request.again;
    object["deploy"] = request.deploy;
    object["ca"] = request.ca;
  }
  if (request.command == ControlRequest::Command::deploy ||
      request.command == ControlRequest::Command::rollback) {
    object["target"] = request.target;
    if (request.generation) object["generation"] = *request.generation;
  }
  if (request.command == ControlRequest::Command::revoke) {
    object["reason"] = request.reason;
    if (request.generation) object["generation"] = *request.generation;
  }
  if (request.command == ControlRequest::Command::check) {
    object["deep"] = request.deep;
    object["nagios"] = request.nagios;
  }
  if (request.command == ControlRequest::Command::silence) {
    object["what"] = request.silence.what;
    object["until"] = acme::format_rfc3339(request.silence.until);
    object["why"] = request.silence.why;
  }
  if (request.command == ControlRequest::Command::account) {
    object["action"] = name_of(request.action);
    object["ca"] = request.ca;
  }
  return acme::dump(object);
}

namespace {

void read_generation(RequestReader& reader, ControlRequest& request) {
  const auto generation = reader.number("generation", 1, std::numeric_limits<int>::max());
  if (generation) request.generation = static_cast<unsigned>(*generation);
}

// What only some commands have.
void read_command(RequestReader& reader, ControlRequest& request) {
  std::string command;
  reader.read("command", command);
  if (command == "renew") {
    request.command = ControlRequest::Command::renew;
    reader.read("force", request.force);
    reader.read("again", request.again);
    reader.read("deploy", request.deploy);
    reader.read("ca", request.ca);
  } else if (command == "deploy" || command == "rollback") {
    const bool back = command == "rollback";
    request.command = back ? ControlRequest::Command::rollback : ControlRequest::Command::deploy;
    reader.read("target", request.target);
    if (!back) read_generation(reader, request);
  } else if (command == "rehearse") {
    request.command = ControlRequest::Command::rehearse;
  } else if (command == "check") {
    request.command = ControlRequest::Command::check;
    reader.read("deep", request.deep);
    reader.read("nagios", request.nagios);
  } else if (command == "silence") {
    request.command = ControlRequest::Command::silence;
    reader.read("what", request.silence.what);
    reader.read("why", request.silence.why);
    std::string until;
    reader.read("until", until);
    const auto moment = acme::parse_rfc3339(until);
    if (!moment) reader.complain("until", "a time as RFC 3339 has it");
    request.silence.until = moment.value_or(Time{});
  } else if (command == "channels_work") {
    request.command = ControlRequest::Command::channels_work;
  } else if (command == "forget") {
    request.command = ControlRequest::Command::forget;
  } else if (command == "revoke") {
    request.command = ControlRequest::Command::revoke;
    request.reason = reader.number("reason", 0, 10).value_or(0);
    read_generation(reader, request);
  } else if (command == "account") {
    request.command = ControlRequest::Command::account;
    std::string action;
    reader.read("action", action);
    reader.read("ca", request.ca);
    const auto known = parse_account_action(action);
    if (!known) reader.complain("action", "what an account can be asked for");
    request.action = known.value_or(AccountAction::show);
  } else if (command != "status") {
    reader.complain("command",
                    "\"renew\", \"deploy\", \"rollback\", \"rehearse\", \"status\", \"check\", "
                    "\"silence\", \"channels_work\", \"forget\", \"revoke\" or \"account\"");
  }
}

}  // namespace

Result<ControlRequest> parse_request(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return bad_request("it is no JSON object");
  RequestReader reader(object);
  ControlRequest request;
  if (!reader.number("schema", 1, 1)) reader.complain("schema", "1");
  read_command(reader, request);
  reader.read("names", request.names);
  if (request.about_one() && request.names.size() != 1) {
    reader.complain("names", "a list of one string");
  }
  const bool deploys = request.command == ControlRequest::Command::deploy ||
                       request.command == ControlRequest::Command::rollback;
  if (deploys && request.names.empty()) reader.complain("names", "a list of certificates");
  reader.read("json", request.json);
  request.verbosity = reader.number("verbosity", -1, 1).value_or(0);
  const std::string problem = reader.problem();
  if (!problem.empty()) return bad_request(problem);
  return request;
}

std::string format_answer(const ControlAnswer& answer) {
  return acme::dump(std::visit([](const auto& value) { return object_of(value); }, answer));
}

std::optional<ControlAnswer> parse_answer(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return {};
  if (object.contains("daemon")) {
    const json& daemon = acme::object_member(object, "daemon");
    return ControlGreeting{small_number(daemon, "pid", std::numeric_limits<int>::max(), 0),
                           acme::string_list_member(daemon, "certificates")};
  }
  if (object.contains("event")) {
    const json& event = acme::object_member(object, "event");
    return Event{{},
                 acme::string_member(event, "certificate"),
                 severity_of(acme::string_member(event, "severity")),
                 acme::string_member(event, "code"),
                 acme::string_member(event, "message")};
  }
  if (!object.contains("exit")) return {};
  return ControlEnd{small_number(object, "exit", 255, 1), acme::string_member(object, "stdout"),
                    acme::string_member(object, "error")};
}

}  // namespace nolapse
