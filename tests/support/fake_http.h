// HTTPS, and plain HTTP where it is asked for, to the CAs: requests travel, arrive, are answered
// and travel back, each in virtual time. A request on its way is the world's: the CA acts on it
// even if its sender crashes, and then nobody hears the answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_ca.h"
#include "tests/support/fake_clock.h"

namespace nolapse {

class FakeHttp final : public Http {
 public:
  enum class Fault { none, name_not_found, refused, bad_certificate, no_answer };
  struct Route {
    FakeCa* ca = nullptr;
    Duration latency = std::chrono::milliseconds(40);  // there and back
    Fault fault = Fault::none;
    std::optional<Time> next_wake = {};  // when the CA is called for what it does later
  };
  // One exchange for the trace: "POST https://…" and what came of it: a status, a code, or
  // nothing where nobody waited for it any more.
  struct Exchange {
    Time sent;
    std::string request;
    std::string outcome;
  };

  explicit FakeHttp(FakeClock& clock) : clock_(clock) {}

  void send(acme::HttpRequest request, HttpOptions options,
            Completion<acme::HttpResponse> done) override;

  // `prefix` is a URL up to and including the host, e.g. "https://ca.test".
  Route& route(const std::string& prefix) { return routes_[prefix]; }
  void drop_process() { waiting_.clear(); }
  const std::vector<Exchange>& exchanges() const { return exchanges_; }
  // What this host itself meets at the address and port that http-01 is fetched from: nothing is a
  // refused connection, an empty body a 404.
  std::function<std::optional<std::string>(const std::string& address, const std::string& token)>
      front_door;
  bool dated = true;             // answers have a Date
  bool record_exchanges = true;  // set before the first; years of a fleet are too many

 private:
  void deliver(std::uint64_t id, Duration after, Result<acme::HttpResponse> outcome);
  void arrive(std::uint64_t id, Route& route, const acme::HttpRequest& request,
              const HttpOptions& options);
  Result<acme::HttpResponse> visit(const std::string& url, const std::string& address) const;
  void wake(Route& route);

  FakeClock& clock_;
  std::map<std::string, Route> routes_;
  std::map<std::uint64_t, Completion<acme::HttpResponse>> waiting_;
  std::uint64_t last_id_ = 0;
  std::vector<Exchange> exchanges_;
};

}  // namespace nolapse
