// HTTPS through libcurl on the loop. Names are resolved by Dns and handed over; trust anchors come
// from TrustStores, because curl would read them on the loop; the proxy is the one the caller
// names, never one from the environment. Connections are kept and used again. [RFC 8555 §6.1]
#pragma once

#include <map>
#include <memory>

#include "agent/world/event_loop.h"
#include "agent/world/trust_store.h"

namespace nolapse {

class CurlTransport final : public Http {
 public:
  CurlTransport(EventLoop& loop, Dns& dns, TrustStores& trust_stores);
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  void send(acme::HttpRequest request, HttpOptions options,
            Completion<acme::HttpResponse> done) override;

 private:
  struct Exchange;

  void resolve(std::uint64_t id);
  void start(std::uint64_t id);
  void on_done(std::uint64_t id, int code);
  void time_out(std::uint64_t id);
  void finish(std::uint64_t id, Result<acme::HttpResponse> result);

  EventLoop& loop_;
  Dns& dns_;
  TrustStores& trust_stores_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace nolapse
