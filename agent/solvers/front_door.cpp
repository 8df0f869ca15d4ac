#include "agent/solvers/front_door.h"

#include <algorithm>
#include <array>
#include <memory>

#include "acme/challenge_response.h"
#include "acme/problem.h"
#include "acme/tls_alpn_certificate.h"

namespace nolapse {
namespace {

using namespace std::chrono_literals;
using acme::PresentedChallenge;
using Cause = Solver::ProofReport::Cause;

constexpr std::array<Duration, 4> pauses = {1s, 2s, 3s, 4s};
constexpr Duration glance_timeout = 5s;
constexpr int most_redirects = 10;
constexpr std::size_t longest_proof = 4096;

class Visit : public std::enable_shared_from_this<Visit> {
 public:
  Visit(World world, Glance glance, Solver::Patience patience,
        std::function<void(FrontDoorReport)> done)
      : world_(world),
        glance_(std::move(glance)),
        most_rounds_(patience == Solver::Patience::full ? pauses.size() : 0),
        done_(std::move(done)),
        began_(world.clock.uptime()) {}

  void start(std::vector<PresentedChallenge> challenges) {
    challenges_ = std::move(challenges);
    open_ = challenges_.size() + 1;
    world_.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->opened(); });
    for (const PresentedChallenge& challenge : challenges_) {
      world_.dns.resolve(
          challenge.identifier.value,
          [self = shared_from_this(), &challenge](Result<std::vector<std::string>> addresses) {
            self->resolved(challenge, addresses);
          });
    }
  }

 private:
  struct Door {
    const PresentedChallenge* challenge;
    std::string address;  // empty: the name has none
    DoorFault fault;      // of the last look
  };

  void resolved(const PresentedChallenge& challenge,
                const Result<std::vector<std::string>>& addresses) {
    if (!addresses) {
      doors_.push_back({&challenge, {}, {Cause::not_found, addresses.error().message}});
    }
    for (const std::string& address : addresses.value_or(std::vector<std::string>{})) {
      doors_.push_back({&challenge, address, {Cause::no_answer, "was not looked at"}});
    }
    opened();
  }

  void opened() {
    if (--open_ == 0) look();
  }

  void look() {
    // Counted first: a glance may be answered before the next begins.
    for (const Door& door : doors_) open_ += is_wrong(door);
    if (open_ == 0) return finish();
    for (Door& door : doors_) {
      if (!is_wrong(door)) continue;
      glance_(*door.challenge, door.address, [self = shared_from_this(), &door](DoorFault fault) {
        if (fault.cause == Cause::none) ++self->report_.visits[door.challenge->token];
        door.fault = std::move(fault);
        if (--self->open_ == 0) self->looked();
      });
    }
  }

  static bool is_wrong(const Door& door) {
    return !door.address.empty() && door.fault.cause != Cause::none;
  }

  void looked() {
    const bool wrong = std::any_of(doors_.begin(), doors_.end(), is_wrong);
    if (!wrong || rounds_ == most_rounds_) return finish();
    world_.clock.start_timer(pauses[rounds_++], [self = shared_from_this()] { self->look(); });
  }

  void finish() {
    std::string& text = report_.proof.text;
    Cause& cause = report_.proof.cause;
    for (const Door& door : doors_) {
      if (door.fault.cause == Cause::none) continue;
      report_.proof.seen = false;
      cause = cause == Cause::none ? door.fault.cause : std::min(cause, door.fault.cause);
      if (text.size() > 600) {
        text += "; and others";
        break;
      }
      text += (text.empty() ? "" : "; ") + door.challenge->identifier.value +
              (door.address.empty() ? "" : " at " + door.address) + ": " + door.fault.text;
    }
    if (report_.proof.seen) {
      text = "the proof is seen at " + std::to_string(doors_.size()) + " address(es)";
    } else {
      text = "the proof is not seen from here: " + text;
    }
    report_.proof.took = world_.clock.uptime() - began_;
    done_(std::move(report_));
  }

