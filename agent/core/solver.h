// A way to prove control over identifiers. One object per configured challenge; several issuances
// may use it at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/issuance_state.h"
#include "agent/core/config.h"
#include "agent/core/turns.h"
#include "agent/world/world.h"

namespace nolapse {

class Solver {
 public:
  virtual ~Solver() = default;
  virtual const char* challenge_type() const = 0;  // "http-01"
  // All or nothing, and again for the same challenges without harm: after a crash it is. Error of
  // a probe: held PROOF_UNDER_WAY, where it would get in the way of somebody else's proof.
  virtual void present(std::vector<acme::PresentedChallenge> challenges, Completion<void> done) = 0;

  // Looks at what was presented as the CA will, again and again until all of it is there or the
  // solver's patience has ended. What cannot be seen from here is no failure. [design §5]
  struct ProofReport {
    // Of several the first in this order. A proof that is seen may still be missing at a name
    // server that is silent or lame.
    enum class Cause {
      none,
      not_found,     // the name has no address, or no zone is found
      no_answer,     // of an address, or of a name server
      wrong_answer,  // something else answers; or a name server does not show it
      lame,          // a name server does not speak for the zone
    };
    bool seen = true;
    std::string text;  // what was seen, or what was not, for people
    Duration took{};
    // What only a person can do about it, beyond doubt: the record to set. Empty: nothing.
    std::string to_be_set = {};
    std::optional<Time> until = {};  // when the proof ends that was seen; nothing: it does not
    Cause cause = Cause::none;
  };
  // `brief` where the CA has seen what we could not, the last time.
  enum class Patience { full, brief };
  virtual void await_proof(std::vector<acme::PresentedChallenge> challenges, Patience patience,
                           std::function<void(ProofReport)> done) = 0;

  struct CleanUpReport {
    std::string left_behind;  // what could not be removed, for people; empty: nothing
    std::string hint;         // what was seen of the CA's visits; empty: nothing is known
  };
  virtual void clean_up(std::vector<acme::PresentedChallenge> challenges,
                        std::function<void(CleanUpReport)> done) = 0;
};

// Solvers that share a way into the world take turns there. `turns` outlives them.
using SolverFactory =
    std::function<std::unique_ptr<Solver>(const ChallengeConfig&, World, Turns& turns)>;

}  // namespace nolapse
