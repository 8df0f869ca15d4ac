#include "agent/world/curl_transport.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include "agent/world/dns_client.h"
#include "agent/world/posix_files.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/dns_server.h"
#include "tests/agent/world/temporary_folder.h"
#include "tests/agent/world/tls_server.h"

using namespace nolapse;
using std::chrono::milliseconds;

namespace {

// A DNS that knows ca.example and proxy.example, both here; a test may change the addresses.
class HereDns final : public Dns {
 public:
  explicit HereDns(EventLoop& loop) : loop_(loop) {}
  void resolve(std::string host, Completion<std::vector<std::string>> done) override {
    ++look_ups;
    loop_.post([this, host, done] {
      if (host.starts_with("127.")) return done(std::vector<std::string>{host});
      if (host.ends_with(".example")) return done(addresses);
      done(fail(ErrorKind::input, "NAME_NOT_FOUND", host + " does not exist"));
    });
  }
  void ask(DnsLookup, Completion<DnsAnswer>) override {}
  void update(DnsUpdate, Completion<void>) override {}
  int look_ups = 0;
  std::vector<std::string> addresses = {"::1", "127.0.0.1"};

 private:
  EventLoop& loop_;
};

struct Client {
  Result<acme::HttpResponse> send(acme::HttpRequest request, HttpOptions options) {
    return await<Result<acme::HttpResponse>>(loop, [&](Completion<acme::HttpResponse> done) {
      http.send(std::move(request), std::move(options), done);
    });
  }
  Result<acme::HttpResponse> get(const std::string& url, const std::string& roots_file) {
    HttpOptions options;
    options.roots_file = roots_file;
    return send({"GET", url, {}, ""}, options);
  }
  EventLoop loop;
  WorkerPool workers{loop, 2};
  HereDns dns{loop};
  TrustStores trust_stores{workers};
  CurlTransport http{loop, dns, trust_stores};
};

struct Site {
  explicit Site(TlsTestServer::Handler handler) : server({leaf}, std::move(handler)) {}
  std::string url(const std::string& path = "/") const {
    return "https://ca.example:" + std::to_string(server.port()) + path;
  }
  TestCertificate root = make_certificate(nullptr, "Test Root", "");
  TestCertificate leaf = make_certificate(&root, "ca", "DNS:ca.example,IP:127.0.0.1");
  TemporaryFolder folder;
  std::string roots_file = folder.write("roots.pem", root.pem());
  TlsTestServer server;
};

std::optional<std::string> echo(const std::string& request) {
  return http_ok(request, "Replay-Nonce: abc\r\nLink: <a>;rel=\"up\"\r\nLink: <b>;rel=\"x\"\r\n");
}

}  // namespace

TEST_CASE("a request goes out as it was asked for, over a connection that is used again") {
  Site site(&echo);
  Client client;
  HttpOptions options;
  options.roots_file = site.roots_file;
  const auto posted = client.send({"POST",
                                   site.url("/new-order"),
                                   {{"Content-Type", "application/jose+json"}},
                                   std::string("{\"a\":1}")},
                                  options);
  REQUIRE(posted);
  CHECK(posted->status == 200);
  CHECK(posted->header("replay-nonce") == "abc");
  CHECK(posted->header_values("Link").size() == 2);
  CHECK(posted->body.starts_with("POST /new-order HTTP/1.1\r\n"));
  CHECK(posted->body.find("User-Agent: nolapse/") != std::string::npos);
  CHECK(posted->body.find(" libcurl/") != std::string::npos);
  CHECK(posted->body.find("Content-Type: application/jose+json\r\n") != std::string::npos);
  CHECK(posted->body.find("Expect:") == std::string::npos);
  CHECK(posted->body.ends_with("\r\n\r\n{\"a\":1}"));
  const auto got = client.get(site.url("/directory"), site.roots_file);
  REQUIRE(got);
  CHECK(got->body.starts_with("GET /directory HTTP/1.1\r\n"));
  CHECK(site.server.connections() == 1);
  CHECK(site.server.server_name() == "ca.example");
}

