// Answers tls-alpn-01 on a port of our own, which faces the internet: a handshake that offers
// exactly "acme-tls/1" and names what is served is shown that certificate, everything else gets an
// alert. Nothing is read or written after the handshake. [RFC 8737 §3]
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/world/event_loop.h"
#include "agent/world/listen_socket.h"

namespace nolapse {

class SocketTlsAlpnResponder final : public TlsAlpnResponder {
 public:
  struct Limits {
    unsigned connections = 256;
    Duration age = std::chrono::seconds(10);
  };

  SocketTlsAlpnResponder(EventLoop& loop, PassedSockets passed, Limits limits);
  ~SocketTlsAlpnResponder() override;
  SocketTlsAlpnResponder(const SocketTlsAlpnResponder&) = delete;
  SocketTlsAlpnResponder& operator=(const SocketTlsAlpnResponder&) = delete;

  Result<void> serve(const std::string& listen, const std::string& server_name,
                     const std::string& certificate_der, const acme::PrivateKey& key) override;
  unsigned withdraw(const std::string& listen, const std::string& server_name,
                    const std::string& certificate_der) override;

 private:
  class Listener;

  EventLoop& loop_;
  const PassedSockets passed_;
  const Limits limits_;
  std::map<std::string, std::unique_ptr<Listener>> listeners_;  // by `listen`
};

}  // namespace nolapse
