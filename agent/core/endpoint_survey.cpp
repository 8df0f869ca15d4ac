#include "agent/core/endpoint_survey.h"

#include <deque>
#include <memory>

namespace nolapse {
namespace {

class Survey : public std::enable_shared_from_this<Survey> {
 public:
  Survey(World world, std::vector<Endpoint> endpoints, SurveyOptions options, SurveyEach each,
         std::function<void()> done)
      : world_(world),
        endpoints_(std::move(endpoints)),
        options_(std::move(options)),
        each_(std::move(each)),
        done_(std::move(done)) {}

  // Late, also where there is nothing to look at.
  void start() {
    world_.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->go_on(); });
  }

 private:
  struct Address {
    std::size_t index;
    std::string text;
  };

  // Addresses first: what was begun shall end before more is begun.
  void go_on() {
    while (under_way_ < options_.most_at_once) {
      if (!addresses_.empty()) {
        const Address address = std::move(addresses_.front());
        addresses_.pop_front();
        probe(address);
      } else if (next_ < endpoints_.size()) {
        resolve(next_++);
      } else {
        break;
      }
    }
    if (under_way_ == 0 && done_) std::exchange(done_, nullptr)();
  }

  void resolve(std::size_t index) {
    ++under_way_;
    world_.dns.resolve(endpoints_[index].host, [self = shared_from_this(),
                                                index](Result<std::vector<std::string>> addresses) {
      if (addresses) {
        for (std::string& address : *addresses) {
          self->addresses_.push_back({index, std::move(address)});
        }
      } else {
        ProbeReply reply;
        reply.detail = addresses.error().message;
        self->each_(index, {}, reply);
      }
      self->ended();
    });
  }

  void probe(const Address& address) {
    ++under_way_;
    const Endpoint& endpoint = endpoints_[address.index];
    ProbeRequest request;
    request.address = address.text;
    request.port = endpoint.port;
    request.server_name = endpoint.server_name;
    request.starttls = endpoint.starttls;
    request.roots_file = options_.roots_file;
    request.timeout = options_.timeout;
    world_.tls_probe.probe(std::move(request),
                           [self = shared_from_this(), address](const ProbeReply& reply) {
                             self->each_(address.index, address.text, reply);
                             self->ended();
                           });
  }

  void ended() {
    --under_way_;
    go_on();
  }

  World world_;
  const std::vector<Endpoint> endpoints_;
  const SurveyOptions options_;
  const SurveyEach each_;
  std::function<void()> done_;
  std::deque<Address> addresses_;  // found, and not yet asked
  std::size_t next_ = 0;           // endpoint
  std::size_t under_way_ = 0;
};

}  // namespace

void survey_endpoints(World world, std::vector<Endpoint> endpoints, SurveyOptions options,
                      SurveyEach each, std::function<void()> done) {
  std::make_shared<Survey>(world, std::move(endpoints), std::move(options), std::move(each),
                           std::move(done))
      ->start();
}

}  // namespace nolapse