TEST_CASE("HEAD ends with the header, whatever length it announces") {
  Site site([](const std::string& request) -> std::optional<std::string> {
    CHECK(request.starts_with("HEAD "));
    return "HTTP/1.1 200 OK\r\nReplay-Nonce: n1\r\nContent-Length: 1000\r\n\r\n";
  });
  Client client;
  HttpOptions options;
  options.roots_file = site.roots_file;
  const auto result = client.send({"HEAD", site.url(), {}, ""}, options);
  REQUIRE(result);
  CHECK(result->header("Replay-Nonce") == "n1");
  CHECK(result->body.empty());
}

TEST_CASE("any status is a response; redirects are not followed; interim responses are dropped") {
  Site site([](const std::string& request) -> std::optional<std::string> {
    if (request.starts_with("GET /moved")) {
      return "HTTP/1.1 302 Found\r\nLocation: https://ca.example:1/\r\nContent-Length: 0\r\n\r\n";
    }
    return "HTTP/1.1 100 Continue\r\nReplay-Nonce: wrong\r\n\r\n"
           "HTTP/1.1 503 Busy\r\nRetry-After:  120 \r\nContent-Length: 4\r\n\r\nbusy";
  });
  Client client;
  const auto moved = client.get(site.url("/moved"), site.roots_file);
  REQUIRE(moved);
  CHECK(moved->status == 302);
  const auto busy = client.get(site.url(), site.roots_file);
  REQUIRE(busy);
  CHECK(busy->status == 503);
  CHECK(busy->body == "busy");
  CHECK(busy->header("Replay-Nonce").empty());
  CHECK(busy->header("Retry-After") == "120");
}

