// The agent's own http-01 listeners, and the web servers beside it that serve a webroot: whatever
// answers on the ports of this host when a CA comes to look. [RFC 8555 §8.3]
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_ca.h"
#include "tests/support/fake_dns.h"

namespace nolapse {

class FakeHttpResponder final : public HttpResponder {
 public:
  Result<void> serve(const std::string& listen, const std::string& token,
                     const std::string& body) override;
  unsigned withdraw(const std::string& listen, const std::string& token) override;

  void occupy(std::uint16_t port, const std::string& holder) { occupied_[port] = holder; }
  void release(std::uint16_t port) { occupied_.erase(port); }
  void drop_process() { listeners_.clear(); }
  std::size_t tokens() const;
  std::vector<std::string> all_tokens() const;

  // What a connection to this host meets: nothing is a refused connection, an empty body a 404.
  std::optional<std::string> fetch(const std::string& address, std::uint16_t port,
                                   const std::string& token);

 private:
  struct Token {
    std::string body;
    unsigned fetched = 0;
  };
  std::map<std::string, std::map<std::string, Token>> listeners_;  // by "ADDRESS:PORT"
  std::map<std::uint16_t, std::string> occupied_;
};

// How a CA validates http-01 against this host: from the name over its public addresses to the
// responder, or to a web server that serves a directory.
class Http01Validation {
 public:
  Http01Validation(const FakeDns& dns, FakeHttpResponder& responder, const Files& files)
      : dns_(dns), responder_(responder), files_(files) {}

  std::optional<ValidationFailure> validate(const ValidationRequest& request);
  // From this host: no firewall is in the way.
  std::optional<std::string> visit(const std::string& address, const std::string& token) {
    return local_addresses.contains(address) ? fetch(address, token) : std::nullopt;
  }

  std::set<std::string> local_addresses{"192.0.2.10"};  // of this host; others do not answer
  std::uint16_t port = 80;
  bool firewalled = false;                        // connections from outside run into a time-out
  std::map<std::uint16_t, std::string> webroots;  // port -> directory of a web server there

 private:
  std::optional<std::string> fetch(const std::string& address, const std::string& token);

  const FakeDns& dns_;
  FakeHttpResponder& responder_;
  const Files& files_;
};

}  // namespace nolapse
