// Would a proof of control succeed? A challenge is tried as an order would try it, with a token of
// ours that no CA knows: present it, look at it as a CA does, take it away again, whatever was
// seen. Names and labels are the real ones, so that what hinders an order hinders this.
#pragma once

#include <memory>

#include "agent/core/self_test.h"

namespace nolapse {

// A DNS provider may take two minutes to write and two to remove, and the proof is to be taken away
// before the check ends.
inline constexpr Duration proof_deadline = std::chrono::minutes(8);

// For the subject's certificate and challenge, which is `solver`'s. Gives way to orders under way.
void probe_proof(std::shared_ptr<const CheckContext> context, const CheckSubject& subject,
                 Solver& solver, CheckReport report);

}  // namespace nolapse