  World world_;
  Glance glance_;
  const std::size_t most_rounds_;
  std::function<void(FrontDoorReport)> done_;
  const std::chrono::milliseconds began_;
  std::vector<PresentedChallenge> challenges_;
  std::vector<Door> doors_;
  std::size_t open_ = 0;
  std::size_t rounds_ = 0;
  FrontDoorReport report_;
};

// ---- http-01

struct Fetch {
  World world;
  std::string wanted;
  std::uint16_t port;  // where the CA begins
  int redirects = 0;
  std::function<void(DoorFault)> done;

  // Whoever redirects has answered.
  void fail(Cause cause, const std::string& text) const {
    done({redirects > 0 ? Cause::wrong_answer : cause, text});
  }
};

void fetch(const std::shared_ptr<Fetch>& fetching, const std::string& url,
           const std::string& address);

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 307 || status == 308;
}

// What a redirect leads to; only whole URLs and paths are of any use.
std::string redirect_target(const std::string& from, std::string_view location) {
  if (location.starts_with("http://") || location.starts_with("https://")) {
    return std::string(location);
  }
  if (!location.starts_with('/')) return {};
  return from.substr(0, from.find('/', from.find("://") + 3)) + std::string(location);
}

std::string host_in(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  std::string host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

// Empty: the scheme's own.
std::string port_in(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  const std::string authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const std::size_t colon = authority.find(':', authority.rfind(']') + 1);
  return colon == std::string::npos ? "" : authority.substr(colon + 1);
}

// CAs follow to the well-known ports only. [RFC 8555 §8.3, CA/B Baseline Requirements §3.2.2.4.19]
bool is_followed(const std::string& url, std::uint16_t begun_at) {
  const std::string port = port_in(url);
  return port.empty() || port == "80" || port == "443" || port == std::to_string(begun_at);
}

// Whichever address the CA takes has to have it.
void fetch_from(const std::shared_ptr<Fetch>& fetching, const std::string& url,
                std::vector<std::string> addresses) {
  const std::string address = std::move(addresses.back());
  addresses.pop_back();
  if (addresses.empty()) return fetch(fetching, url, address);
  auto one = std::make_shared<Fetch>(*fetching);
  one->done = [fetching, url, addresses](DoorFault fault) {
    if (fault.cause != Cause::none) return fetching->done(std::move(fault));
    fetch_from(fetching, url, addresses);
  };
  fetch(one, url, address);
}

void follow(const std::shared_ptr<Fetch>& fetching, const std::string& url, std::string address) {
  if (++fetching->redirects > most_redirects) {
    return fetching->fail(Cause::wrong_answer, "is redirected for ever");
  }
  if (!is_followed(url, fetching->port)) {
    return fetching->fail(Cause::wrong_answer, "is redirected to " + acme::printable(url, 200) +
                                                   "; CAs follow to ports 80 and 443 only");
  }
  // On the same host the same address is meant.
  if (!address.empty()) return fetch(fetching, url, address);
  fetching->world.dns.resolve(host_in(url), [fetching,
                                             url](Result<std::vector<std::string>> addresses) {
    if (!addresses) {
      return fetching->fail(Cause::wrong_answer, "is redirected to a host without an address: " +
                                                     addresses.error().message);
    }
    fetch_from(fetching, url, *addresses);
  });
}

// "http://shop.example/… (server nginx, redirected 1 time(s))"
std::string described(const Fetch& fetching, const std::string& url,
                      const acme::HttpResponse& response) {
  const std::string server = acme::printable(response.header("Server"), 60);
  std::string more = server.empty() ? "" : "server " + server;
  if (fetching.redirects > 0) {
    more += (more.empty() ? "" : ", ") + ("redirected " + std::to_string(fetching.redirects)) +
            " time(s)";
  }
  return acme::printable(url, 200) + (more.empty() ? "" : " (" + more + ")");
}

void judge(const std::shared_ptr<Fetch>& fetching, const std::string& url,
           const std::string& address, const Result<acme::HttpResponse>& response) {
  if (!response) {
    const bool answered = response.error().code == "BODY_TOO_LONG";
    return fetching->fail(answered ? Cause::wrong_answer : Cause::no_answer,
                          response.error().message);
  }
  if (is_redirect(response->status)) {
    const std::string target = redirect_target(url, response->header("Location"));
    if (target.empty()) return fetching->fail(Cause::wrong_answer, "is redirected to nowhere");
    return follow(fetching, target, host_in(target) == host_in(url) ? address : std::string());
  }
  if (response->status != 200) {
    return fetching->fail(Cause::wrong_answer, described(*fetching, url, *response) + " answers " +
                                                   std::to_string(response->status));
  }
  std::string body = response->body;
  body.erase(body.find_last_not_of(" \t\r\n") + 1);
  if (body != fetching->wanted) {
    return fetching->fail(Cause::wrong_answer, "something else is served: \"" +
                                                   acme::printable(body, 60) + "\" from " +
                                                   described(*fetching, url, *response));
  }
  fetching->done({});
}

void fetch(const std::shared_ptr<Fetch>& fetching, const std::string& url,
           const std::string& address) {
  HttpOptions options;
  options.plain_http = true;
  options.any_certificate = true;
  options.address = address;
  options.timeout = glance_timeout;
  options.body_limit = longest_proof;
  fetching->world.http.send({"GET", url, {}, {}}, std::move(options),
                            [fetching, url, address](Result<acme::HttpResponse> response) {
                              judge(fetching, url, address, response);
                            });
}

}  // namespace

