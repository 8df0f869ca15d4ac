#include "agent/world/tls_probe.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include "tests/agent/world/await.h"
#include "tests/agent/world/descriptor_limit.h"
#include "tests/agent/world/temporary_folder.h"
#include "tests/agent/world/tls_server.h"

using namespace nolapse;
using Outcome = ProbeReply::Outcome;

namespace {

std::optional<std::string> no_requests(const std::string&) {
  return std::nullopt;
}

struct Prober {
  ProbeReply look(int port, const std::string& name, const std::string& roots_file,
                  Duration timeout = std::chrono::seconds(5)) {
    ProbeRequest request;
    request.address = "127.0.0.1";
    request.port = static_cast<std::uint16_t>(port);
    request.server_name = name;
    request.roots_file = roots_file;
    request.timeout = timeout;
    return ask(request);
  }
  ProbeReply ask(const ProbeRequest& request) {
    return await<ProbeReply>(
        loop, [&](std::function<void(ProbeReply)> done) { probe.probe(request, done); });
  }
  EventLoop loop;
  WorkerPool workers{loop, 2};
  TrustStores trust_stores{workers};
  SocketTlsProbe probe{loop, trust_stores};
};

struct Authority {
  TestCertificate root = make_certificate(nullptr, "Test Root", "");
  TestCertificate intermediate = make_certificate(&root, "Test Intermediate", "");
  TemporaryFolder folder;
  std::string roots_file = folder.write("roots.pem", root.pem());
};

}  // namespace

TEST_CASE("an endpoint that is in order: the chain as served, and nothing to complain about") {
  const Authority ca;
  const auto leaf =
      make_certificate(&ca.intermediate, "shop", "DNS:shop.example,DNS:*.wild.example");
  TlsTestServer server({leaf, ca.intermediate}, &no_requests);
  Prober prober;
  const auto reply = prober.look(server.port(), "shop.example", ca.roots_file);
  CHECK(reply.outcome == Outcome::handshake);
  CHECK(reply.detail.empty());
  CHECK(reply.chain_error.empty());
  CHECK(reply.chain_der == std::vector<std::string>{leaf.der(), ca.intermediate.der()});
  CHECK(server.server_name() == "shop.example");
  CHECK(prober.look(server.port(), "a.wild.example", ca.roots_file).chain_error.empty());
}

TEST_CASE("an address is checked against the certificate and is not sent as SNI [RFC 6066 §3]") {
  const Authority ca;
  TlsTestServer server({make_certificate(&ca.root, "ip", "IP:127.0.0.1")}, &no_requests);
  Prober prober;
  CHECK(prober.look(server.port(), "127.0.0.1", ca.roots_file).chain_error.empty());
  CHECK(server.server_name().empty());
  CHECK(prober.look(server.port(), "127.0.0.2", ca.roots_file).chain_error.find("127.0.0.2") !=
        std::string::npos);
}

TEST_CASE("whatever is wrong with the chain, the handshake completes and the reason is told") {
  const Authority ca;
  const auto good = make_certificate(&ca.intermediate, "shop", "DNS:shop.example");
  const auto expired = make_certificate(&ca.intermediate, "shop", "DNS:shop.example", -3600);
  const auto dead = make_certificate(&ca.root, "Dead Intermediate", "", -3600);
  const auto of_dead = make_certificate(&dead, "shop", "DNS:shop.example");
  const auto own = make_certificate(nullptr, "shop", "DNS:shop.example");
  struct Row {
    std::vector<TestCertificate> chain;
    const char* name;
    std::vector<std::string> reasons;
  };
  for (const Row& row :
       {Row{{expired, ca.intermediate}, "shop.example", {"leaf certificate (shop) expired on 20"}},
        Row{{of_dead, dead}, "shop.example", {"depth 1 (Dead Intermediate) expired on 20"}},
        Row{{good, ca.intermediate}, "other.example", {"does not name other.example"}},
        Row{{good}, "shop.example", {"unable to get local issuer certificate"}},
        Row{{own}, "shop.example", {"self-signed"}},
        Row{{expired}, "other.example", {"expired on", "other.example", "local issuer"}}}) {
    TlsTestServer server(row.chain, &no_requests);
    Prober prober;
    const auto reply = prober.look(server.port(), row.name, ca.roots_file);
    CHECK(reply.outcome == Outcome::handshake);
    CHECK(reply.chain_der.size() == row.chain.size());
    for (const auto& reason : row.reasons) {
      CAPTURE(reason);
      CAPTURE(reply.chain_error);
      CHECK(reply.chain_error.find(reason) != std::string::npos);
    }
  }
}

