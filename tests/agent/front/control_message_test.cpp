// The lines of the control socket. Requests come from anybody: each table row is one that must be
// refused, with the reason that its sender reads.
#include "agent/front/control_message.h"

#include <doctest/doctest.h>

namespace nolapse {
namespace {

// Why it is refused; empty: it is not.
std::string objection_to(const std::string& line) {
  const auto request = parse_request(line);
  if (request) return {};
  CHECK(request.error().kind == ErrorKind::input);
  CHECK(request.error().code == "BAD_REQUEST");
  CHECK(request.error().message.find('\n') == std::string::npos);
  const std::string begin = "the daemon does not understand the request: ";
  CHECK(request.error().message.starts_with(begin));
  const auto end = request.error().message.find("; are command and daemon of the same version?");
  REQUIRE(end != std::string::npos);
  return request.error().message.substr(begin.size(), end - begin.size());
}

std::string with(const std::string& member) {
  return R"({"schema":1,"command":"renew",)" + member + "}";
}

}  // namespace

TEST_CASE("a renewal comes to the daemon as it was asked for") {
  ControlRequest sent;
  sent.command = ControlRequest::Command::renew;
  sent.names = {"shop", "mail"};
  sent.json = true;
  sent.verbosity = -1;
  sent.force = true;
  sent.again = true;
  sent.deploy = false;
  sent.ca = "zerossl";
  const auto read = parse_request(format_request(sent));
  REQUIRE(read);
  CHECK(read->command == ControlRequest::Command::renew);
  CHECK(read->names == sent.names);
  CHECK(read->json);
  CHECK(read->verbosity == -1);
  CHECK(read->force);
  CHECK(read->again);
  CHECK_FALSE(read->deploy);
  CHECK(read->ca == "zerossl");
}

TEST_CASE("a rehearsal comes to the daemon as it was asked for, and carries nothing of a renewal") {
  ControlRequest sent;
  sent.command = ControlRequest::Command::rehearse;
  sent.names = {"shop"};
  sent.force = true;
  const std::string line = format_request(sent);
  CHECK(line.find("force") == std::string::npos);
  const auto read = parse_request(line);
  REQUIRE(read);
  CHECK(read->command == ControlRequest::Command::rehearse);
  CHECK(read->names == sent.names);
}

TEST_CASE("a status comes to the daemon as it was asked for, and carries nothing of a renewal") {
  ControlRequest sent;
  sent.names = {"shop"};
  sent.verbosity = 1;
  sent.force = true;
  const std::string line = format_request(sent);
  CHECK(line.find("force") == std::string::npos);
  const auto read = parse_request(line);
  REQUIRE(read);
  CHECK(read->command == ControlRequest::Command::status);
  CHECK(read->names == sent.names);
  CHECK(read->verbosity == 1);
  CHECK_FALSE(read->force);
}

TEST_CASE("what a request leaves out is not asked for, and a renewal deploys") {
  const auto read = parse_request(R"({"schema":1,"command":"renew"})");
  REQUIRE(read);
  CHECK(read->names.empty());
  CHECK_FALSE(read->force);
  CHECK_FALSE(read->again);
  CHECK(read->deploy);
}

TEST_CASE("a request to forget names one certificate") {
  const auto read =
      parse_request(R"({"schema":1,"command":"forget","names":["shop"],"json":true})");
  REQUIRE(read);
  CHECK(read->command == ControlRequest::Command::forget);
  CHECK(read->names == std::vector<std::string>{"shop"});
  CHECK(parse_request(format_request(*read))->command == ControlRequest::Command::forget);
  for (const char* names : {"[]", "[\"a\",\"b\"]"}) {
    CAPTURE(names);
    const auto refused =
        parse_request(std::string(R"({"schema":1,"command":"forget","names":)") + names + "}");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("must be a list of one string") != std::string::npos);
  }
}

TEST_CASE("a revocation comes to the daemon as it was asked for, and names one certificate") {
  ControlRequest sent;
  sent.command = ControlRequest::Command::revoke;
  sent.names = {"shop"};
  sent.reason = 4;
  auto read = parse_request(format_request(sent));
  REQUIRE(read);
  CHECK(read->command == ControlRequest::Command::revoke);
  CHECK(read->names == sent.names);
  CHECK(read->reason == 4);
  CHECK_FALSE(read->generation);
  sent.generation = 3;
  read = parse_request(format_request(sent));
  REQUIRE(read);
  CHECK(read->generation == 3U);
  sent.names = {};
  CHECK_FALSE(parse_request(format_request(sent)));
}

TEST_CASE("what is to be done with an account comes to the daemon as it was asked for") {
  for (const AccountAction action : {AccountAction::show, AccountAction::roll_over,
                                     AccountAction::update, AccountAction::deactivate}) {
    ControlRequest sent;
    sent.command = ControlRequest::Command::account;
    sent.action = action;
    sent.ca = "zerossl";
    const auto read = parse_request(format_request(sent));
    REQUIRE(read);
    CHECK(read->command == ControlRequest::Command::account);
    CHECK(read->action == action);
    CHECK(read->ca == "zerossl");
  }
}

TEST_CASE("channels that work are named") {
  ControlRequest sent;
  sent.command = ControlRequest::Command::channels_work;
  sent.names = {"mail", "web"};
  const auto read = parse_request(format_request(sent));
  REQUIRE(read);
  CHECK(read->command == sent.command);
  CHECK(read->names == sent.names);
}