TEST_CASE("a body or a header that is too long is an error") {
  Site site([](const std::string& request) -> std::optional<std::string> {
    if (request.starts_with("GET /header")) {
      return http_ok("x", "X-Long: " + std::string(70'000, 'y') + "\r\n");
    }
    return http_ok(std::string(5000, 'x'));
  });
  Client client;
  HttpOptions options;
  options.roots_file = site.roots_file;
  options.body_limit = 4999;
  const auto body = client.send({"GET", site.url(), {}, ""}, options);
  REQUIRE_FALSE(body);
  CHECK(body.error().kind == ErrorKind::transient);
  CHECK(body.error().code == "BODY_TOO_LONG");
  options.body_limit = 5000;
  CHECK(client.send({"GET", site.url(), {}, ""}, options));
  CHECK(client.send({"GET", site.url("/header"), {}, ""}, options).error().code == "BODY_TOO_LONG");
}

TEST_CASE("failures name the place and the cause") {
  Site site([](const std::string&) -> std::optional<std::string> { return std::nullopt; });
  const PlainTestServer plain("HTTP/1.1 400 Bad Request\r\n\r\n", false);
  Client client;
  const std::string closed = std::to_string(unused_port());
  struct Row {
    std::string url;
    std::string roots_file;
    const char* code;
    std::vector<std::string> texts;
  };
  const std::string refused_url = "https://ca.example:" + closed + "/";
  const std::string plain_url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/";
  for (const Row& row :
       {Row{refused_url, "", "CA_UNREACHABLE", {refused_url, "127.0.0.1", "Connection refused"}},
        Row{site.url(), site.roots_file, "CA_UNREACHABLE", {site.url()}},
        Row{site.url(), "", "CA_TLS", {"certificate verify failed", "local issuer", "roots"}},
        Row{site.url(), "/no/roots.pem", "CA_TLS", {"/no/roots.pem", "No such file"}},
        Row{plain_url, "", "CA_TLS", {plain_url, "TLS handshake failed"}},
        Row{"https://other.invalid/", "", "CA_UNREACHABLE", {"other.invalid does not exist"}},
        Row{"http://ca.example/", "", "CA_UNREACHABLE", {"not an https URL"}},
        Row{"https://b\xc3\xbc"
            "cher.example/",
            "",
            "CA_UNREACHABLE",
            {"not a URL"}},
        Row{"nonsense", "", "CA_UNREACHABLE", {"nonsense"}}}) {
    CAPTURE(row.url);
    const auto result = client.get(row.url, row.roots_file);
    REQUIRE_FALSE(result);
    CAPTURE(result.error().message);
    CHECK(result.error().kind == ErrorKind::transient);
    CHECK(result.error().code == row.code);
    for (const auto& text : row.texts) {
      CAPTURE(text);
      CHECK(result.error().message.find(text) != std::string::npos);
    }
  }
  HttpOptions options;
  const auto split =
      client.send({"GET", site.url(), {{"If-None-Match", "a\r\nX: b"}}, ""}, options);
  REQUIRE_FALSE(split);
  CHECK(split.error().message.find("line break") != std::string::npos);
}

TEST_CASE("plain http is spoken only where the caller asks for it") {
  const PlainTestServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", false);
  const std::string url = "http://ca.example:" + std::to_string(server.port()) + "/7.crl";
  Client client;
  HttpOptions options;
  const auto refused = client.send({"GET", url, {}, ""}, options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("not an https URL") != std::string::npos);
  CHECK(server.received().empty());
  options.plain_http = true;
  client.dns.addresses = {"127.0.0.1"};
  const auto reply = client.send({"GET", url, {}, ""}, options);
  if (!reply) FAIL(reply.error().message);
  CHECK(reply->body == "hi");
  CHECK(server.received().starts_with("GET /7.crl HTTP/1.1\r\n"));
  CHECK_FALSE(client.send({"GET", "ftp://ca.example/7.crl", {}, ""}, options));

  const PlainTestServer silent("", true);
  options.timeout = milliseconds(200);
  const auto late = client.send(
      {"GET", "http://127.0.0.1:" + std::to_string(silent.port()) + "/", {}, ""}, options);
  REQUIRE_FALSE(late);
  CHECK(late.error().message.find("no response") != std::string::npos);
}

TEST_CASE("a certificate of another name is refused") {
  Site site(&echo);
  Client client;
  const auto result = client.get(
      "https://wrong.example:" + std::to_string(site.server.port()) + "/", site.roots_file);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "CA_TLS");
  CHECK(result.error().message.find("wrong.example") != std::string::npos);
}

TEST_CASE("an exchange that takes too long says what it waited for, and the loop goes on") {
  const PlainTestServer silent("", true);
  Site slow([](const std::string&) -> std::optional<std::string> {
    std::this_thread::sleep_for(milliseconds(400));
    return http_ok("late");
  });
  Client client;
  milliseconds longest{0};
  auto last = client.loop.uptime();
  std::function<void()> tick = [&] {
    longest = std::max(longest, client.loop.uptime() - last);
    last = client.loop.uptime();
    client.loop.start_timer(milliseconds(5), tick);
  };
  tick();
  HttpOptions options;
  options.timeout = milliseconds(200);
  options.roots_file = slow.roots_file;
  const auto mute =
      client.send({"GET", "https://127.0.0.1:" + std::to_string(silent.port()), {}, ""}, options);
  REQUIRE_FALSE(mute);
  CHECK(mute.error().code == "CA_TIMEOUT");
  CAPTURE(mute.error().message);
  CHECK(mute.error().message.find("no TLS handshake") != std::string::npos);
  const auto late = client.send({"GET", slow.url(), {}, ""}, options);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == "CA_TIMEOUT");
  CHECK(late.error().message.find("no response within") != std::string::npos);
  CHECK(longest < milliseconds(150));
}

