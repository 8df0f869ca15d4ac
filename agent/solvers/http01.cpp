#include "agent/solvers/http01.h"

#include <algorithm>
#include <map>

#include "acme/challenge_response.h"
#include "agent/solvers/front_door.h"
#include "agent/solvers/taken_port.h"

namespace nolapse {
namespace {

using acme::PresentedChallenge;

class Standalone : public Solver {
 public:
  Standalone(ChallengeConfig challenge, World world)
      : challenge_(std::move(challenge)), world_(world) {}

  const char* challenge_type() const override { return "http-01"; }

  void present(std::vector<PresentedChallenge> challenges, Completion<void> done) override {
    Result<void> outcome;
    for (const PresentedChallenge& challenge : challenges) {
      outcome = world_.http_responder.serve(challenge_.listen, challenge.token,
                                            challenge.key_authorization);
      if (!outcome) break;
    }
    if (!outcome) {
      for (const PresentedChallenge& challenge : challenges) withdraw(challenge);
    }
    world_.clock.start_timer(Duration{0}, [done, outcome, world = world_, challenge = challenge_] {
      if (outcome) return done(outcome);
      Error error = outcome.error();
      error.message = "challenge." + challenge.name + ": " + error.message;
      name_listener(world, challenge.listen, std::move(error),
                    [done](Error named) { done(fail(std::move(named))); });
    });
  }

  void await_proof(std::vector<PresentedChallenge> challenges, Patience patience,
                   std::function<void(ProofReport)> done) override {
    look_through_front_door(world_, std::move(challenges),
                            http_glance(world_, challenge_.validation_port), patience,
                            [this, done = std::move(done)](FrontDoorReport report) {
                              for (const auto& [token, visits] : report.visits) {
                                own_visits_[token] += visits;
                              }
                              done(std::move(report.proof));
                            });
  }

  void clean_up(std::vector<PresentedChallenge> challenges,
                std::function<void(CleanUpReport)> done) override {
    CleanUpReport report;
    std::string unvisited;
    for (const PresentedChallenge& challenge : challenges) {
      if (withdraw(challenge) == 0) {
        unvisited += (unvisited.empty() ? "" : ", ") + challenge.identifier.value;
      }
    }
    if (!unvisited.empty()) {
      report.hint = "nobody fetched the proof for " + unvisited + " from " + challenge_.listen +
                    ": do its A and AAAA records lead to this host, and is port " +
                    std::to_string(challenge_.validation_port) + " open to the world?";
    }
    world_.clock.start_timer(Duration{0}, [done, report] { done(report); });
  }

 private:
  // How often it was fetched by others.
  unsigned withdraw(const PresentedChallenge& challenge) {
    const unsigned visits = world_.http_responder.withdraw(challenge_.listen, challenge.token);
    const auto own = own_visits_.extract(challenge.token);
    return visits - std::min(visits, own.empty() ? 0 : own.mapped());
  }

  ChallengeConfig challenge_;
  World world_;
  std::map<std::string, unsigned> own_visits_;  // by token
};

class Webroot : public Solver {
 public:
  Webroot(ChallengeConfig challenge, World world)
      : challenge_(std::move(challenge)), world_(world) {}

  const char* challenge_type() const override { return "http-01"; }

  void present(std::vector<PresentedChallenge> challenges, Completion<void> done) override {
    // Readable by the web server, whoever it runs as.
    std::vector<FileOperation> work{MakeDirectory{folder(), 0755}};
    for (const PresentedChallenge& challenge : challenges) {
      work.push_back(RemoveTree{path(challenge)});
      work.push_back(WriteFile{path(challenge), challenge.key_authorization, 0644, {}});
    }
    world_.files.run(std::move(work), [name = challenge_.name, done](Result<void> outcome) {
      if (outcome) return done(outcome);
      Error error = outcome.error();
      error.message = "challenge." + name + ": " + error.message;
      done(fail(std::move(error)));
    });
  }

  void await_proof(std::vector<PresentedChallenge> challenges, Patience patience,
                   std::function<void(ProofReport)> done) override {
    look_through_front_door(
        world_, std::move(challenges), http_glance(world_, challenge_.validation_port), patience,
        [done = std::move(done)](FrontDoorReport report) { done(std::move(report.proof)); });
  }

  void clean_up(std::vector<PresentedChallenge> challenges,
                std::function<void(CleanUpReport)> done) override {
    std::vector<FileOperation> work;
    for (const PresentedChallenge& challenge : challenges) {
      work.push_back(RemoveTree{path(challenge)});
    }
    // Nobody would take away a second time what a power failure brings back.
    work.push_back(SyncDirectory{folder()});
    world_.files.run(std::move(work), [webroot = challenge_.webroot, done](Result<void> outcome) {
      CleanUpReport report;
      if (!outcome) report.left_behind = "a proof is left behind: " + outcome.error().message;
      report.hint = "is " + webroot + " what the web server serves for these names on port 80?";
      done(report);
    });
  }

 private:
  std::string folder() const { return challenge_.webroot + "/.well-known/acme-challenge"; }
  std::string path(const PresentedChallenge& challenge) const {
    return challenge_.webroot + acme::http01_path(challenge.token);
  }

  ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<Solver> make_http01_standalone(const ChallengeConfig& challenge, World world) {
  return std::make_unique<Standalone>(challenge, world);
}

std::unique_ptr<Solver> make_http01_webroot(const ChallengeConfig& challenge, World world) {
  return std::make_unique<Webroot>(challenge, world);
}

}  // namespace nolapse
