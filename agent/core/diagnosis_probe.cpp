#include "agent/core/diagnosis_probe.h"

#include <algorithm>
#include <memory>

#include "acme/authority_access.h"
#include "acme/certificate_status.h"

namespace nolapse {
namespace {

using Role = SeenEndpoint::Role;

constexpr std::size_t most_addresses = 8;
constexpr std::size_t longest_chain = 10;
constexpr std::size_t largest_page = 2 << 20;
// For what has run out of its own time to be said, before the whole has.
constexpr Duration last_moments = std::chrono::milliseconds(50);
constexpr const char* too_slow = "its CA has not answered in time";

class Gathering : public std::enable_shared_from_this<Gathering> {
 public:
  Gathering(const DiagnosisTools& tools, DiagnosisTarget target, std::function<void(Evidence)> done)
      : tools_(tools),
        target_(std::move(target)),
        done_(std::move(done)),
        began_(tools.world.clock.uptime()) {}

  void start() {
    Clock& clock = tools_.world.clock;
    evidence_.now = clock.now();
    evidence_.asked.endpoint = target_.endpoint;
    prepare(evidence_.asked, {});
    AllBehind behind = what_is_behind(target_, tools_.host);
    evidence_.hidden = std::move(behind.hidden);
    for (Behind& each : behind.seen) add(std::move(each));
    deadline_ = clock.start_timer(tools_.options.whole_limit,
                                  [self = shared_from_this()] { self->finish(); });
    for (std::size_t i = 0; i <= evidence_.behind.size(); ++i) look(i);
    // Late, and also where everything was answered at once.
    clock.start_timer(Duration{0}, [self = shared_from_this()] { self->close_one(); });
  }

 private:
  SeenEndpoint& endpoint(std::size_t i) {
    return i == 0 ? evidence_.asked : evidence_.behind[i - 1];
  }

  void prepare(SeenEndpoint& seen, const std::string& roots_file) {
    add_knowledge(seen, tools_.host, tools_.world.files, evidence_.now);
    std::string roots = tools_.options.roots_file;
    if (seen.role == Role::hop) roots = roots_file;
    if (roots.empty() && !roots_file.empty()) roots = roots_file;
    if (roots.empty()) roots = roots_for(seen, tools_.host, tools_.world.files);
    roots_.push_back(std::move(roots));
  }

  void add(Behind behind) {
    prepare(behind.endpoint, behind.roots_file);
    evidence_.behind.push_back(std::move(behind.endpoint));
  }

  Duration time_left() const {
    const Duration left =
        tools_.options.whole_limit - last_moments - (tools_.world.clock.uptime() - began_);
    return std::clamp<Duration>(left, std::chrono::milliseconds(1), tools_.options.probe_limit);
  }

  // Completions that come after the end find nothing to do.
  bool ended() const { return done_ == nullptr; }

  void look(std::size_t i) {
    const Endpoint& at = endpoint(i).endpoint;
    ++open_;
    const auto by_hand = tools_.options.resolved.find(HostPort{at.host, at.port, false}.text());
    if (by_hand != tools_.options.resolved.end()) {
      use(i, by_hand->second);
      return close_one();
    }
    const auto answered = std::make_shared<bool>(false);
    const auto self = shared_from_this();
    tools_.world.clock.start_timer(time_left(), [self, i, answered] {
      if (std::exchange(*answered, true) || self->ended()) return;
      self->endpoint(i).lookup_code = "DNS_TIMEOUT";
      self->endpoint(i).lookup_detail =
          "no answer within " + acme::format_duration(self->tools_.options.probe_limit);
      self->close_one();
    });
    tools_.world.dns.resolve(at.host,
                             [self, i, answered](const Result<std::vector<std::string>>& found) {
                               if (std::exchange(*answered, true) || self->ended()) return;
                               if (found) {
                                 self->use(i, *found);
                               } else {
                                 self->endpoint(i).lookup_code = found.error().code;
                                 self->endpoint(i).lookup_detail = found.error().message;
                               }
                               self->close_one();
                             });
  }

  void use(std::size_t i, const std::vector<std::string>& addresses) {
    SeenEndpoint& seen = endpoint(i);
    for (std::size_t k = 0; k < std::min(addresses.size(), most_addresses); ++k) {
      SeenAddress address;
      address.address = addresses[k];
      address.of_this_host = tools_.host.has(addresses[k]);
      address.looked_at = false;
      seen.addresses.push_back(std::move(address));
    }
    for (std::size_t k = 0; k < seen.addresses.size(); ++k) {
      if (seen.tls) probe(i, k);
      if (!page_of(i).empty()) ask_for_page(i, k);
    }
  }

  // ---- the handshake

  void probe(std::size_t i, std::size_t k) {
    const SeenEndpoint& seen = endpoint(i);
    ProbeRequest request;
    request.address = seen.addresses[k].address;
    request.port = seen.endpoint.port;
    request.server_name = seen.endpoint.server_name;
    request.roots_file = roots_[i];
    request.timeout = time_left();
    request.starttls = seen.endpoint.starttls;
    ++open_;
    tools_.world.tls_probe.probe(std::move(request),
                                 [self = shared_from_this(), i, k](const ProbeReply& reply) {
                                   if (self->ended()) return;
                                   self->probed(i, k, reply);
                                   self->close_one();
                                 });
  }

