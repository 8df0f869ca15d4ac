// The agent's own tls-alpn-01 listeners, and what a CA finds there. [RFC 8737]
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_ca.h"

namespace nolapse {

class FakeTlsAlpnResponder final : public TlsAlpnResponder {
 public:
  Result<void> serve(const std::string& listen, const std::string& server_name,
                     const std::string& certificate_der, const acme::PrivateKey& key) override;
  unsigned withdraw(const std::string& listen, const std::string& server_name,
                    const std::string& certificate_der) override;

  void occupy(const std::string& listen, const std::string& holder) { occupied_[listen] = holder; }
  void drop_process() { served_.clear(); }
  std::size_t certificates() const { return served_.size(); }

  // The newest certificate for the name.
  std::optional<std::string> show(const std::string& server_name);
  // Looks at what the newest certificate for the name says; whoever listens is believed to be
  // reached.
  std::optional<ValidationFailure> validate(const ValidationRequest& request);

 private:
  struct Served {
    std::string listen;
    std::string server_name;
    std::string certificate_der;
    unsigned shown = 0;
  };
  std::vector<Served> served_;  // oldest first
  std::map<std::string, std::string> occupied_;
};

}  // namespace nolapse
