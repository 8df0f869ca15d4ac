#include "agent/world/control_socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <thread>

#include "agent/world/control_call.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/temporary_folder.h"
#include "tests/agent/world/unix_socket.h"

using namespace nolapse;
using std::chrono::milliseconds;

namespace {

// A daemon that writes down what it was asked and says "ANSWER <request>".
// The client as a program of its own: with a loop of its own.
Result<void> call_daemon(const std::string& path, const std::string& line,
                         const std::function<void(const std::string&)>& on_line,
                         Duration patience = Duration::zero()) {
  EventLoop loop;
  return control_call(loop, path, line, on_line, patience);
}

struct Scene {
  TemporaryFolder folder;
  std::string path = folder / "control";
  EventLoop loop;
  std::vector<std::string> requests;
  std::vector<std::shared_ptr<ControlConnection>> connections;
  bool close_after_answer = false;
  bool answer_at_once = true;
  std::unique_ptr<ControlServer> server;

  Result<void> open(ControlLimits limits = {}, unsigned mode = 0600,
                    const std::string& group = {}) {
    return open([this](const auto& connection, const auto& line) { answer(connection, line); },
                limits, mode, group);
  }
  Result<void> open(ControlServer::Handler handler, ControlLimits limits = {}, unsigned mode = 0600,
                    const std::string& group = {}) {
    server.reset();
    auto opened = ControlServer::open(loop, path, mode, group, std::move(handler), limits);
    if (!opened) return fail(opened.error());
    server = std::move(*opened);
    return {};
  }
  void answer(const std::shared_ptr<ControlConnection>& connection, const std::string& line) {
    requests.push_back(line);
    connections.push_back(connection);
    if (answer_at_once) connection->send_line("ANSWER " + line.substr(0, 20));
    if (close_after_answer) connection->close_after_sending();
  }
  void run_until(const std::function<bool()>& finished) {
    bool expired = false;
    const auto timer = loop.start_timer(std::chrono::seconds(10), [&expired] { expired = true; });
    loop.run_until([&] { return expired || finished(); });
    loop.cancel_timer(timer);
    REQUIRE_FALSE_MESSAGE(expired, "nothing happened for ten seconds");
  }
  // Runs the client on a thread of its own; after ten seconds the server is gone.
  Result<void> call(const std::string& line, std::vector<std::string>& lines,
                    Duration patience = std::chrono::seconds(5)) {
    bool ended = false;
    Result<void> result;
    std::thread client([&] {
      auto outcome = call_daemon(
          path, line, [&lines](const std::string& answer) { lines.push_back(answer); }, patience);
      loop.post([&ended, &result, outcome = std::move(outcome)] {
        result = outcome;
        ended = true;
      });
    });
    const auto timer = loop.start_timer(std::chrono::seconds(10), [this] { server.reset(); });
    loop.run_until([&ended] { return ended; });
    loop.cancel_timer(timer);
    client.join();
    return result;
  }
};

struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

std::string code_of(const Result<void>& result) {
  return result ? "" : result.error().code;
}

}  // namespace

TEST_CASE("a request and its answers go over the socket, one line each") {
  Scene scene;
  scene.close_after_answer = true;
  REQUIRE(scene.open());
  std::vector<std::string> lines;
  CHECK(scene.call(R"({"verb":"status"})", lines));
  CHECK(scene.requests == std::vector<std::string>{R"({"verb":"status"})"});
  CHECK(lines == std::vector<std::string>{R"(ANSWER {"verb":"status"})"});
  REQUIRE(scene.connections.size() == 1);
  CHECK_FALSE(scene.connections[0]->open());
}

TEST_CASE("the kernel says who asks") {
  Scene scene;
  REQUIRE(scene.open());
  const UniqueFd client = connect_unix(scene.path);
  REQUIRE(say(client, "who am I\n"));
  scene.run_until([&] { return !scene.connections.empty(); });
  const ControlPeer& peer = scene.connections[0]->peer();
  CHECK(peer.user == ::geteuid());
  CHECK(peer.group == ::getegid());
  CHECK(peer.process == ::getpid());
}