  void probed(std::size_t i, std::size_t k, const ProbeReply& reply) {
    SeenEndpoint& seen = endpoint(i);
    SeenAddress& address = seen.addresses[k];
    address.looked_at = true;
    address.outcome = reply.outcome;
    address.detail = reply.detail;
    address.chain_error = reply.chain_error;
    for (const std::string& der : reply.chain_der) {
      if (address.chain.size() >= longest_chain) break;
      auto certificate = acme::parse_certificate(der);
      if (!certificate) break;
      address.chain.push_back(std::move(*certificate));
    }
    if (reply.outcome == ProbeReply::Outcome::no_handshake && seen.endpoint.starttls.empty()) {
      ask_in_the_clear(i, k);
    }
    if (!address.chain.empty() && evidence_.now < address.chain.front().not_after) {
      ask_for_revocation(i, k);
    }
  }

  // A responder's answer is small; a list may be large, and is the second choice.
  void ask_for_revocation(std::size_t i, std::size_t k) {
    SeenEndpoint& seen = endpoint(i);
    SeenAddress& address = seen.addresses[k];
    const acme::Certificate leaf = address.chain.front();
    const acme::Certificate* found = issuer_of(leaf, seen, address);
    if (found == nullptr) return;
    const acme::Certificate issuer = *found;
    const auto responders = acme::read_authority_access(leaf).responder_urls;
    if (responders.empty()) return ask_list(i, k, leaf, issuer);
    address.revocation_unknown = too_slow;
    HttpOptions options;
    options.timeout = time_left();
    options.plain_http = true;
    ++open_;
    tools_.world.http.send(
        {"POST",
         responders.front(),
         {{"Content-Type", "application/ocsp-request"}},
         acme::make_status_request(leaf, issuer)},
        options,
        [self = shared_from_this(), i, k, leaf, issuer](const Result<acme::HttpResponse>& reply) {
          if (self->ended()) return;
          self->note_status(i, k, leaf, issuer, reply);
          self->close_one();
        });
  }

  void note_status(std::size_t i, std::size_t k, const acme::Certificate& leaf,
                   const acme::Certificate& issuer, const Result<acme::HttpResponse>& reply) {
    SeenAddress& address = endpoint(i).addresses[k];
    const auto status = reply
                            ? acme::parse_status_response(reply->body, leaf, issuer, evidence_.now)
                            : Result<std::optional<acme::Revocation>>(fail(reply.error()));
    address.revocation_unknown = status ? std::string() : status.error().message;
    if (!status) return ask_list(i, k, leaf, issuer);
    address.revocation = *status;
  }

  void ask_list(std::size_t i, std::size_t k, const acme::Certificate& leaf,
                const acme::Certificate& issuer) {
    if (leaf.revocation_list_urls.empty()) return;
    endpoint(i).addresses[k].revocation_unknown = too_slow;
    ++open_;
    tools_.revocation_check.ask(
        {leaf.revocation_list_urls, leaf.serial_number, issuer, {}, {}},
        [self = shared_from_this(), i, k](const Result<RevocationCheck::Answer>& answer) {
          if (self->ended()) return;
          SeenAddress& about = self->endpoint(i).addresses[k];
          about.revocation_unknown = answer ? std::string() : answer.error().message;
          if (answer) about.revocation = answer->revocation;
          self->close_one();
        });
  }

  static const acme::Certificate* issuer_of(const acme::Certificate& leaf, const SeenEndpoint& seen,
                                            const SeenAddress& address) {
    const auto find = [&](const std::vector<acme::Certificate>& chain) {
      const auto found =
          std::find_if(chain.begin(), chain.end(), [&](const acme::Certificate& each) {
            return each.subject == leaf.issuer &&
                   each.fingerprint_sha256 != leaf.fingerprint_sha256;
          });
      return found == chain.end() ? nullptr : &*found;
    };
    if (const acme::Certificate* served = find(address.chain)) return served;
    for (const PairOnDisk& pair : seen.pairs) {
      if (const acme::Certificate* stored = find(pair.chain)) return stored;
    }
    return nullptr;
  }

  // ---- the page

  // Hops are asked for the same page, as whoever passes requests on to them would.
  std::string page_of(std::size_t i) {
    const SeenEndpoint& seen = endpoint(i);
    const bool wanted = i == 0 || (seen.role == Role::hop && !target_.path.empty());
    if (!wanted || target_.path.empty()) return {};
    const std::string& name =
        seen.endpoint.server_name.empty() ? seen.endpoint.host : seen.endpoint.server_name;
    return (seen.tls ? "https://" : "http://") + HostPort{name, seen.endpoint.port, false}.text() +
           target_.path;
  }

