#include "agent/world/tls_alpn_responder.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "acme/tls_alpn_certificate.h"
#include "agent/world/sockets.h"
#include "agent/world/tls_probe.h"
#include "tests/agent/world/await.h"

using namespace nolapse;
using Outcome = ProbeReply::Outcome;

namespace {

const acme::Identifier shop{"dns", "shop.example"};

Time now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

std::uint16_t free_port() {
  UniqueFd fd = open_socket(AF_INET, SocketKind::stream);
  const auto any = SocketAddress::make("127.0.0.1", 0);
  REQUIRE(::bind(fd.get(), any->get(), any->size()) == 0);
  return SocketAddress::local_end(fd.get())->port();
}

struct Scene {
  std::string serve(const acme::Identifier& name, const std::string& authorization) {
    const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
    const auto certificate = acme::make_tls_alpn_certificate(name, authorization, *key, now());
    REQUIRE(certificate);
    const auto served =
        responder.serve(listen, acme::tls_alpn_server_name(name), *certificate, *key);
    REQUIRE(served);
    return *certificate;
  }
  ProbeReply look(const std::string& server_name, const std::string& protocol) {
    ProbeRequest request;
    request.address = "127.0.0.1";
    request.port = port;
    request.server_name = server_name;
    request.application_protocol = protocol;
    return await<ProbeReply>(
        loop, [&](std::function<void(ProbeReply)> done) { probe.probe(request, done); });
  }
  explicit Scene(SocketTlsAlpnResponder::Limits limits = {}) : responder(loop, {}, limits) {}
  EventLoop loop;
  WorkerPool workers{loop, 2};
  TrustStores trust_stores{workers};
  SocketTlsProbe probe{loop, trust_stores};
  SocketTlsAlpnResponder responder;
  std::uint16_t port = free_port();
  std::string listen = "127.0.0.1:" + std::to_string(port);
};

}  // namespace

TEST_CASE("47: a handshake as a CA makes it is shown the validation certificate [RFC 8737 §3]") {
  Scene scene;
  const std::string certificate = scene.serve(shop, "token.thumbprint");
  for (const char* name : {"shop.example", "SHOP.example"}) {
    CAPTURE(name);
    const auto reply = scene.look(name, "acme-tls/1");
    REQUIRE(reply.outcome == Outcome::handshake);
    REQUIRE(reply.chain_der.size() == 1);
    CHECK(reply.chain_der.front() == certificate);
    CHECK(acme::proves_by_tls_alpn(reply.chain_der.front(), shop, "token.thumbprint"));
  }
  CHECK(scene.responder.withdraw(scene.listen, "shop.example", certificate) == 2);
  CHECK(scene.look("shop.example", "acme-tls/1").outcome == Outcome::unreachable);
}

TEST_CASE("47: anything but exactly acme-tls/1 and a served name gets an alert [RFC 8737 §3]") {
  Scene scene;
  const std::string certificate = scene.serve(shop, "token.thumbprint");
  struct Row {
    const char* server_name;
    const char* protocol;
  };
  for (const Row& row : {Row{"shop.example", ""}, Row{"shop.example", "h2"},
                         Row{"shop.example", "acme-tls/2"}, Row{"", "acme-tls/1"},
                         Row{"www.shop.example", "acme-tls/1"}, Row{"example", "acme-tls/1"}}) {
    CAPTURE(row.server_name);
    CAPTURE(row.protocol);
    CHECK(scene.look(row.server_name, row.protocol).outcome == Outcome::no_handshake);
  }
  CHECK(scene.responder.withdraw(scene.listen, "shop.example", certificate) == 0);
}

TEST_CASE("46: an address is asked for by its reverse name [RFC 8738 §6]") {
  for (const acme::Identifier& address :
       {acme::Identifier{"ip", "192.0.2.1"}, acme::Identifier{"ip", "2001:db8::1"}}) {
    Scene scene;
    scene.serve(address, "token.thumbprint");
    const std::string name = acme::tls_alpn_server_name(address);
    const auto reply = scene.look(name, "acme-tls/1");
    REQUIRE(reply.outcome == Outcome::handshake);
    CHECK(acme::proves_by_tls_alpn(reply.chain_der.front(), address, "token.thumbprint"));
    CHECK(scene.look(name + ".", "acme-tls/1").outcome == Outcome::handshake);
  }
}

TEST_CASE("of two certificates for one name the newest is shown, and the other after it") {
  Scene scene;
  const std::string first = scene.serve(shop, "first.thumbprint");
  const std::string second = scene.serve(shop, "second.thumbprint");
  CHECK(scene.look("shop.example", "acme-tls/1").chain_der.front() == second);
  CHECK(scene.responder.withdraw(scene.listen, "shop.example", second) == 1);
  CHECK(scene.look("shop.example", "acme-tls/1").chain_der.front() == first);
}

TEST_CASE("who sends nothing, or not TLS, keeps nobody else from the proof") {
  Scene scene({.connections = 4, .age = std::chrono::milliseconds(300)});
  scene.serve(shop, "token.thumbprint");
  std::vector<UniqueFd> idle;
  const auto peer = SocketAddress::make("127.0.0.1", scene.port);
  for (int i = 0; i < 20; ++i) {
    UniqueFd fd = open_socket(AF_INET, SocketKind::stream);
    REQUIRE(start_connecting(fd.get(), *peer) == 0);
    if (i % 2 == 0) REQUIRE(::send(fd.get(), "GET / HTTP/1.1\r\n", 16, MSG_NOSIGNAL) >= 0);
    idle.push_back(std::move(fd));
    run_for(scene.loop, std::chrono::milliseconds(2));
  }
  CHECK(scene.look("shop.example", "acme-tls/1").outcome == Outcome::handshake);
  run_for(scene.loop, std::chrono::milliseconds(500));
  char octet = 0;
  for (const UniqueFd& fd : idle) {
    const bool open = ::recv(fd.get(), &octet, 1, MSG_PEEK) == -1 && errno == EAGAIN;
    CHECK_FALSE(open);
  }
}

TEST_CASE("a port in use is told with its holder, and nothing is kept") {
  Scene scene;
  Scene other;
  other.listen = scene.listen;
  scene.serve(shop, "token.thumbprint");
  const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  const auto certificate = acme::make_tls_alpn_certificate(shop, "token.thumbprint", *key, now());
  const auto served = other.responder.serve(scene.listen, "shop.example", *certificate, *key);
  REQUIRE_FALSE(served);
  CHECK(served.error().code == "PORT_IN_USE");
  const auto wrong = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  other.listen = "127.0.0.1:" + std::to_string(free_port());
  CHECK_FALSE(other.responder.serve(other.listen, "shop.example", *certificate, *wrong));
}
