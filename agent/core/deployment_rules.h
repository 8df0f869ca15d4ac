// What is decided about a deployment, as pure functions: is a target due, may it be touched now,
// has a deployment made things worse, and what may be gone back to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/store.h"
#include "agent/core/verification.h"

namespace nolapse {

// What holds a deployment up besides the target itself.
enum class Patience {
  none,    // somebody wants it now
  window,  // somebody ran nolapse, with no target in mind
  all,     // the daemon: back-off, too
};

struct TargetInput {
  const DeployTarget& target;
  const DeploymentRecord* record = nullptr;  // nothing: it was never deployed to
  unsigned generation = 0;                   // that it is to have
  bool again = false;  // even if it is said to have it: something else is served
  Patience patience = Patience::none;
  Time now{};
  Duration utc_offset{};  // of local time
  // When little is left of what the target has: a window no longer counts then. Nothing: it has
  // nothing, and cannot wait.
  std::optional<Time> little_is_left_from = {};
};

struct TargetDue {
  enum class When { done, now, later, withdrawn };
  When when = When::now;
  Time at{};                // for later: then
  bool for_window = false;  // for later: only the window is waited for
};

TargetDue target_due(const TargetInput& input);

// Is it, or after how long does it begin?
Duration until_window(const DailyWindow& window, Time now, Duration utc_offset);
// "02:00-05:00", or nothing.
std::optional<DailyWindow> parse_window(const std::string& text);
std::string format_window(const DailyWindow& window);

// What the target has by its record; 0: nothing of ours.
unsigned generation_at(const DeploymentRecord& record);

// What targets are meant to have now, the newest first: all of them the newest, but for those from
// which a person took that back, or whose window is waited for. Which endpoint belongs to which
// target nobody knows: each is well that serves one of these.
std::vector<unsigned> generations_to_serve(const CertificateSpec& spec, const Config& config,
                                           const DeploymentRecords& records, unsigned newest,
                                           Time now);

// What targets still have that are meant to have another, because it did not come there. An
// endpoint that serves one of these is no reason to touch the others.
std::vector<unsigned> generations_left(const CertificateSpec& spec, const Config& config,
                                       const DeploymentRecords& records, unsigned newest, Time now);

// The older generation that a person wants and that has not come to each of its targets; 0: none.
unsigned way_back_to_finish(const CertificateSpec& spec, const DeploymentRecords& records,
                            unsigned newest);

// The record of a target that is about to get `generation`.
DeploymentRecord begin_deployment(const DeploymentRecord* before, unsigned generation);

// Did a run end between a deployment and the look at what it had done? Then what is served now is
// no measure: before, the target had something that was good.
bool was_left_unjudged(const DeploymentRecord& record);

// One endpoint that was better before the deployment than it is now, in words; empty: there is
// none. What could not be reached then or cannot be reached now says nothing.
std::string made_worse(const std::vector<EndpointState>& before,
                       const std::vector<EndpointState>& now);

// May what is served still become what it should be? What could not be reached before the
// deployment either, most likely will not be by waiting.
bool may_change(const std::vector<EndpointState>& before, const std::vector<EndpointState>& now);

// The first whose certificate is newer than ours, and neither revoked nor one of ours before.
const EndpointState* newer_one(const std::vector<EndpointState>& endpoints,
                               const std::vector<std::string>& known_before,
                               const std::optional<SavedRevocation>& revocation);

// Why nobody should go back to it; empty: it is as good as on its first day.
std::string unfit_to_go_back_to(const Generation& generation,
                                const std::optional<SavedRevocation>& revocation, Time now);

// After a deployment was rolled back: an hour, doubling to a day. Each attempt may take the service
// down for a moment.
Time next_deployment_after_rollback(int failures, Time now, std::uint64_t random);

}  // namespace nolapse
