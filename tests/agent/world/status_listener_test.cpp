// The server of the status page with real sockets: what it refuses, what each reply says, and that
// a reply may take its time.
#include "agent/world/status_listener.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "agent/world/listen_socket.h"
#include "agent/world/sockets.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/tls_server.h"

using namespace nolapse;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// One request on the loop, so that the server runs meanwhile. `received` grows until it ends.
class Visit {
 public:
  Visit(EventLoop& loop, const std::string& peer, const std::string& request) : loop_(loop) {
    const auto address = SocketAddress::parse(peer);
    REQUIRE(address);
    fd_ = open_socket(address->family(), SocketKind::stream);
    REQUIRE(start_connecting(fd_.get(), *address) == 0);
    run_for(loop_, milliseconds(2));
    CHECK(::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size()));
    loop_.watch(fd_.get(), EventLoop::readable, [this](unsigned) { read(); });
  }
  ~Visit() { loop_.unwatch(fd_.get()); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  bool ended() const { return ended_; }
  std::string wait(Duration limit = seconds(5)) {
    bool expired = false;
    const auto timer = loop_.start_timer(limit, [&] { expired = true; });
    loop_.run_until([&] { return ended_ || expired; });
    loop_.cancel_timer(timer);
    CHECK(ended_);
    return received_;
  }

 private:
  void read() {
    std::array<char, 65536> buffer;
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

std::string request(const std::string& method, const std::string& path,
                    const std::string& host = "127.0.0.1") {
  return method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

std::string free_address() {
  return "127.0.0.1:" + std::to_string(unused_port());
}

// The page "/here" at once; "/later" when `later` is called.
struct Pages {
  StatusListener::Pages pages() {
    return [this](const std::string& path, const StatusListener::Reply& reply) {
      if (path == "/here") return reply(plain_page(200, "hello"));
      if (path == "/later") return later.push_back(reply);
      reply(plain_page(404, "not here"));
    };
  }
  std::vector<StatusListener::Reply> later;
};

std::unique_ptr<StatusListener> open_listener(
    EventLoop& loop, const std::string& listen, StatusListener::Pages pages,
    UniqueFd inherited = {}, const StatusListener::Limits& limits = StatusListener::usual_limits) {
  auto opened = StatusListener::open(loop, listen, std::move(inherited), std::move(pages), limits);
  REQUIRE(opened);
  return std::move(*opened);
}

}  // namespace

TEST_CASE("a listener on loopback answers to addresses and to localhost only") {
  for (const char* host :
       {"", "localhost", "localhost:9180", "LOCALHOST", "localhost.", "page.localhost:1",
        "127.0.0.1", "127.0.0.1:9180", "[::1]", "[::1]:9180", "192.0.2.7"}) {
    CAPTURE(host);
    CHECK(is_host_of_loopback(host));
  }
  for (const char* host :
       {"evil.example", "evil.example:9180", "localhost.evil.example", "127.0.0.1.evil.example",
        "[evil.example]", "notlocalhost", ":", "[", ":1", "localhost:x", "::1"}) {
    CAPTURE(host);
    CHECK_FALSE(is_host_of_loopback(host));
  }
}

TEST_CASE("what is asked for decides the status, and a query is ignored") {
  EventLoop loop;
  Pages pages;
  const std::string listen = free_address();
  const auto listener = open_listener(loop, listen, pages.pages());
  struct Row {
    const char* method;
    std::string path;
    const char* host;
    const char* status;
  };
  for (const Row& row :
       {Row{"GET", "/here", "127.0.0.1", "200"}, Row{"GET", "/here?a=b", "localhost:1", "200"},
        Row{"HEAD", "/here", "127.0.0.1", "200"}, Row{"GET", "/here/", "127.0.0.1", "404"},
        Row{"GET", "/", "127.0.0.1", "404"}, Row{"POST", "/here", "127.0.0.1", "405"},
        Row{"DELETE", "/here", "127.0.0.1", "405"}, Row{"OPTIONS", "/here", "127.0.0.1", "405"},
        Row{"GET", "/here", "evil.example", "421"},
        Row{"GET", "/" + std::string(40'000, 'x'), "127.0.0.1", "4"}}) {
    CAPTURE(row.method);
    CAPTURE(row.path.substr(0, 20));
    const auto reply = Visit(loop, listen, request(row.method, row.path, row.host)).wait();
    CHECK(reply.starts_with(std::string("HTTP/1.1 ") + row.status));
  }
  CHECK(Visit(loop, listen, request("POST", "/here")).wait().find("Allow: GET, HEAD\r\n") !=
        std::string::npos);
  const auto head = Visit(loop, listen, request("HEAD", "/here")).wait();
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK(Visit(loop, listen, "\x16\x03\x01 not http at all\r\n\r\n").wait().find("hello") ==
        std::string::npos);
}

TEST_CASE("every reply says that it may not be kept, framed, guessed at or run") {
  EventLoop loop;
  Pages pages;
  const std::string listen = free_address();
  const auto listener = open_listener(loop, listen, pages.pages());
  for (const std::string& asked :
       {request("GET", "/here"), request("GET", "/nowhere"), request("PUT", "/here"),
        request("GET", "/here", "evil.example")}) {
    const auto reply = Visit(loop, listen, asked).wait();
    for (const char* header :
         {"\r\nCache-Control: no-store\r\n", "\r\nX-Content-Type-Options: nosniff\r\n",
          "\r\nX-Frame-Options: DENY\r\n", "\r\nReferrer-Policy: no-referrer\r\n",
          "\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src "
          "data:",
          "frame-ancestors 'none'", "\r\nContent-Type: text/plain; charset=utf-8\r\n"}) {
      CAPTURE(reply);
      CAPTURE(header);
      CHECK(reply.find(header) != std::string::npos);
    }
  }
}

TEST_CASE("a reply may come later, and others are served meanwhile") {
  EventLoop loop;
  Pages pages;
  const std::string listen = free_address();
  const auto listener = open_listener(loop, listen, pages.pages());
  Visit slow(loop, listen, request("GET", "/later"));
  CHECK(Visit(loop, listen, request("GET", "/here")).wait().ends_with("hello\n"));
  CHECK_FALSE(slow.ended());
  REQUIRE(pages.later.size() == 1);
  CHECK(listener->has_connections());
  pages.later[0](plain_page(200, "at last"));
  pages.later[0](plain_page(200, "and again"));
  const auto reply = slow.wait();
  CHECK(reply.starts_with("HTTP/1.1 200 "));
  CHECK(reply.ends_with("at last\n"));
  run_for(loop, milliseconds(20));
  CHECK_FALSE(listener->has_connections());
}

TEST_CASE("one that has left, and a listener that ends, are no harm to a reply") {
  EventLoop loop;
  Pages pages;
  const std::string listen = free_address();
  auto listener = open_listener(loop, listen, pages.pages());
  auto left = std::make_unique<Visit>(loop, listen, request("GET", "/later"));
  run_for(loop, milliseconds(20));
  left.reset();
  run_for(loop, milliseconds(20));
  REQUIRE(pages.later.size() == 1);
  pages.later[0](plain_page(200, "nobody reads this"));
  run_for(loop, milliseconds(20));
  Visit waiting(loop, listen, request("GET", "/later"));
  run_for(loop, milliseconds(20));
  REQUIRE(pages.later.size() == 2);
  listener.reset();
  pages.later[1](plain_page(200, "too late"));
  CHECK(waiting.wait().find("too late") == std::string::npos);
}

TEST_CASE("a page that is larger than any buffer comes whole") {
  EventLoop loop;
  const std::string listen = free_address();
  auto body = std::make_shared<std::string>();
  for (int i = 0; i < 1'000'000; ++i) *body += std::to_string(i % 10) + "234567\n";
  const auto listener =
      open_listener(loop, listen, [body](const std::string&, const StatusListener::Reply& reply) {
        reply({200, "text/plain", body});
      });
  const auto reply = Visit(loop, listen, request("GET", "/")).wait();
  CHECK(reply.size() > body->size());
  CHECK(reply.ends_with(*body));
}

TEST_CASE("who says nothing, and who waits for ever, is shown out") {
  EventLoop loop;
  Pages pages;
  StatusListener::Limits limits = StatusListener::usual_limits;
  limits.silence = seconds(1);
  limits.connections = 4;
  const std::string listen = free_address();
  const auto listener = open_listener(loop, listen, pages.pages(), {}, limits);
  std::vector<std::unique_ptr<Visit>> crowd;
  for (int i = 0; i < 12; ++i) crowd.push_back(std::make_unique<Visit>(loop, listen, "GET / "));
  CHECK(Visit(loop, listen, request("GET", "/here")).wait(seconds(10)).ends_with("hello\n"));
}

TEST_CASE("a socket goes on to the next listener, and nobody who waits on it is lost") {
  EventLoop loop;
  Pages pages;
  const std::string listen = free_address();
  auto first = open_listener(loop, listen, pages.pages());
  CHECK(Visit(loop, listen, request("GET", "/here")).wait().ends_with("hello\n"));
  UniqueFd socket = first->stop_accepting();
  REQUIRE(socket);
  first.reset();
  Visit between(loop, listen, request("GET", "/here"));
  run_for(loop, milliseconds(20));
  CHECK_FALSE(between.ended());
  const auto next = open_listener(loop, listen, pages.pages(), std::move(socket));
  CHECK(between.wait().ends_with("hello\n"));
}

TEST_CASE("a port in use names its holder and what to do") {
  EventLoop loop;
  const PlainTestServer holder("", true);
  const auto taken =
      StatusListener::open(loop, "127.0.0.1:" + std::to_string(holder.port()), {}, {});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == "PORT_IN_USE");
  CHECK(taken.error().message.find("another status_listen") != std::string::npos);
  CHECK(taken.error().message.find("webroot") == std::string::npos);
}