TEST_CASE("the socket has its mode whatever the umask is, and leaves nothing else behind") {
  Scene scene;
  for (const mode_t mask : {0000u, 0022u, 0077u, 0777u}) {
    const mode_t before = ::umask(mask);
    const auto opened = scene.open({}, 0660);
    ::umask(before);
    REQUIRE_MESSAGE(opened, opened.error().message);
    CHECK((status_of(scene.path).st_mode & 07777u) == 0660);
    CHECK(S_ISSOCK(status_of(scene.path).st_mode));
    CHECK(::access((scene.path + ".new").c_str(), F_OK) != 0);
    scene.server.reset();
    CHECK(::access(scene.path.c_str(), F_OK) != 0);
  }
}

TEST_CASE("the socket belongs to its group, and run by root to the owner of its directory") {
  Scene scene;
  if (::geteuid() != 0) {
    MESSAGE("left out: only root can give files away");
    return;
  }
  const group* const daemons = ::getgrnam("daemon");
  REQUIRE(daemons != nullptr);
  const gid_t wanted = daemons->gr_gid;
  REQUIRE(::chown(scene.folder.path().c_str(), 65534, 65533) == 0);
  REQUIRE(scene.open({}, 0660, "daemon"));
  CHECK(status_of(scene.path).st_uid == 65534);
  CHECK(status_of(scene.path).st_gid == wanted);
  scene.server.reset();
  REQUIRE(scene.open());
  CHECK(status_of(scene.path).st_gid == 65533);
}

TEST_CASE("a group that does not exist is an error that names it, and no socket is left") {
  Scene scene;
  const auto opened = scene.open({}, 0660, "no-such-group");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("no group no-such-group") != std::string::npos);
  CHECK(std::filesystem::is_empty(scene.folder.path()));
}

TEST_CASE("what a killed daemon left is replaced") {
  Scene scene;
  { const UniqueFd dead = bind_unix(scene.path, SOCK_STREAM); }
  { const UniqueFd unfinished = bind_unix(scene.path + ".new", SOCK_STREAM); }
  const auto old = status_of(scene.path).st_ino;
  REQUIRE(scene.open());
  CHECK(status_of(scene.path).st_ino != old);
  CHECK(connect_unix(scene.path));
}

TEST_CASE("a socket that answers is never taken over, and the message says whose it is") {
  Scene scene;
  REQUIRE(scene.open());
  const auto inode = status_of(scene.path).st_ino;
  const auto second = ControlServer::open(scene.loop, scene.path, 0600, "", {});
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::held);
  CHECK(second.error().code == "DAEMON_RUNNING");
  CHECK(second.error().message.find("pid " + std::to_string(::getpid())) != std::string::npos);
  CHECK(status_of(scene.path).st_ino == inode);
  CHECK(connect_unix(scene.path));
}

TEST_CASE("what is no socket is never removed") {
  for (const std::string name : {"control", "control.new"}) {
    Scene scene;
    scene.folder.write(name, "precious");
    CHECK(code_of(scene.open()) == "FILE_EXISTS");
    CHECK(read_file(scene.folder / name) == "precious");
  }
  Scene scene;
  scene.folder.write("target", "precious");
  std::filesystem::create_symlink(scene.folder / "target", scene.path);
  CHECK(code_of(scene.open()) == "FILE_EXISTS");
  CHECK(read_file(scene.folder / "target") == "precious");
}

TEST_CASE("a socket that another daemon put in its place is left alone at the end") {
  Scene scene;
  REQUIRE(scene.open());
  REQUIRE(::unlink(scene.path.c_str()) == 0);
  const UniqueFd other = bind_unix(scene.path, SOCK_STREAM);
  scene.server.reset();
  CHECK(S_ISSOCK(status_of(scene.path).st_mode));
}

TEST_CASE("a path that no socket can have is an error with both numbers") {
  Scene scene;
  scene.path = scene.folder / std::string(120, 'x');
  const auto opened = scene.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == "PATH_TOO_LONG");
  CHECK(opened.error().message.find("at most 103") != std::string::npos);
  CHECK(opened.error().message.find("has " + std::to_string(scene.path.size())) !=
        std::string::npos);
  CHECK(code_of(call_daemon(scene.path, "", [](const std::string&) {})) == "NO_DAEMON");

  scene.path = scene.folder.path() + "/" + std::string(102 - scene.folder.path().size(), 'x');
  CHECK(scene.open());
  CHECK(connect_unix(scene.path));
}

