#include "agent/core/diagnosis_run.h"

#include <algorithm>
#include <memory>

#include "acme/json_read.h"

namespace nolapse {
namespace {

// Each asks several addresses and hops: more would wait for each other longer than they may.
constexpr std::size_t most_at_once = 8;
constexpr std::size_t most_redirects = 5;
constexpr Duration least_time = std::chrono::milliseconds(200);

// http:// shows no certificate; where it sends its visitors to may.
Diagnosis in_the_clear(const Endpoint& endpoint, std::string code, const std::string& what) {
  Diagnosis diagnosis;
  diagnosis.target = "http://" + endpoint.text;
  diagnosis.cause = Cause::other;
  diagnosis.code = std::move(code);
  diagnosis.summary = diagnosis.target + " " + what;
  return diagnosis;
}

// Where visitors are sent on to, when that is a site with a certificate of its own.
std::optional<DiagnosisTarget> sent_on_to(const SeenEndpoint& seen) {
  for (const SeenAddress& address : seen.addresses) {
    if (!address.http || !address.http->location.starts_with("https://")) continue;
    const auto to = parse_diagnosis_target(address.http->location);
    if (!to) continue;
    const bool same =
        to->endpoint.host == seen.endpoint.host && to->endpoint.port == seen.endpoint.port;
    if (!same) return *to;
  }
  return {};
}

// How far one target has led.
struct Way {
  std::chrono::milliseconds began{};
  std::vector<std::string> steps;  // for people
  Diagnosis diagnosis;             // what is wrong, or of the first site
};

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(const DiagnosisTools& tools, std::vector<KnownTarget> targets,
      std::function<void(std::vector<Diagnosis>)> done)
      : tools_(tools),
        targets_(std::move(targets)),
        done_(std::move(done)),
        ways_(targets_.size()) {}

  void start() {
    results_.resize(targets_.size());
    open_ = targets_.size() + 1;
    for (std::size_t i = 0; i < most_at_once; ++i) start_next();
    tools_.world.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->close_one(); });
  }

 private:
  void start_next() {
    if (next_ == targets_.size()) return;
    const std::size_t index = next_++;
    const DiagnosisTarget& target = targets_[index].target;
    ways_[index].began = tools_.world.clock.uptime();
    if (target.redirects) return resolve(index);
    gather(index, target);
  }

  // All sites on a way share the time of one.
  void gather(std::size_t index, const DiagnosisTarget& target) {
    DiagnosisTools tools = tools_;
    const Duration gone = tools_.world.clock.uptime() - ways_[index].began;
    tools.options.whole_limit = std::max<Duration>(tools.options.whole_limit - gone, least_time);
    gather_evidence(tools, target, [self = shared_from_this(), index](const Evidence& evidence) {
      self->gathered(index, evidence);
    });
  }

  // Who is sent on by a site that is well may meet a certificate that is not.
  void gathered(std::size_t index, const Evidence& evidence) {
    Way& way = ways_[index];
    Diagnosis diagnosis = diagnose(evidence);
    const bool fine = diagnosis.code == "CERTIFICATE_FINE";
    const auto next =
        fine && way.steps.size() < most_redirects ? sent_on_to(evidence.asked) : std::nullopt;
    const std::string target = diagnosis.target;
    if (!fine || way.diagnosis.target.empty()) {
      diagnosis.why.insert(diagnosis.why.end(), way.steps.begin(), way.steps.end());
      way.diagnosis = std::move(diagnosis);
    }
    if (!next) return ended(index, std::move(way.diagnosis));
    way.steps.push_back(target + " is well, and sends its visitors on to " + next->endpoint.text);
    gather(index, *next);
  }

  void resolve(std::size_t index) {
    const Endpoint& endpoint = targets_[index].target.endpoint;
    const auto by_hand =
        tools_.options.resolved.find(HostPort{endpoint.host, endpoint.port, false}.text());
    if (by_hand != tools_.options.resolved.end()) return visit(index, by_hand->second.front());
    tools_.world.dns.resolve(endpoint.host, [self = shared_from_this(),
                                             index](const Result<std::vector<std::string>>& found) {
      if (found) return self->visit(index, found->front());
      const bool missing = found.error().code == "NAME_NOT_FOUND";
      self->ended(index, in_the_clear(self->targets_[index].target.endpoint,
                                      missing ? "NO_SUCH_NAME" : "DNS_FAILS",
                                      "cannot be looked up: " + found.error().message));
    });
  }

  void visit(std::size_t index, const std::string& address) {
    const DiagnosisTarget& target = targets_[index].target;
    HttpOptions options;
    options.timeout = tools_.options.probe_limit;
    options.plain_http = true;
    options.address = address;
    tools_.world.http.send(
        {"GET", "http://" + target.endpoint.text + target.path, {}, {}}, options,
        [self = shared_from_this(), index](const Result<acme::HttpResponse>& response) {
          self->visited(index, response);
        });
  }

  void visited(std::size_t index, const Result<acme::HttpResponse>& response) {
    const DiagnosisTarget& target = targets_[index].target;
    if (!response) {
      const std::string& text = response.error().message;
      const char* const code = text.find("refused") != std::string::npos ? "TCP_REFUSED"
                               : response.error().code == "CA_TIMEOUT"   ? "TCP_TIMEOUT"
                                                                         : "NO_TLS";
      return ended(index, in_the_clear(target.endpoint, code,
                                       "carries no certificate, and gives no answer: " + text));
    }
    const std::string location(response->header("Location"));
    if (response->status / 100 == 3 && location.starts_with("https://")) {
      if (const auto to = parse_diagnosis_target(location)) {
        ways_[index].steps.push_back("http://" + target.endpoint.text +
                                     " carries no certificate, and sends to " + to->endpoint.text);
        return gather(index, *to);
      }
    }
    ended(index, in_the_clear(target.endpoint, "NO_TLS",
                              "carries no certificate, and answers HTTP " +
                                  std::to_string(response->status)));
  }

  void ended(std::size_t index, Diagnosis diagnosis) {
    const bool is_another_site = targets_[index].only_if_served &&
                                 (diagnosis.code == "WRONG_NAME" || diagnosis.addresses.empty() ||
                                  diagnosis.addresses.front().fingerprint_sha256.empty());
    if (!is_another_site) results_[index] = std::move(diagnosis);
    tools_.world.clock.start_timer(Duration{0}, [self = shared_from_this()] {
      self->start_next();
      self->close_one();
    });
  }

  void close_one() {
    if (--open_ > 0) return;
    std::vector<Diagnosis> all;
    for (auto& each : results_) {
      if (each) all.push_back(std::move(*each));
    }
    done_(std::move(all));
  }

  const DiagnosisTools tools_;
  const std::vector<KnownTarget> targets_;
  std::function<void(std::vector<Diagnosis>)> done_;
  std::vector<Way> ways_;
  std::vector<std::optional<Diagnosis>> results_;
  std::size_t next_ = 0;
  std::size_t open_ = 0;
};

}  // namespace

void diagnose_all(const DiagnosisTools& tools, std::vector<KnownTarget> targets,
                  std::function<void(std::vector<Diagnosis>)> done) {
  std::make_shared<Run>(tools, std::move(targets), std::move(done))->start();
}

}  // namespace nolapse
