#include "agent/solvers/tls_alpn01.h"

#include <algorithm>

#include "acme/tls_alpn_certificate.h"
#include "agent/solvers/front_door.h"
#include "agent/solvers/taken_port.h"

namespace nolapse {
namespace {

using acme::PresentedChallenge;

class TlsAlpn01 : public Solver {
 public:
  TlsAlpn01(ChallengeConfig challenge, World world)
      : challenge_(std::move(challenge)), world_(world) {}

  const char* challenge_type() const override { return "tls-alpn-01"; }

  void present(std::vector<PresentedChallenge> challenges, Completion<void> done) override {
    world_.key_maker.generate(acme::KeyType::ecdsa_p256, [this, challenges = std::move(challenges),
                                                          done](Result<acme::PrivateKey> key) {
      if (!key) return done(fail(key.error()));
      for (const PresentedChallenge& challenge : challenges) {
        auto served = gives_way(challenge) ? under_way(challenge) : serve(challenge, *key);
        if (served) continue;
        Error error = served.error();
        error.message = "challenge." + challenge_.name + ": " + error.message;
        for (const PresentedChallenge& each : challenges) withdraw(each);
        return name_listener(world_, challenge_.listen, std::move(error),
                             [done](Error named) { done(fail(std::move(named))); });
      }
      done({});
    });
  }

  void await_proof(std::vector<PresentedChallenge> challenges, Patience patience,
                   std::function<void(ProofReport)> done) override {
    const auto given_way = [this, challenges] {
      return std::any_of(challenges.begin(), challenges.end(),
                         [this](const auto& challenge) { return gives_way(challenge); });
    };
    look_through_front_door(world_, std::move(challenges),
                            tls_alpn_glance(world_, challenge_.validation_port), patience,
                            [this, given_way, done = std::move(done)](FrontDoorReport report) {
                              for (const auto& [token, visits] : report.visits) {
                                served_[token].own_visits += visits;
                              }
                              if (!report.proof.seen && given_way()) report.proof = {};
                              done(std::move(report.proof));
                            });
  }

  void clean_up(std::vector<PresentedChallenge> challenges,
                std::function<void(CleanUpReport)> done) override {
    std::string unvisited;
    for (const PresentedChallenge& challenge : challenges) {
      if (withdraw(challenge)) continue;
      unvisited += (unvisited.empty() ? "" : ", ") + challenge.identifier.value;
    }
    CleanUpReport report;
    if (!unvisited.empty()) {
      report.hint = "nobody came to " + challenge_.listen + " for the proof of " + unvisited +
                    ": do its A and AAAA records lead to this host, is port " +
                    std::to_string(challenge_.validation_port) +
                    " open to the world, and does whoever has it pass \"acme-tls/1\" on?";
    }
    world_.clock.start_timer(Duration{0}, [done, report] { done(report); });
  }

 private:
  struct Served {
    std::string server_name;
    std::string certificate_der;
    unsigned own_visits = 0;
  };

  // Of several certificates for one name the newest is shown. A probe must not stand in the way of
  // a proof that a CA comes to look at.
  bool gives_way(const PresentedChallenge& challenge) const {
    if (!challenge.url.empty()) return false;
    const std::string name = acme::tls_alpn_server_name(challenge.identifier);
    return std::any_of(served_.begin(), served_.end(), [&](const auto& served) {
      return served.first != challenge.token && served.second.server_name == name;
    });
  }

  static Result<void> under_way(const PresentedChallenge& challenge) {
    return fail(ErrorKind::held, "PROOF_UNDER_WAY",
                challenge.identifier.value + " is being proved just now");
  }

  Result<void> serve(const PresentedChallenge& challenge, const acme::PrivateKey& key) {
    withdraw(challenge);
    auto certificate = acme::make_tls_alpn_certificate(
        challenge.identifier, challenge.key_authorization, key, world_.clock.now());
    if (!certificate) return fail(certificate.error());
    Served served{acme::tls_alpn_server_name(challenge.identifier), std::move(*certificate)};
    auto outcome = world_.tls_alpn_responder.serve(challenge_.listen, served.server_name,
                                                   served.certificate_der, key);
    if (outcome) served_[challenge.token] = std::move(served);
    return outcome;
  }

  // Was it shown to anybody but ourselves?
  bool withdraw(const PresentedChallenge& challenge) {
    const auto found = served_.extract(challenge.token);
    if (found.empty()) return false;
    const Served& served = found.mapped();
    return world_.tls_alpn_responder.withdraw(challenge_.listen, served.server_name,
                                              served.certificate_der) > served.own_visits;
  }

  const ChallengeConfig challenge_;
  World world_;
  std::map<std::string, Served> served_;  // by token
};

}  // namespace

std::unique_ptr<Solver> make_tls_alpn01(const ChallengeConfig& challenge, World world) {
  return std::make_unique<TlsAlpn01>(challenge, world);
}

}  // namespace nolapse