TEST_CASE("the system's anchors do not know a private CA; a changed roots file is read again") {
  const Authority ca;
  TlsTestServer server({make_certificate(&ca.root, "shop", "DNS:shop.example")}, &no_requests);
  Prober prober;
  CHECK_FALSE(prober.look(server.port(), "shop.example", "").chain_error.empty());
  CHECK(prober.look(server.port(), "shop.example", ca.roots_file).chain_error.empty());

  const auto other = make_certificate(nullptr, "Other Root", "");
  const auto roots = ca.folder.write("changing.pem", other.pem());
  CHECK_FALSE(prober.look(server.port(), "shop.example", roots).chain_error.empty());
  ca.folder.write("changing.pem", other.pem() + ca.root.pem());
  CHECK(prober.look(server.port(), "shop.example", roots).chain_error.empty());
  ca.folder.write("changing.pem", "no certificate");
  const auto reply = prober.look(server.port(), "shop.example", roots);
  CHECK(reply.outcome == Outcome::handshake);
  CHECK(reply.chain_error.find("changing.pem") != std::string::npos);
}

TEST_CASE("no TCP is unreachable, TCP without TLS is no handshake, and both say why") {
  const PlainTestServer http("HTTP/1.1 400 Bad Request\r\n\r\n", false);
  const PlainTestServer closing("", false);
  const PlainTestServer silent("", true);
  Prober prober;
  struct Row {
    int port;
    Outcome outcome;
    const char* detail;
    Duration timeout = std::chrono::seconds(5);
  };
  for (const Row& row : {Row{unused_port(), Outcome::unreachable, "Connection refused"},
                         Row{http.port(), Outcome::no_handshake, "does not speak TLS"},
                         Row{closing.port(), Outcome::no_handshake, "closed the connection"},
                         Row{silent.port(), Outcome::no_handshake, "no TLS handshake within",
                             std::chrono::milliseconds(500)}}) {
    CAPTURE(row.detail);
    const auto reply = prober.look(row.port, "shop.example", "", row.timeout);
    CHECK(reply.outcome == row.outcome);
    CAPTURE(reply.detail);
    CHECK(reply.detail.find(row.detail) != std::string::npos);
    CHECK(reply.detail.find("127.0.0.1:" + std::to_string(row.port)) != std::string::npos);
    CHECK(reply.chain_der.empty());
  }
  ProbeRequest request;
  request.address = "not an address";
  CHECK(prober.ask(request).outcome == Outcome::unreachable);
}

TEST_CASE("of many probes some wait for their turn, and their time begins with it") {
  // Connections come about and nobody ever accepts them: no descriptor of ours on the other side.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener.get(), 512) == 0);
  REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  Prober prober;
  ProbeRequest request;
  request.address = "127.0.0.1";
  request.port = ntohs(address.sin_port);
  request.timeout = std::chrono::milliseconds(400);
  const Authority ca;
  request.roots_file = ca.roots_file;
  const DescriptorLimit limit(64 + 16);
  std::size_t answers = 0;
  constexpr std::size_t all = 150;
  for (std::size_t i = 0; i < all; ++i) {
    prober.probe.probe(request, [&](const ProbeReply& reply) {
      ++answers;
      CHECK(reply.outcome == Outcome::no_handshake);
      CAPTURE(reply.detail);
      CHECK(reply.detail.find("no TLS handshake within") != std::string::npos);
    });
  }
  const auto before = prober.loop.uptime();
  prober.loop.run_until([&] { return answers == all; });
  CHECK(prober.loop.uptime() - before >= std::chrono::milliseconds(1200));
}

TEST_CASE("probes that are under way when the world ends call nobody") {
  const PlainTestServer silent("", true);
  Prober prober;
  ProbeRequest request;
  request.address = "127.0.0.1";
  request.port = static_cast<std::uint16_t>(silent.port());
  prober.probe.probe(request, [](ProbeReply) { FAIL("called after the end"); });
  run_for(prober.loop, std::chrono::milliseconds(50));
}