void look_through_front_door(World world, std::vector<PresentedChallenge> challenges, Glance glance,
                             Solver::Patience patience, std::function<void(FrontDoorReport)> done) {
  std::make_shared<Visit>(world, std::move(glance), patience, std::move(done))
      ->start(std::move(challenges));
}

Glance http_glance(World world, std::uint16_t port) {
  return [world, port](const PresentedChallenge& challenge, const std::string& address,
                       std::function<void(DoorFault)> done) {
    const std::string& name = challenge.identifier.value;
    const std::string host = acme::is_ipv6(name) ? "[" + name + "]" : name;
    const std::string at = port == 80 ? "" : ":" + std::to_string(port);
    fetch(std::make_shared<Fetch>(
              Fetch{world, challenge.key_authorization, port, 0, std::move(done)}),
          "http://" + host + at + acme::http01_path(challenge.token), address);
  };
}

// ---- tls-alpn-01

Glance tls_alpn_glance(World world, std::uint16_t port) {
  return [world, port](const PresentedChallenge& challenge, const std::string& address,
                       std::function<void(DoorFault)> done) {
    ProbeRequest request;
    request.address = address;
    request.port = port;
    request.server_name = acme::tls_alpn_server_name(challenge.identifier);
    request.timeout = glance_timeout;
    request.application_protocol = acme::tls_alpn_protocol;
    world.tls_probe.probe(std::move(request), [challenge, done](const ProbeReply& reply) {
      if (reply.outcome != ProbeReply::Outcome::handshake) {
        const bool reached = reply.outcome == ProbeReply::Outcome::no_handshake;
        return done({reached ? Cause::wrong_answer : Cause::no_answer, reply.detail});
      }
      const bool right = !reply.chain_der.empty() &&
                         acme::proves_by_tls_alpn(reply.chain_der.front(), challenge.identifier,
                                                  challenge.key_authorization);
      if (right) return done({});
      done({Cause::wrong_answer,
            "another certificate is served to \"acme-tls/1\": is this port passed on to nolapse?"});
    });
  };
}

}  // namespace nolapse
