#include "agent/world/hook_message.h"

#include <limits>

#include "acme/json_read.h"

namespace nolapse {
namespace {

using nlohmann::json;
using Ending = ProcessResult::Ending;

constexpr int schema = 1;

tl::unexpected<Error> bad_order(const std::string& why) {
  return fail(ErrorKind::input, "BAD_REQUEST",
              "the hook service does not understand the order: " + why +
                  "; are daemon and hook service of the same version? Restart both after an "
                  "upgrade");
}

// Exactly these members and no others.
bool has_only(const json& object, std::initializer_list<const char*> names) {
  if (!object.is_object() || object.size() != names.size()) return false;
  for (const char* name : names) {
    if (!object.contains(name)) return false;
  }
  return true;
}

const char* name_of(Ending ending) {
  if (ending == Ending::signalled) return "signalled";
  return ending == Ending::timed_out ? "timed_out" : "exited";
}

std::optional<Ending> ending_of(const std::string& name) {
  for (const Ending ending : {Ending::exited, Ending::signalled, Ending::timed_out}) {
    if (name == name_of(ending)) return ending;
  }
  return {};
}

std::string format_error(const Error& error) {
  return acme::dump(
      {{"error",
        {{"kind", acme::name_of(error.kind)}, {"code", error.code}, {"message", error.message}}}});
}

ErrorKind kind_of(const std::string& name) {
  if (name == acme::name_of(ErrorKind::input)) return ErrorKind::input;
  return name == acme::name_of(ErrorKind::transient) ? ErrorKind::transient : ErrorKind::local;
}

}  // namespace

std::string format_hook_order(const HookOrder& order) {
  json run{{"target", order.target},
           {"verb", order.verb},
           {"certificate", order.certificate},
           {"generation", order.generation}};
  if (order.rehearsed) run["rehearsed"] = true;
  return acme::dump({{"schema", schema}, {"run", std::move(run)}});
}

Result<HookOrder> parse_hook_order(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return bad_order("it is no JSON object");
  if (acme::integer_member(object, "schema") != schema) return bad_order("\"schema\" must be 1");
  if (!has_only(object, {"schema", "run"})) return bad_order("it must have \"run\" and no more");
  json run = object["run"];
  const bool rehearsed = run.is_object() && run.contains("rehearsed");
  if (rehearsed && (run["rehearsed"] != true || acme::string_member(run, "verb") != "rehearse")) {
    return bad_order("what was rehearsed is for the verb rehearse only");
  }
  if (rehearsed) run.erase("rehearsed");
  if (!has_only(run, {"target", "verb", "certificate", "generation"})) {
    return bad_order("\"run\" must have target, verb, certificate and generation and no more");
  }
  for (const char* name : {"target", "verb", "certificate"}) {
    if (!run[name].is_string()) return bad_order("\"" + std::string(name) + "\" must be a string");
  }
  const auto number = acme::integer_member(run, "generation").value_or(-1);
  const int least = acme::string_member(run, "verb") == "check" ? 0 : 1;
  if (number < least || number > std::numeric_limits<int>::max()) {
    return bad_order("\"generation\" must be a number from 1 on; for the verb check also 0");
  }
  return HookOrder{acme::string_member(run, "target"), acme::string_member(run, "verb"),
                   acme::string_member(run, "certificate"), static_cast<unsigned>(number),
                   rehearsed};
}

std::string format_hook_answer(const Result<ProcessResult>& answer) {
  if (!answer) return format_error(answer.error());
  return acme::dump({{"result",
                      {{"ending", name_of(answer->ending)},
                       {"code", answer->code},
                       {"output", answer->output},
                       {"errors", answer->errors}}}});
}

std::optional<Result<ProcessResult>> parse_hook_answer(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return {};
  if (object.contains("error")) {
    const json& error = acme::object_member(object, "error");
    return fail(kind_of(acme::string_member(error, "kind")), acme::string_member(error, "code"),
                acme::string_member(error, "message"));
  }
  const json& result = acme::object_member(object, "result");
  const auto ending = ending_of(acme::string_member(result, "ending"));
  const auto code = acme::integer_member(result, "code");
  // A result without a status must not look like a success.
  if (!ending || !code) return {};
  return ProcessResult{*ending, static_cast<int>(*code), acme::string_member(result, "output"),
                       acme::string_member(result, "errors")};
}

std::string format_port_question(std::uint16_t port) {
  return acme::dump({{"schema", schema}, {"holder", {{"port", port}}}});
}

std::optional<std::uint16_t> parse_port_question(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object() || acme::integer_member(object, "schema") != schema) return {};
  if (!has_only(object, {"schema", "holder"}) || !has_only(object["holder"], {"port"})) return {};
  const auto port = acme::integer_member(object["holder"], "port").value_or(0);
  if (port < 1 || port > std::numeric_limits<std::uint16_t>::max()) return {};
  return static_cast<std::uint16_t>(port);
}

std::string format_port_answer(const Result<std::string>& holder) {
  return holder ? acme::dump({{"holder", *holder}}) : format_error(holder.error());
}

std::string parse_port_answer(const std::string& line) {
  const json object = json::parse(line, nullptr, false);
  return object.is_object() ? acme::string_member(object, "holder") : std::string();
}

}  // namespace nolapse
