// Orders to the hook service: their lines, and what becomes of them on the daemon's side.
#include "agent/world/hook_message.h"

#include <doctest/doctest.h>

#include "agent/world/control_socket.h"
#include "agent/world/hook_processes.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/temporary_folder.h"

using namespace nolapse;
using Ending = ProcessResult::Ending;

namespace {

const HookOrder install{"nginx", "install", "shop", 7};

// The processes of a user who may become nobody.
struct NoProcesses final : Processes {
  bool may_become(const std::string& user) override { return user.empty(); }
  void run(ProcessSpec spec, Completion<ProcessResult> done) override {
    started.push_back(spec.argv.front());
    loop.post([done = std::move(done)] { done(ProcessResult{Ending::exited, 0, "own\n", ""}); });
  }
  void find_listener(std::uint16_t, std::function<void(std::string)> done) override {
    loop.post([this, done = std::move(done)] { done(seen); });
  }
  explicit NoProcesses(EventLoop& event_loop) : loop(event_loop) {}
  EventLoop& loop;
  std::vector<std::string> started;
  std::string seen;  // who has any port
};

struct Client {
  using Connection = std::shared_ptr<ControlConnection>;

  void serve(std::function<void(const Connection&)> answer) {
    server = std::move(*ControlServer::open(
        loop, path, 0600, {},
        [this, answer = std::move(answer)](const Connection& connection, const std::string& line) {
          lines.push_back(line);
          answer(connection);
        }));
  }
  Result<ProcessResult> run(ProcessSpec spec) {
    return await<Result<ProcessResult>>(
        loop, [&](Completion<ProcessResult> done) { processes.run(std::move(spec), done); });
  }
  Result<ProcessResult> order() {
    ProcessSpec spec;
    spec.argv = {"/hooks/nginx", "install"};
    spec.user = "root";
    spec.order = install;
    return run(std::move(spec));
  }

  TemporaryFolder folder;
  std::string path = folder / "socket";
  EventLoop loop;
  NoProcesses own{loop};
  HookProcesses processes{loop, own, path};
  std::vector<std::string> lines;
  std::unique_ptr<ControlServer> server;
};

}  // namespace

TEST_CASE("what a rehearsal obtained comes through, for its verb") {
  const HookOrder order{"nginx", "rehearse", "shop", 3, true};
  const auto read = parse_hook_order(format_hook_order(order));
  REQUIRE(read);
  CHECK(read->rehearsed);
  CHECK(read->generation == 3);
}

TEST_CASE("an order comes back from its line as it was") {
  const auto order = parse_hook_order(format_hook_order(install));
  REQUIRE(order);
  CHECK(order->target == "nginx");
  CHECK(order->verb == "install");
  CHECK(order->certificate == "shop");
  CHECK(order->generation == 7);
}

TEST_CASE("a hook may be asked before there is a pair, and nothing else") {
  const auto order = parse_hook_order(format_hook_order({"nginx", "check", "shop", 0}));
  REQUIRE(order);
  CHECK(order->generation == 0);
  for (const char* verb : {"install", "reload", "rollback", "rehearse", "run"}) {
    CHECK_FALSE(parse_hook_order(format_hook_order({"nginx", verb, "shop", 0})));
  }
}

