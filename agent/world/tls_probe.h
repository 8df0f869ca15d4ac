// A look at what an endpoint serves: TCP, a TLS handshake with SNI, and the chain as it came. The
// handshake goes through whatever is wrong with the certificate, because that is what the caller
// wants to know; whether the chain validates is a separate answer. [RFC 8446, RFC 6066 §3]
//
// A limited number of probes is under way at a time; the time of one begins with its turn.
#pragma once

#include <map>
#include <memory>

#include "agent/world/slots.h"
#include "agent/world/trust_store.h"

namespace nolapse {

class SocketTlsProbe final : public TlsProbe {
 public:
  SocketTlsProbe(EventLoop& loop, TrustStores& trust_stores);
  ~SocketTlsProbe() override;
  SocketTlsProbe(const SocketTlsProbe&) = delete;
  SocketTlsProbe& operator=(const SocketTlsProbe&) = delete;

  void probe(ProbeRequest request, std::function<void(ProbeReply)> done) override;

 private:
  struct Attempt;
  struct Context;

  void begin(std::uint64_t id);
  void connect(std::uint64_t id);
  void on_connected(std::uint64_t id);
  void talk(std::uint64_t id);
  void listen(std::uint64_t id);
  void begin_tls(std::uint64_t id);
  void shake_hands(std::uint64_t id);
  void on_handshake_failure(std::uint64_t id, int ssl_error, int error_number);
  void on_handshake(std::uint64_t id);
  void time_out(std::uint64_t id);
  void finish(std::uint64_t id, ProbeReply::Outcome outcome, std::string detail);

  EventLoop& loop_;
  TrustStores& trust_stores_;
  std::unique_ptr<Context> context_;
  Slots slots_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Attempt>> attempts_;
};

}  // namespace nolapse
