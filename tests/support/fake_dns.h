// Names and their addresses, with the ways a resolver lets one down. The agent and the CA look
// through the same table, each from its own side: split DNS is a name with a public view.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_clock.h"

namespace nolapse {

class FakeDns final : public Dns {
 public:
  enum class Fault { none, server_failure, no_answer };
  struct Name {
    std::vector<std::string> addresses;  // none: the name does not exist
    Fault fault = Fault::none;
    Duration delay = std::chrono::milliseconds(5);
  };

  explicit FakeDns(FakeClock& clock) : clock_(clock) {}

  void resolve(std::string host, Completion<std::vector<std::string>> done) override;

  Name& name(const std::string& host) { return names_[host]; }
  // What the rest of the internet sees instead.
  Name& public_name(const std::string& host) { return public_names_[host]; }

  // At once, without the delay.
  Result<std::vector<std::string>> look_up(const std::string& host) const;
  Result<std::vector<std::string>> look_up_publicly(const std::string& host) const;

 private:
  static Result<std::vector<std::string>> answer(const std::string& host, const Name* name);
  static const Name* find(const std::map<std::string, Name>& names, const std::string& host);

  FakeClock& clock_;
  std::map<std::string, Name> names_;
  std::map<std::string, Name> public_names_;
};

}  // namespace nolapse
