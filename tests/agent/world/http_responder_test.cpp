#include "agent/world/http_responder.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "agent/world/listen_socket.h"
#include "agent/world/sockets.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/tls_server.h"

using namespace nolapse;
using std::chrono::milliseconds;

namespace {

// A client on the loop, so that the responder runs meanwhile.
class RawClient {
 public:
  RawClient(EventLoop& loop, const std::string& peer) : loop_(loop) {
    const auto address = SocketAddress::parse(peer);
    REQUIRE(address);
    fd_ = open_socket(address->family(), SocketKind::stream);
    REQUIRE(start_connecting(fd_.get(), *address) == 0);
    loop_.watch(fd_.get(), EventLoop::readable, [this](unsigned) { read(); });
  }
  ~RawClient() { loop_.unwatch(fd_.get()); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(const std::string& text) {
    run_for(loop_, milliseconds(2));
    CHECK(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
  }
  // The server may have ended the connection.
  void add(const std::string& text) {
    if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) ended_ = true;
  }
  bool ended() const { return ended_; }
  bool wait_for_end(Duration limit) {
    bool expired = false;
    const auto timer = loop_.start_timer(limit, [&] { expired = true; });
    loop_.run_until([&] { return ended_ || expired; });
    loop_.cancel_timer(timer);
    return ended_;
  }
  const std::string& received() const { return received_; }

 private:
  void read() {
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EAGAIN) {
      ended_ = true;
      loop_.unwatch(fd_.get());
    }
  }

  EventLoop& loop_;
  UniqueFd fd_;
  std::string received_;
  bool ended_ = false;
};

std::string exchange(EventLoop& loop, const std::string& peer, const std::string& request) {
  RawClient client(loop, peer);
  client.send(request);
  CHECK(client.wait_for_end(std::chrono::seconds(3)));
  return client.received();
}

std::string get(EventLoop& loop, const std::string& peer, const std::string& path,
                const std::string& method = "GET") {
  return exchange(
      loop, peer,
      method + " " + path + " HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n");
}

bool can_connect(const std::string& peer) {
  const auto address = SocketAddress::parse(peer);
  const UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), address->get(), address->size()) == 0;
}

const std::string challenge = "/.well-known/acme-challenge/";

}  // namespace

TEST_CASE("a token is served while it is there, and the fetches are counted [RFC 8555 §8.3]") {
  EventLoop loop;
  MicrohttpdResponder responder(loop, {}, {});
  const std::string listen = "127.0.0.1:" + std::to_string(unused_port());
  REQUIRE(responder.serve(listen, "token-1", "token-1.thumbprint"));
  REQUIRE(responder.serve(listen, "token-2", "other"));
  const auto reply = get(loop, listen, challenge + "token-1");
  CHECK(reply.starts_with("HTTP/1.1 200 "));
  CHECK(reply.ends_with("\r\n\r\ntoken-1.thumbprint"));
  CHECK(get(loop, listen, challenge + "token-1", "HEAD").ends_with("\r\n\r\n"));
  CHECK(get(loop, listen, challenge + "token-1").find("thumbprint") != std::string::npos);
  CHECK(responder.withdraw(listen, "token-1") == 2);
  CHECK(responder.withdraw(listen, "token-1") == 0);
  CHECK(get(loop, listen, challenge + "token-1").starts_with("HTTP/1.1 404 "));
  CHECK(responder.withdraw(listen, "token-2") == 0);
  CHECK_FALSE(can_connect(listen));
  REQUIRE(responder.serve(listen, "token-3", "x"));
  CHECK(get(loop, listen, challenge + "token-3").ends_with("x"));
}

