#include "agent/core/diagnosis_run.h"

#include <algorithm>
#include <memory>
#include <set>

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

// Where the page that answered sends its visitors; empty: it sends them nowhere.
std::string sent_on_to(const SeenEndpoint& seen) {
  for (const SeenAddress& address : seen.addresses) {
    if (address.http && !address.http->location.empty()) return address.http->location;
  }
  return {};
}

std::string page_at(const DiagnosisTarget& target) {
  return (target.redirects ? "http://" : "https://") + target.endpoint.text + target.path;
}

// How far one target has led.
struct Way {
  std::chrono::milliseconds began{};
  DiagnosisTarget at;               // where it is now
  std::set<std::string> been;       // pages
  std::vector<std::string> steps;   // for people
  std::optional<Diagnosis> begins;  // of the first site, which is well
  std::size_t before = 0;           // of the steps: those that led there
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
    ways_[index].began = tools_.world.clock.uptime();
    go(index, targets_[index].target);
  }

  void go(std::size_t index, const DiagnosisTarget& to) {
    Way& way = ways_[index];
    way.at = to;
    way.been.insert(page_at(to));
    if (to.redirects) return resolve(index);
    gather(index);
  }

  // All pages on a way share the time of one.
  Duration time_left(std::size_t index) const {
    const Duration gone = tools_.world.clock.uptime() - ways_[index].began;
    return tools_.options.whole_limit - gone;
  }

  void gather(std::size_t index) {
    DiagnosisTools tools = tools_;
    tools.options.whole_limit = time_left(index);
    gather_evidence(tools, ways_[index].at,
                    [self = shared_from_this(), index](const Evidence& evidence) {
                      self->gathered(index, evidence);
                    });
  }

  // Who is sent on by a site that is well may meet a page, or a certificate, that is not.
  void gathered(std::size_t index, const Evidence& evidence) {
    Way& way = ways_[index];
    Diagnosis diagnosis = diagnose(evidence);
    if (diagnosis.code != "CERTIFICATE_FINE") return arrived(index, std::move(diagnosis));
    const std::string said = diagnosis.target + " is well, and sends its visitors on to ";
    if (!way.begins) {
      way.begins = std::move(diagnosis);
      way.before = way.steps.size();
    }
    const std::string location = sent_on_to(evidence.asked);
    if (location.empty()) return well(index);
    follow(index, said, location);
  }

  // What comes after the first site is worth no word then.
  void well(std::size_t index) {
    Way& way = ways_[index];
    way.steps.resize(way.before);
    arrived(index, std::move(*way.begins));
  }

  // With how one gets there.
  void arrived(std::size_t index, Diagnosis diagnosis) {
    const auto& steps = ways_[index].steps;
    diagnosis.why.insert(diagnosis.why.end(), steps.begin(), steps.end());
    ended(index, std::move(diagnosis));
  }

  // A page that nobody looked at acquits nobody.
  void follow(std::size_t index, const std::string& said, const std::string& location) {
    Way& way = ways_[index];
    const auto to = parse_redirect(way.at, location);
    const char* obstacle = nullptr;
    if (!to) {
      obstacle = "that is no page of the web, and nobody looked at it";
    } else if (way.been.contains(page_at(*to))) {
      obstacle = "that leads round in a circle, at least without cookies";
    } else if (way.been.size() > most_redirects) {
      obstacle = "nobody followed more redirects than those before it";
    } else if (time_left(index) < least_time) {
      obstacle = "there was no time left to look at it";
    }
    if (obstacle != nullptr) {
      return not_followed(index, said + acme::printable(location, 200) + "; " + obstacle);
    }
    const bool same_site = to->endpoint.text == way.at.endpoint.text;
    way.steps.push_back(said + (same_site ? acme::printable(to->path, 200) : to->endpoint.text));
    go(index, *to);
  }

  void not_followed(std::size_t index, const std::string& summary) {
    Way& way = ways_[index];
    Diagnosis diagnosis;
    if (way.begins) diagnosis = std::move(*way.begins);
    if (diagnosis.target.empty()) diagnosis.target = "http://" + way.at.endpoint.text;
    diagnosis.cause = Cause::unknown;
    diagnosis.code = "REDIRECT_NOT_FOLLOWED";
    diagnosis.summary = summary;
    diagnosis.fix = "ask about the page that fails itself: nolapse diagnose URL";
    arrived(index, std::move(diagnosis));
  }

  void resolve(std::size_t index) {
    const Endpoint& endpoint = ways_[index].at.endpoint;
    const auto by_hand =
        tools_.options.resolved.find(HostPort{endpoint.host, endpoint.port, false}.text());
    if (by_hand != tools_.options.resolved.end()) return visit(index, by_hand->second.front());
    tools_.world.dns.resolve(endpoint.host, [self = shared_from_this(),
                                             index](const Result<std::vector<std::string>>& found) {
      if (found) return self->visit(index, found->front());
      const bool missing = found.error().code == "NAME_NOT_FOUND";
      self->arrived(index, in_the_clear(self->ways_[index].at.endpoint,
                                        missing ? "NO_SUCH_NAME" : "DNS_FAILS",
                                        "cannot be looked up: " + found.error().message));
    });
  }

  void visit(std::size_t index, const std::string& address) {
    const DiagnosisTarget& target = ways_[index].at;
    HttpOptions options;
    options.timeout =
        std::clamp<Duration>(time_left(index), least_time, tools_.options.probe_limit);
    options.plain_http = true;
    options.address = address;
    tools_.world.http.send(
        {"GET", page_at(target), {}, {}}, options,
        [self = shared_from_this(), index](const Result<acme::HttpResponse>& response) {
          self->visited(index, response);
        });
  }

  void visited(std::size_t index, const Result<acme::HttpResponse>& response) {
    Way& way = ways_[index];
    const Endpoint& endpoint = way.at.endpoint;
    if (!response) {
      const std::string& text = response.error().message;
      const char* const code = text.find("refused") != std::string::npos ? "TCP_REFUSED"
                               : response.error().code == "CA_TIMEOUT"   ? "TCP_TIMEOUT"
                                                                         : "NO_TLS";
      return arrived(index, in_the_clear(endpoint, code,
                                         "carries no certificate, and gives no answer: " + text));
    }
    const std::string location(response->header("Location"));
    if (response->status / 100 == 3 && !location.empty()) {
      return follow(index, "http://" + endpoint.text + " carries no certificate, and sends to ",
                    location);
    }
    if (way.begins && response->status < 500) return well(index);
    arrived(index, in_the_clear(endpoint, "NO_TLS",
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
