// Mail through libcurl on the loop. A server that is given a password is only spoken to inside TLS;
// names are resolved by Dns and handed over, as for HTTP. [RFC 5321, RFC 3207, RFC 8314]
#pragma once

#include <map>
#include <memory>

#include "agent/world/event_loop.h"
#include "agent/world/trust_store.h"

namespace nolapse {

class CurlMail final : public Mail {
 public:
  CurlMail(EventLoop& loop, Dns& dns, TrustStores& trust_stores);
  ~CurlMail() override;
  CurlMail(const CurlMail&) = delete;
  CurlMail& operator=(const CurlMail&) = delete;

  void send(MailMessage message, Completion<void> done) override;

 private:
  struct Delivery;

  void resolve(std::uint64_t id);
  void start(std::uint64_t id);
  void finish(std::uint64_t id, Result<void> result);
  Result<void> failed(const Delivery& delivery, const std::string& why,
                      const char* code = "MAIL_FAILED") const;

  EventLoop& loop_;
  Dns& dns_;
  TrustStores& trust_stores_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Delivery>> deliveries_;
};

}  // namespace nolapse