TEST_CASE("everything else is refused") {
  EventLoop loop;
  MicrohttpdResponder responder(loop, {}, {});
  const std::string listen = "127.0.0.1:" + std::to_string(unused_port());
  REQUIRE(responder.serve(listen, "token", "secret"));
  struct Row {
    const char* method;
    std::string path;
    const char* status;
  };
  for (const Row& row :
       {Row{"GET", "/", "404"}, Row{"GET", "/etc/passwd", "404"}, Row{"GET", challenge, "404"},
        Row{"GET", challenge + "toke", "404"}, Row{"GET", challenge + "token/", "404"},
        Row{"GET", challenge + "../token", "404"}, Row{"POST", challenge + "token", "405"},
        Row{"DELETE", challenge + "token", "405"},
        Row{"GET", challenge + std::string(20'000, 'x'), "4"}}) {
    CAPTURE(row.path);
    const auto reply = get(loop, listen, row.path, row.method);
    CHECK(reply.starts_with(std::string("HTTP/1.1 ") + row.status));
    CHECK(reply.find("secret") == std::string::npos);
  }
  exchange(loop, listen, "\x16\x03\x01 not http at all\r\n\r\n");
  CHECK(get(loop, listen, challenge + "token").ends_with("secret"));
  CHECK(responder.withdraw(listen, "token") == 1);
}

TEST_CASE("one listener on [::] serves both families") {
  EventLoop loop;
  MicrohttpdResponder responder(loop, {}, {});
  const std::string port = ":" + std::to_string(unused_port());
  REQUIRE(responder.serve("[::]" + port, "token", "body"));
  CHECK(get(loop, "127.0.0.1" + port, challenge + "token").ends_with("body"));
  CHECK(get(loop, "[::1]" + port, challenge + "token").ends_with("body"));
}

TEST_CASE("a port in use names who has it, and a bad address is told") {
  EventLoop loop;
  MicrohttpdResponder responder(loop, {}, {});
  const PlainTestServer holder("", true);
  const auto taken = responder.serve("127.0.0.1:" + std::to_string(holder.port()), "t", "b");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::local);
  CHECK(taken.error().code == "PORT_IN_USE");
  std::string me;
  std::ifstream("/proc/self/comm") >> me;
  me += " (pid " + std::to_string(::getpid()) + ")";
  CHECK(taken.error().message.find(me) != std::string::npos);
  for (const char* listen : {"nonsense", "localhost:80", "127.0.0.1", "192.0.2.1:0"}) {
    const auto refused = responder.serve(listen, "t", "b");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == "LISTEN_FAILED");
  }
  CHECK(responder.withdraw("nonsense", "t") == 0);
}

TEST_CASE("silent and dawdling clients are shown out, others are served meanwhile") {
  EventLoop loop;
  MicrohttpdResponder::Limits limits;
  limits.silence = std::chrono::seconds(1);
  limits.age = milliseconds(2500);
  MicrohttpdResponder responder(loop, {}, limits);
  const std::string listen = "127.0.0.1:" + std::to_string(unused_port());
  REQUIRE(responder.serve(listen, "token", "body"));
  RawClient silent(loop, listen);
  RawClient dawdling(loop, listen);
  dawdling.send("GET / HTTP/1.1\r\n");
  std::function<void()> dawdle = [&] {
    dawdling.add("X");
    loop.start_timer(milliseconds(200), dawdle);
  };
  dawdle();
  CHECK(get(loop, listen, challenge + "token").ends_with("body"));
  CHECK(silent.wait_for_end(std::chrono::seconds(5)));
  CHECK_FALSE(dawdling.ended());
  CHECK(dawdling.wait_for_end(std::chrono::seconds(5)));
}

TEST_CASE("more connections than the limit do no harm") {
  EventLoop loop;
  MicrohttpdResponder::Limits limits;
  limits.connections = 4;
  limits.age = milliseconds(300);
  MicrohttpdResponder responder(loop, {}, limits);
  const std::string listen = "127.0.0.1:" + std::to_string(unused_port());
  REQUIRE(responder.serve(listen, "token", "body"));
  std::vector<std::unique_ptr<RawClient>> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(std::make_unique<RawClient>(loop, listen));
  run_for(loop, milliseconds(700));
  crowd.clear();
  CHECK(get(loop, listen, challenge + "token").ends_with("body"));
}

TEST_CASE("a socket passed by the service manager is adopted by its port, again and again") {
  EventLoop loop;
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(socket.get(), 8) == 0);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const std::string port = ":" + std::to_string(ntohs(address.sin_port));
  constexpr int first_fd = 200;
  REQUIRE(::dup2(socket.get(), first_fd) == first_fd);
  socket.reset();

  const std::string me = std::to_string(::getpid());
  CHECK(passed_sockets(nullptr, nullptr, first_fd).empty());
  CHECK(passed_sockets("1", "1", first_fd).empty());
  CHECK(passed_sockets(me.c_str(), "x", first_fd).empty());
  CHECK(passed_sockets(me.c_str(), "-1", first_fd).empty());
  auto passed = passed_sockets(me.c_str(), "1", first_fd);
  REQUIRE(passed.size() == 1);
  CHECK((::fcntl(first_fd, F_GETFD) & FD_CLOEXEC) != 0);

  const auto kept = std::make_shared<const std::vector<UniqueFd>>(std::move(passed));
  auto responder = std::make_unique<MicrohttpdResponder>(loop, kept, MicrohttpdResponder::Limits{});
  for (int round = 0; round < 3; ++round) {
    REQUIRE(responder->serve("[::]" + port, "token", "body"));
    CHECK(get(loop, "127.0.0.1" + port, challenge + "token").ends_with("body"));
    CHECK(responder->withdraw("[::]" + port, "token") == 1);
    CHECK(can_connect("127.0.0.1" + port));  // the manager's socket listens on
    // So does it for the responder of the next world.
    responder.reset();
    responder = std::make_unique<MicrohttpdResponder>(loop, kept, MicrohttpdResponder::Limits{});
  }
}
