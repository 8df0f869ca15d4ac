// The http-01 responder: answers GET /.well-known/acme-challenge/<token> on listeners of its own
// and nothing else. [RFC 8555 §8.3]
//
// Port 80 faces the internet; see microhttpd_listener.h. A listener exists only while there is a
// token.
#pragma once

#include <map>
#include <memory>

#include "agent/world/listen_socket.h"
#include "agent/world/microhttpd_listener.h"

namespace nolapse {

class MicrohttpdResponder final : public HttpResponder {
 public:
  using Limits = MicrohttpdListener::Limits;

  // `passed` are listening sockets from the service manager; they stay open for the next token.
  MicrohttpdResponder(EventLoop& loop, PassedSockets passed, Limits limits);
  ~MicrohttpdResponder() override;
  MicrohttpdResponder(const MicrohttpdResponder&) = delete;
  MicrohttpdResponder& operator=(const MicrohttpdResponder&) = delete;

  Result<void> serve(const std::string& listen, const std::string& token,
                     const std::string& body) override;
  unsigned withdraw(const std::string& listen, const std::string& token) override;

 private:
  class Listener;

  EventLoop& loop_;
  const PassedSockets passed_;
  const Limits limits_;
  std::map<std::string, std::unique_ptr<Listener>> listeners_;  // by `listen`
};

}  // namespace nolapse