TEST_CASE("the command line learns why there is no daemon to talk to") {
  Scene scene;
  const auto code = [&scene] {
    return code_of(call_daemon(scene.path, "{}", [](const std::string&) {}));
  };
  CHECK(code() == "NO_DAEMON");
  { const UniqueFd dead = bind_unix(scene.path, SOCK_STREAM); }
  CHECK(code() == "NO_DAEMON");
  ::unlink(scene.path.c_str());
  scene.folder.write("control", "a file");
  CHECK(code() == "NO_DAEMON");
}

TEST_CASE("who may not connect is told so, and what to do") {
  Scene scene;
  if (::geteuid() != 0) {
    MESSAGE("left out: only root can become another user");
    return;
  }
  REQUIRE(::chmod(scene.folder.path().c_str(), 0755) == 0);
  REQUIRE(scene.open({}, 0660));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto outcome = call_daemon(scene.path, "{}", [](const std::string&) {});
    ::_exit(code_of(outcome) == "PERMISSION_DENIED" ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a daemon that closes without an answer, or within one, gave none") {
  Scene scene;
  for (const std::string answer : {"", "{\"half\":", "{\"whole\":1}\n{\"half\":"}) {
    ::unlink(scene.path.c_str());
    const UniqueFd listener = bind_unix(scene.path, SOCK_STREAM);
    REQUIRE(::listen(listener.get(), 1) == 0);
    std::thread daemon([&] {
      const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
      say(peer, answer);
    });
    CHECK(code_of(call_daemon(scene.path, "{}", [](const std::string&) {})) == "NO_ANSWER");
    daemon.join();
  }
}

TEST_CASE("stopping the loop breaks off a call, and the daemon is left to its work") {
  Scene scene;
  const UniqueFd listener = bind_unix(scene.path, SOCK_STREAM);
  REQUIRE(::listen(listener.get(), 1) == 0);
  EventLoop loop;
  loop.start_timer(milliseconds(20), [&loop] { loop.stop(); });
  CHECK(code_of(control_call(loop, scene.path, "{}", [](const std::string&) {})) == "CALL_STOPPED");
}

TEST_CASE("a daemon whose queue is full for a moment is waited for") {
  Scene scene;
  const UniqueFd listener = bind_unix(scene.path, SOCK_STREAM);
  REQUIRE(::listen(listener.get(), 0) == 0);
  const UniqueFd first = connect_unix(scene.path);
  std::thread daemon([&] {
    std::this_thread::sleep_for(milliseconds(80));
    const UniqueFd earlier(::accept(listener.get(), nullptr, nullptr));
    const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
    say(peer, "here\n");
    heard(peer);
  });
  std::vector<std::string> lines;
  CHECK(call_daemon(
      scene.path, "{}", [&](const std::string& line) { lines.push_back(line); },
      milliseconds(5000)));
  CHECK(lines == std::vector<std::string>{"here"});
  daemon.join();
}

TEST_CASE("patience ends with a daemon that hangs, not with one that works for long") {
  Scene scene;
  const UniqueFd listener = bind_unix(scene.path, SOCK_STREAM);
  REQUIRE(::listen(listener.get(), 1) == 0);
  CHECK(code_of(call_daemon(
            scene.path, "{}", [](const std::string&) {}, milliseconds(50))) == "DAEMON_SILENT");

  ::unlink(scene.path.c_str());
  const UniqueFd second = bind_unix(scene.path, SOCK_STREAM);
  REQUIRE(::listen(second.get(), 1) == 0);
  std::thread daemon([&] {
    const UniqueFd peer(::accept(second.get(), nullptr, nullptr));
    say(peer, "working\n");
    std::this_thread::sleep_for(milliseconds(300));
    say(peer, "done\n");
    heard(peer);
  });
  std::vector<std::string> lines;
  CHECK(call_daemon(
      scene.path, "{}", [&](const std::string& line) { lines.push_back(line); },
      milliseconds(200)));
  CHECK(lines == std::vector<std::string>{"working", "done"});
  daemon.join();
}

TEST_CASE("an answer of many megabytes arrives whole, but nothing is heaped on it") {
  Scene scene;
  const std::string document(5 << 20, 'x');
  REQUIRE(scene.open([&](const std::shared_ptr<ControlConnection>& connection, const auto&) {
    connection->send_line(document);
    connection->close_after_sending();
  }));
  std::vector<std::string> lines;
  CHECK(scene.call("{}", lines));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == document);

  REQUIRE(scene.open([&](const std::shared_ptr<ControlConnection>& connection, const auto&) {
    connection->send_line(document);
    connection->send_line("one more");
    connection->close_after_sending();
  }));
  CHECK(code_of(scene.call("{}", lines)) == "NO_ANSWER");
}