TEST_CASE("what is not exactly an order is refused") {
  for (const char* line : {
           "",
           "install",
           "[]",
           "{}",
           R"({"schema":1})",
           R"({"run":{"target":"a","verb":"install","certificate":"c","generation":1}})",
           R"({"schema":1,"run":{"target":"a","verb":"install","certificate":"c","generation":1,
               "rehearsed":true}})",
           R"({"schema":1,"run":{"target":"a","verb":"rehearse","certificate":"c","generation":1,
               "rehearsed":false}})",
           R"({"schema":2,"run":{"target":"a","verb":"b","certificate":"c","generation":1}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c","generation":0}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c","generation":-1}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c","generation":1.5}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c","generation":"1"}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c",
               "generation":"../../x"}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c",
               "generation":4294967297}})",
           R"({"schema":1,"run":{"target":["a"],"verb":"b","certificate":"c","generation":1}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c"}})",
           R"({"schema":1,"run":{"target":"a","verb":"check","certificate":"c"}})",
           R"({"schema":1,"run":{"target":"a","verb":"b","certificate":"c","generation":1,
               "hook":"/bin/sh"}})",
           R"({"schema":1,"env":{},"run":{"target":"a","verb":"b","certificate":"c",
               "generation":1}})",
       }) {
    CAPTURE(line);
    const auto order = parse_hook_order(line);
    REQUIRE_FALSE(order);
    CHECK(order.error().code == "BAD_REQUEST");
    CHECK(order.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("an answer comes back from its line as it was, whatever the hook printed") {
  for (const Ending ending : {Ending::exited, Ending::signalled, Ending::timed_out}) {
    const auto answer =
        parse_hook_answer(format_hook_answer(ProcessResult{ending, 75, "changed\n", "a \"b\"\n"}));
    REQUIRE((answer && *answer));
    CHECK((*answer)->ending == ending);
    CHECK((*answer)->code == 75);
    CHECK((*answer)->output == "changed\n");
    CHECK((*answer)->errors == "a \"b\"\n");
  }
  const std::string line = format_hook_answer(ProcessResult{Ending::exited, 0, "\xff\n\x01", ""});
  CHECK(line.find('\n') == std::string::npos);
  CHECK(parse_hook_answer(line));
  const auto refused = parse_hook_answer(
      format_hook_answer(fail(ErrorKind::transient, "HOOK_SERVICE_BUSY", "later")));
  REQUIRE(refused);
  REQUIRE_FALSE(*refused);
  CHECK(refused->error().kind == ErrorKind::transient);
  CHECK(refused->error().code == "HOOK_SERVICE_BUSY");
  CHECK(refused->error().message == "later");
}

TEST_CASE("what is no answer never looks like a success") {
  for (const char* line :
       {"", "{}", "[]", R"({"result":{}})", R"({"result":{"ending":"exited"}})",
        R"({"result":{"ending":"slept","code":0}})", R"({"result":{"code":0}})"}) {
    CHECK_FALSE(parse_hook_answer(line));
  }
}

TEST_CASE("an order goes to the service, and everything else stays here") {
  Client client;
  client.serve([](const auto& connection) {
    connection->send_line(format_hook_answer(ProcessResult{Ending::exited, 42, "x", "y"}));
    connection->close_after_sending();
  });
  const auto ordered = client.order();
  REQUIRE(ordered);
  CHECK(ordered->code == 42);
  CHECK(client.lines == std::vector<std::string>{format_hook_order(install)});
  CHECK(client.own.started.empty());
  ProcessSpec own;
  own.argv = {"/own"};
  CHECK(client.run(own)->output == "own\n");
  CHECK(client.lines.size() == 1);
}

TEST_CASE("without a service the unit to start is named") {
  Client client;
  const auto result = client.order();
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::local);
  CHECK(result.error().code == "HOOK_SERVICE_MISSING");
  CHECK(result.error().message.find("enable --now nolapse-hooks.service") != std::string::npos);
}

TEST_CASE("a service that ends in the middle is a reason to try again") {
  Client client;
  client.serve([&client](const auto&) { client.loop.post([&client] { client.server.reset(); }); });
  const auto result = client.order();
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::transient);
  CHECK(result.error().code == "HOOK_SERVICE_ENDED");
}

TEST_CASE("an answer that is none is no success") {
  Client client;
  client.serve([](const auto& connection) {
    connection->send_line("{\"result\":{\"code\":0}}");
    connection->close_after_sending();
  });
  const auto result = client.order();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "HOOK_SERVICE_ENDED");
}

TEST_CASE("what the service says is handed on") {
  Client client;
  client.serve([](const auto& connection) {
    connection->send_line(
        format_hook_answer(fail(ErrorKind::local, "NOT_ROOT_OWNED", "/x is writable")));
    connection->close_after_sending();
  });
  const auto result = client.order();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "NOT_ROOT_OWNED");
  CHECK(result.error().message == "/x is writable");
}

TEST_CASE("a question after a port comes back from its line as it was") {
  CHECK(parse_port_question(format_port_question(80)) == 80);
  CHECK(parse_port_question(format_port_question(65535)) == 65535);
  for (const char* line : {
           "",
           "{}",
           R"({"holder":{"port":80}})",
           R"({"schema":2,"holder":{"port":80}})",
           R"({"schema":1,"holder":80})",
           R"({"schema":1,"holder":{}})",
           R"({"schema":1,"holder":{"port":0}})",
           R"({"schema":1,"holder":{"port":65536}})",
           R"({"schema":1,"holder":{"port":-1}})",
           R"({"schema":1,"holder":{"port":"80"}})",
           R"({"schema":1,"holder":{"port":80,"pid":1}})",
           R"({"schema":1,"holder":{"port":80},"run":{}})",
       }) {
    CAPTURE(line);
    CHECK_FALSE(parse_port_question(line));
    CHECK_FALSE(parse_hook_order(line));
  }
  CHECK_FALSE(parse_port_question(format_hook_order(install)));
  CHECK_FALSE(parse_hook_order(format_port_question(80)));
}

TEST_CASE("who has a port is asked of the service where it is not seen here") {
  Client client;
  const auto asked = [&client] {
    return await<std::string>(client.loop, [&](std::function<void(std::string)> done) {
      client.processes.find_listener(80, std::move(done));
    });
  };
  CHECK(asked().empty());  // there is no service
  Result<std::string> holder = std::string("nginx (pid 7)");
  client.serve([&holder](const auto& connection) {
    connection->send_line(format_port_answer(holder));
    connection->close_after_sending();
  });
  CHECK(asked() == "nginx (pid 7)");
  CHECK(client.lines == std::vector<std::string>{format_port_question(80)});
  holder = fail(ErrorKind::input, "HOOK_ORDER_REFUSED", "nothing listens on port 80");
  CHECK(asked().empty());
  client.own.seen = "apache2 (pid 9)";
  CHECK(asked() == "apache2 (pid 9)");
  CHECK(client.lines.size() == 2);
}