  acme::HttpRequest request_for(std::size_t i) {
    acme::HttpRequest request{"GET", page_of(i), {}, {}};
    if (i > 0) request.headers.push_back({"Host", target_.endpoint.server_name});
    return request;
  }

  HttpOptions http_options(std::size_t i, std::size_t k) {
    HttpOptions options;
    options.timeout = time_left();
    options.body_limit = largest_page;
    options.plain_http = true;
    options.address = endpoint(i).addresses[k].address;
    options.any_certificate = true;
    return options;
  }

  void ask_for_page(std::size_t i, std::size_t k) {
    ++open_;
    tools_.world.http.send(
        request_for(i), http_options(i, k),
        [self = shared_from_this(), i, k](const Result<acme::HttpResponse>& response) {
          if (self->ended()) return;
          self->answered(i, k, response);
          self->close_one();
        });
  }

  void answered(std::size_t i, std::size_t k, const Result<acme::HttpResponse>& response) {
    SeenAddress& address = endpoint(i).addresses[k];
    SeenHttp http;
    if (response) {
      http.status = response->status;
      http.date = acme::parse_http_date(response->header("Date"));
      if (http.status / 100 == 3) http.location = response->header("Location");
    } else {
      http.code = response.error().code;
      http.detail = response.error().message;
    }
    if (!endpoint(i).tls) note_plain_hop(address, http);
    // On another port than those of the web, what gives no HTTP may be something else altogether.
    const bool means_something =
        http.status > 0 || http.code == "CA_TLS" || (i == 0 && target_.surely_web);
    if (means_something) address.http = http;
    const bool fails = http.status >= 500 || (http.status == 0 && http.code != "BODY_TOO_LONG");
    if (i == 0 && fails && means_something) look_at_all_else();
  }

  static void note_plain_hop(SeenAddress& address, const SeenHttp& http) {
    address.looked_at = true;
    address.detail = http.detail;
    const bool no_connection = http.detail.find("cannot connect") != std::string::npos ||
                               http.detail.find("no connection") != std::string::npos;
    if (!no_connection) address.outcome = ProbeReply::Outcome::no_handshake;
    if (http.code == "CA_TIMEOUT") address.detail = "no answer within the time that it had";
  }

  void ask_in_the_clear(std::size_t i, std::size_t k) {
    const Endpoint& at = endpoint(i).endpoint;
    const std::string& name = at.server_name.empty() ? at.host : at.server_name;
    ++open_;
    tools_.world.http.send(
        {"GET", "http://" + HostPort{name, at.port, false}.text() + "/", {}, {}},
        http_options(i, k),
        [self = shared_from_this(), i, k](const Result<acme::HttpResponse>& response) {
          if (self->ended()) return;
          // nginx tells whoever comes in the clear to a TLS port: HTTP 400. That is a TLS port.
          const bool speaks = response && response->status != 400;
          self->endpoint(i).addresses[k].plain_http = speaks;
          self->close_one();
        });
  }

  // Only now: most pages are well, and then nobody needs to ask.
  void look_at_all_else() {
    if (std::exchange(looked_at_all_else_, true)) return;
    for (Behind& each : what_else_is_known(target_.endpoint, tools_.host)) {
      const Endpoint& at = each.endpoint.endpoint;
      const bool seen = std::any_of(
          evidence_.behind.begin(), evidence_.behind.end(), [&](const SeenEndpoint& other) {
            return other.endpoint.host == at.host && other.endpoint.port == at.port;
          });
      if (seen) continue;
      add(std::move(each));
      look(evidence_.behind.size());
    }
  }

  // ---- the end

  void close_one() {
    if (--open_ == 0) finish();
  }

  void finish() {
    if (ended()) return;
    tools_.world.clock.cancel_timer(deadline_);
    for (std::size_t i = 0; i <= evidence_.behind.size(); ++i) {
      SeenEndpoint& seen = endpoint(i);
      if (seen.addresses.empty() && seen.lookup_code.empty()) {
        seen.lookup_code = "DNS_TIMEOUT";
        seen.lookup_detail = "no answer in time";
      }
      const bool here =
          std::any_of(seen.addresses.begin(), seen.addresses.end(),
                      [](const SeenAddress& address) { return address.of_this_host; });
      if (here && !seen.pairs.empty() && tools_.host.port_holder) {
        seen.port_holder = tools_.host.port_holder(seen.endpoint.port);
      }
    }
    std::exchange(done_, nullptr)(std::move(evidence_));
  }

  const DiagnosisTools tools_;
  const DiagnosisTarget target_;
  std::function<void(Evidence)> done_;
  const std::chrono::milliseconds began_;
  Evidence evidence_;
  std::vector<std::string> roots_;  // by endpoint
  Clock::TimerId deadline_ = 0;
  std::size_t open_ = 1;
  bool looked_at_all_else_ = false;
};

}  // namespace

void gather_evidence(const DiagnosisTools& tools, DiagnosisTarget target,
                     std::function<void(Evidence)> done) {
  std::make_shared<Gathering>(tools, std::move(target), std::move(done))->start();
}

}  // namespace nolapse