TEST_CASE("requests come in any pieces, and several in one") {
  Scene scene;
  REQUIRE(scene.open());
  const UniqueFd client = connect_unix(scene.path);
  for (const char c : std::string("one\ntwo")) {
    REQUIRE(say(client, std::string(1, c)));
    run_for(scene.loop, milliseconds(2));
  }
  CHECK(scene.requests == std::vector<std::string>{"one"});
  REQUIRE(say(client, "\n\nfour\n"));
  scene.run_until([&] { return scene.requests.size() == 4; });
  CHECK(scene.requests == std::vector<std::string>{"one", "two", "", "four"});
  CHECK(heard(client) == "ANSWER one\nANSWER two\nANSWER \nANSWER four\n");
}

TEST_CASE("any octet is passed on as it came") {
  Scene scene;
  REQUIRE(scene.open());
  std::string all;
  for (int octet = 0; octet < 256; ++octet) {
    if (octet != '\n') all += static_cast<char>(octet);
  }
  const UniqueFd client = connect_unix(scene.path);
  REQUIRE(say(client, all + "\n"));
  scene.run_until([&] { return !scene.requests.empty(); });
  CHECK(scene.requests[0] == all);
}

TEST_CASE("a line as long as the limit is read, a longer one ends the connection") {
  struct Row {
    std::size_t length;
    bool ended;  // with a line feed
    bool accepted;
  };
  for (const Row& row : {Row{64 << 10, true, true}, Row{(64 << 10) + 1, true, false},
                         Row{(64 << 10) + 4096, false, false}}) {
    CAPTURE(row.length);
    Scene scene;
    REQUIRE(scene.open());
    const UniqueFd client = connect_unix(scene.path);
    REQUIRE(say(client, std::string(row.length, '{') + (row.ended ? "\n" : "")));
    scene.run_until([&] { return !scene.requests.empty() || hung_up(client); });
    CHECK(scene.requests.empty() == !row.accepted);
  }
}

TEST_CASE("a peer that has closed its writing side still gets its answer") {
  Scene scene;
  REQUIRE(scene.open());
  const UniqueFd client = connect_unix(scene.path);
  REQUIRE(say(client, "first\nrest without an end"));
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  scene.run_until([&] { return !scene.requests.empty(); });
  run_for(scene.loop, milliseconds(20));
  CHECK(heard(client) == "ANSWER first\n");
  CHECK(scene.connections[0]->open());
  scene.connections[0]->send_line("later");
  scene.connections[0]->close_after_sending();
  CHECK(heard(client) == "later\n");
  CHECK(hung_up(client));
  CHECK(scene.requests.size() == 1);
}

TEST_CASE("a peer that will never ask is not waited for") {
  Scene scene;
  REQUIRE(scene.open());
  const UniqueFd client = connect_unix(scene.path);
  REQUIRE(say(client, "no end"));
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  scene.run_until([&] { return hung_up(client); });
  CHECK(scene.requests.empty());
}

TEST_CASE("a peer that goes away is noticed, also while an answer is being worked on") {
  for (const bool half_closed_before : {false, true}) {
    Scene scene;
    REQUIRE(scene.open());
    UniqueFd client = connect_unix(scene.path);
    REQUIRE(say(client, "slow\n"));
    if (half_closed_before) ::shutdown(client.get(), SHUT_WR);
    scene.run_until([&] { return !scene.requests.empty(); });
    run_for(scene.loop, milliseconds(5));
    REQUIRE(scene.connections[0]->open());
    client.reset();
    scene.run_until([&] { return !scene.connections[0]->open(); });
    scene.connections[0]->send_line("to nobody");
    scene.connections[0]->close_after_sending();
  }
}

TEST_CASE("who connects and says nothing whole is sent away after a while, a waiting one is not") {
  Scene scene;
  ControlLimits limits;
  limits.patience = milliseconds(60);
  scene.answer_at_once = false;
  REQUIRE(scene.open(limits));
  const UniqueFd silent = connect_unix(scene.path);
  const UniqueFd slow = connect_unix(scene.path);
  const UniqueFd waiting = connect_unix(scene.path);
  REQUIRE(say(waiting, "a long job\n"));
  for (int i = 0; i < 8; ++i) {
    say(slow, "x");
    run_for(scene.loop, milliseconds(20));
  }
  CHECK(hung_up(silent));
  CHECK(hung_up(slow));
  REQUIRE(scene.connections.size() == 1);
  CHECK(scene.connections[0]->open());
}