TEST_CASE("proxies in the environment are ignored, the one that is named is used") {
  Site site(&echo);
  const PlainTestServer proxy("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false);
  const std::string proxy_url = "http://proxy.example:" + std::to_string(proxy.port());
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    ::setenv(name, proxy_url.c_str(), 1);
  }
  ::setenv("no_proxy", "*", 1);
  Client client;
  const auto direct = client.get(site.url(), site.roots_file);
  CHECK(direct);
  CHECK(proxy.received().empty());
  HttpOptions options;
  options.roots_file = site.roots_file;
  options.proxy = proxy_url;
  // The proxy resolves the target; a name that only it knows is no business of ours.
  const auto refused = client.send({"GET", "https://inside.invalid/", {}, ""}, options);
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"}) {
    ::unsetenv(name);
  }
  REQUIRE_FALSE(refused);
  CHECK(proxy.received().starts_with("CONNECT inside.invalid:443 HTTP/1.1\r\n"));
  CHECK(refused.error().message.find("403") != std::string::npos);
  CHECK(refused.error().message.find("proxy.example") != std::string::npos);
  for (const char* wrong : {"ftp://proxy.example", "socks5://proxy.example", "http://"}) {
    options.proxy = wrong;
    CHECK(client.send({"GET", site.url(), {}, ""}, options).error().message.find("proxy") !=
          std::string::npos);
  }
}

TEST_CASE("a connection that was verified with other anchors is not used again") {
  Site site(&echo);
  Client client;
  REQUIRE(client.get(site.url(), site.roots_file));
  CHECK(client.get(site.url(), "").error().code == "CA_TLS");
  const auto same = site.folder.write("same.pem", site.root.pem());
  CHECK(client.get(site.url(), same));
  CHECK(site.server.connections() == 3);
}

TEST_CASE("fresh addresses replace those of an earlier request") {
  Site site([](const std::string&) -> std::optional<std::string> {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  });
  Client client;
  client.dns.addresses = {"127.0.0.9"};
  CHECK(client.get(site.url(), site.roots_file).error().code == "CA_UNREACHABLE");
  client.dns.addresses = {"127.0.0.1"};
  CHECK(client.get(site.url(), site.roots_file));
  client.dns.addresses = {"127.0.0.9"};
  CHECK_FALSE(client.get(site.url(), site.roots_file));
}

TEST_CASE("with a name server that never answers, the loop goes on and the time-out holds") {
  DnsTestServer dead([](const DnsTestQuery&) { return std::nullopt; });
  const TemporaryFolder folder;
  EventLoop loop;
  WorkerPool workers(loop, 2);
  PosixFiles files(workers, folder / "state");
  DnsClient dns(loop, files, {.server = dead.address(), .resolv_conf = "", .hosts = ""});
  TrustStores trust_stores(workers);
  CurlTransport http(loop, dns, trust_stores);
  milliseconds longest{0};
  auto last = loop.uptime();
  std::function<void()> tick = [&] {
    longest = std::max(longest, loop.uptime() - last);
    last = loop.uptime();
    loop.start_timer(milliseconds(5), tick);
  };
  tick();
  HttpOptions options;
  options.timeout = milliseconds(300);
  const auto before = loop.uptime();
  const auto result =
      await<Result<acme::HttpResponse>>(loop, [&](Completion<acme::HttpResponse> done) {
        http.send({"GET", "https://ca.example/", {}, ""}, options, done);
      });
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "CA_TIMEOUT");
  CHECK(result.error().message.find("no address") != std::string::npos);
  CHECK(loop.uptime() - before < milliseconds(3000));
  CHECK(longest < milliseconds(150));
}

TEST_CASE("exchanges that are under way when the world ends call nobody") {
  const PlainTestServer silent("", true);
  Client client;
  client.http.send({"GET", "https://127.0.0.1:" + std::to_string(silent.port()), {}, ""}, {},
                   [](Result<acme::HttpResponse>) { FAIL("called after the end"); });
  run_for(client.loop, milliseconds(50));
}