TEST_CASE("a request that is not exactly right is refused with what is wrong") {
  const std::string command =
      R"("command" must be "renew", "deploy", "rollback", "rehearse", "status", "check", )"
      R"("silence", "channels_work", "forget", "revoke" or "account")";
  const std::string names = "\"names\" must be a list of strings";
  const std::string verbosity = "\"verbosity\" must be a number from -1 to 1";
  const std::string no_object = "it is no JSON object";
  struct Row {
    std::string line;
    std::string reason;
  };
  for (const Row& row : {
           Row{"", no_object},
           Row{"renew", no_object},
           Row{"[]", no_object},
           Row{"null", no_object},
           Row{std::string(60'000, '['), no_object},
           Row{std::string(R"({"schema":1)") + '\0', no_object},
           Row{"{\"schema\":1,\"command\":\"\xff\"}", no_object},
           Row{R"({"command":"status"})", "\"schema\" must be 1"},
           Row{R"({"schema":2,"command":"status"})", "\"schema\" must be 1"},
           Row{R"({"schema":"1","command":"status"})", "\"schema\" must be 1"},
           Row{R"({"schema":18446744073709551615,"command":"status"})", "\"schema\" must be 1"},
           Row{R"({"schema":1})", command},
           Row{R"({"schema":1,"command":"sell"})", command},
           Row{R"({"schema":1,"command":"revoke","names":["a"],"reason":11})",
               "\"reason\" must be a number from 0 to 10"},
           Row{R"({"schema":1,"command":"revoke","names":["a","b"]})",
               "\"names\" must be a list of one string"},
           Row{R"({"schema":1,"command":"account","action":"sell"})",
               "\"action\" must be what an account can be asked for"},
           Row{R"({"schema":1,"command":"account","action":"show","reason":1})",
               "\"reason\" is unknown"},
           Row{R"({"schema":1,"command":["renew"]})", "\"command\" must be a string"},
           Row{with(R"("names":"shop")"), names},
           Row{with(R"("names":["shop",1])"), names},
           Row{with(R"("names":{"a":"b"})"), names},
           Row{with(R"("force":1)"), "\"force\" must be true or false"},
           Row{with(R"("again":"yes")"), "\"again\" must be true or false"},
           Row{with(R"("deploy":null)"), "\"deploy\" must be true or false"},
           Row{with(R"("json":0)"), "\"json\" must be true or false"},
           Row{with(R"("ca":7)"), "\"ca\" must be a string"},
           Row{with(R"("verbosity":2)"), verbosity},
           Row{with(R"("verbosity":-2)"), verbosity},
           Row{with(R"("verbosity":0.5)"), verbosity},
           Row{with(R"("shell":"id")"), "\"shell\" is unknown"},
           Row{with(R"("a\nb\u001b[2J":1)"), "\"a b [2J\" is unknown"},
           Row{R"({"schema":1,"command":"status","force":true})", "\"force\" is unknown"},
       }) {
    CAPTURE(row.line.substr(0, 80));
    CHECK(objection_to(row.line) == row.reason);
  }
}

TEST_CASE("answers come back as they were given") {
  const auto greeting = parse_answer(format_answer(ControlGreeting{42, {"shop", "mail"}}));
  REQUIRE(greeting);
  REQUIRE(std::holds_alternative<ControlGreeting>(*greeting));
  CHECK(std::get<ControlGreeting>(*greeting).process == 42);
  CHECK(std::get<ControlGreeting>(*greeting).certificates ==
        std::vector<std::string>{"shop", "mail"});

  for (const Severity severity : {Severity::info, Severity::warning, Severity::error}) {
    const auto answer =
        parse_answer(format_answer(Event{{}, "shop", severity, "ORDER_PLACED", "an \"order\""}));
    REQUIRE(answer);
    REQUIRE(std::holds_alternative<Event>(*answer));
    const Event& event = std::get<Event>(*answer);
    CHECK(event.certificate == "shop");
    CHECK(event.severity == severity);
    CHECK(event.code == "ORDER_PLACED");
    CHECK(event.message == "an \"order\"");
  }

  const auto end = parse_answer(format_answer(ControlEnd{3, "two\nlines\n", "why"}));
  REQUIRE(end);
  REQUIRE(std::holds_alternative<ControlEnd>(*end));
  CHECK(std::get<ControlEnd>(*end).exit == 3);
  CHECK(std::get<ControlEnd>(*end).output == "two\nlines\n");
  CHECK(std::get<ControlEnd>(*end).error == "why");
}

TEST_CASE("an answer is one line, whatever is in it") {
  CHECK(format_answer(ControlEnd{0, "a\nb\xff", "c\nd"}).find('\n') == std::string::npos);
}

TEST_CASE("answers that this version does not know are skipped, and wrong ones do no harm") {
  for (const std::string line : {"", "x", "[]", "{}", R"({"hint":"from a newer daemon"})"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_answer(line));
  }
  const auto greeting = parse_answer(R"({"daemon":{"pid":-1,"certificates":[1,"a"]}})");
  REQUIRE(greeting);
  CHECK(std::get<ControlGreeting>(*greeting).process == 0);
  CHECK(std::get<ControlGreeting>(*greeting).certificates == std::vector<std::string>{"a"});
  // No success that the daemon has not announced.
  for (const std::string exit : {"\"0\"", "null", "-1", "4294967296"}) {
    CAPTURE(exit);
    const auto end = parse_answer("{\"exit\":" + exit + "}");
    REQUIRE(end);
    CHECK(std::get<ControlEnd>(*end).exit != 0);
  }
  const auto large = parse_answer(R"({"exit":256})");
  REQUIRE(large);
  CHECK(std::get<ControlEnd>(*large).exit == 1);
}

}  // namespace nolapse