TEST_CASE("a peer that reads nothing is dropped, by size and by time") {
  Scene scene;
  ControlLimits limits;
  limits.patience = milliseconds(100);
  REQUIRE(scene.open(limits));
  const UniqueFd greedy = connect_unix(scene.path);
  const UniqueFd asleep = connect_unix(scene.path);
  REQUIRE(say(greedy, "much\n"));
  REQUIRE(say(asleep, "some\n"));
  scene.run_until([&] { return scene.requests.size() == 2; });
  const std::string kilobyte(1023, 'x');
  std::size_t sent = 0;
  const auto first = scene.connections[0];
  const auto second = scene.connections[1];
  for (; first->open() && sent < (8 << 20); sent += 1024) first->send_line(kilobyte);
  CHECK(sent > (1 << 20));
  CHECK(sent < (2 << 20));
  second->send_line(std::string(1 << 20, 'x'));
  CHECK(second->open());
  scene.run_until([&] { return !second->open(); });
}

TEST_CASE("connections are limited, and the last places are kept for root and the owner") {
  Scene scene;
  ControlLimits limits;
  limits.connections = 3;
  limits.reserved = 1;
  REQUIRE(scene.open(limits));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(connect_unix(scene.path));
    run_for(scene.loop, milliseconds(5));
  }
  CHECK_FALSE(hung_up(clients[2]));
  CHECK(hung_up(clients[3]));
  clients[0].reset();
  run_for(scene.loop, milliseconds(5));
  const UniqueFd again = connect_unix(scene.path);
  run_for(scene.loop, milliseconds(5));
  CHECK_FALSE(hung_up(again));
}

TEST_CASE("a stranger does not get a reserved place") {
  Scene scene;
  if (::geteuid() != 0) {
    MESSAGE("left out: only root can become another user");
    return;
  }
  REQUIRE(::chmod(scene.folder.path().c_str(), 0755) == 0);
  ControlLimits limits;
  limits.connections = 1;
  limits.reserved = 1;
  REQUIRE(scene.open(limits, 0666));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto outcome = call_daemon(
        scene.path, "{}", [](const std::string&) {}, std::chrono::seconds(5));
    ::_exit(code_of(outcome) == "NO_ANSWER" ? 0 : 1);
  }
  int status = -1;
  scene.run_until([&] {
    scene.loop.start_timer(milliseconds(5), [] {});
    return ::waitpid(child, &status, WNOHANG) == child;
  });
  CHECK(status == 0);
  const UniqueFd root = connect_unix(scene.path);
  run_for(scene.loop, milliseconds(5));
  CHECK_FALSE(hung_up(root));
}

TEST_CASE("without descriptors the loop rests, and accepts later") {
  Scene scene;
  REQUIRE(scene.open());
  const UniqueFd client = connect_unix(scene.path);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(client.get()) + 1;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  int turns = 0;
  bool over = false;
  scene.loop.start_timer(milliseconds(50), [&over] { over = true; });
  scene.loop.run_until([&] { return ++turns > 1000 || over; });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(turns < 20);
  REQUIRE(say(client, "still there\n"));
  scene.run_until([&] { return !scene.requests.empty(); });
}

TEST_CASE("a request may destroy the server it came over") {
  Scene scene;
  std::shared_ptr<ControlConnection> kept;
  REQUIRE(scene.open([&](const std::shared_ptr<ControlConnection>& connection, const auto&) {
    connection->send_line("good bye");
    kept = connection;
    scene.server.reset();
  }));
  const UniqueFd client = connect_unix(scene.path);
  const UniqueFd other = connect_unix(scene.path);
  REQUIRE(say(client, "stop\nand this is not read\n"));
  scene.run_until([&] { return kept != nullptr; });
  CHECK(heard(client) == "good bye\n");
  CHECK(hung_up(client));
  CHECK(hung_up(other));
  CHECK_FALSE(kept->open());
  kept->send_line("to nobody");
  CHECK(::access(scene.path.c_str(), F_OK) != 0);
}
