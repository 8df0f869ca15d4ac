// The way back from a deployment that made an endpoint worse: to what each target had before, as
// long as that is still good, and seen to be served again. A hook that said it failed may have done
// the damage, too: it was stopped after the reload, or its service took what it refused.
#include <algorithm>

#include "agent/core/deployment.h"
#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

void Deployment::roll_back(const std::string& why) {
  const Error error{ErrorKind::local,
                    "MADE_WORSE",
                    "generation " + std::to_string(generation_.number) + " made it worse: " + why,
                    {},
                    {}};
  journal_.note(error);
  for (const auto& deployment : deployments_) find_former(deployment->target(), error);
  go_back(false, error, [this, error] {
    journal_.save(take_live_back(),
                  [this, error] { go_back(true, error, [this] { verify_former(); }); });
  });
}

void Deployment::find_former(const DeployTarget& target, const Error& error) {
  DeploymentRecord& record = journal_.record(target.name);
  auto former = record.former == 0
                    ? Result<Generation>(fail(ErrorKind::local, "NO_FORMER_GENERATION",
                                              "it had no certificate of nolapse's before"))
                    : store_.load_whole_generation(spec_.name, record.former);
  const std::string unfit = former
                                ? unfit_to_go_back_to(*former, wish_.revocation, world_.clock.now())
                                : former.error().message;
  if (unfit.empty()) {
    formers_.emplace(record.former, std::move(*former));
    return;
  }
  journal_.note({ErrorKind::local,
                 "CANNOT_ROLL_BACK",
                 "target " + target.name + " stays as generation " +
                     std::to_string(generation_.number) + " left it: " + unfit,
                 {},
                 {}});
  record.judged = true;
  if (record.stage != DeploymentStage::failed) ++record.failures;  // else it was counted
  record.last_error = save_error(error, world_.clock.now());
  record.next_attempt = next_deployment(record.failures, world_.clock.now(), world_.random.next());
}

void Deployment::go_back(bool foreign, const Error& error, std::function<void()> then) {
  open_ = 1;
  const auto ended = [this, then = std::move(then)] {
    if (--open_ == 0) then();
  };
  for (const auto& deployment : deployments_) {
    const DeployTarget& target = deployment->target();
    const auto former = formers_.find(journal_.record(target.name).former);
    if (deployment->is_foreign() != foreign || former == formers_.end()) continue;
    ++open_;
    deployment->go_back_to(former->second, [this, &target, &kept = former->second, error,
                                            ended](const std::optional<Error>& failed) {
      if (!failed) went_back(target, kept, error);
      ended();
    });
  }
  ended();
}

// Other clients' hooks read live/, so that it is back before they run. Otherwise it goes back with
// the first target that did: what could not be taken back anywhere may be served for long.
FileWork Deployment::take_live_back() {
  const bool any = std::any_of(deployments_.begin(), deployments_.end(), [&](const auto& each) {
    const DeploymentRecord& record = journal_.record(each->target().name);
    return record.stage == DeploymentStage::rolled_back ||
           (each->is_foreign() && formers_.contains(record.former));
  });
  const bool is_live = store_.live_generation(spec_.name) == generation_.number;
  if (!any || !is_live || is_had_elsewhere()) return {};
  return store_.switch_live(spec_.name, formers_.rbegin()->first);
}

void Deployment::went_back(const DeployTarget& target, const Generation& former,
                           const Error& error) {
  const Time now = world_.clock.now();
  DeploymentRecord& record = journal_.record(target.name);
  if (record.stage != DeploymentStage::failed) ++record.failures;  // else it was counted
  record.stage = DeploymentStage::rolled_back;
  record.generation = former.number;
  record.former = 0;
  record.judged = true;
  record.last_error = save_error(error, now);
  record.next_attempt = next_deployment_after_rollback(record.failures, now, world_.random.next());
  events_.emit(Severity::error, spec_.name, "ROLLED_BACK",
               "target " + target.name + " is back at generation " + std::to_string(former.number) +
                   "; generation " + std::to_string(generation_.number) + " is tried again at " +
                   acme::format_rfc3339(*record.next_attempt));
}

// A target that nobody deployed to in this run has it, and had it before: live/ is its, too.
bool Deployment::is_had_elsewhere() const {
  const auto& records = journal_.records();
  return std::any_of(records.begin(), records.end(), [this](const auto& entry) {
    return has_generation(entry.second) &&
           std::none_of(deployments_.begin(), deployments_.end(), [&](const auto& deployment) {
             return deployment->target().name == entry.first;
           });
  });
}

// Of several former generations the newest is looked for; each endpoint says what it serves.
void Deployment::verify_former() {
  FileWork work;
  for (const auto& [target, record] : journal_.records()) {
    if (record.stage != DeploymentStage::rolled_back || !formers_.contains(record.generation)) {
      continue;
    }
    for (FileOperation& operation : store_.record_deployed(spec_.name, target, record.generation)) {
      work.push_back(std::move(operation));
    }
  }
  if (formers_.empty()) return journal_.save(std::move(work), [this] { end(); });
  probing_began_ = world_.clock.uptime();
  journal_.save(std::move(work), [this] { look_at_former(); });
}

void Deployment::look_at_former() {
  const Generation& former = formers_.rbegin()->second;
  probe(verification_of(config_, spec_, {former}),
        [this, &former](std::vector<EndpointState> endpoints) {
          const std::string worse = made_worse(before_, endpoints);
          if (!worse.empty() && world_.clock.uptime() - probing_began_ < verification_limit) {
            world_.clock.start_timer(500ms, [this] { look_at_former(); });
            return;
          }
          endpoints_ = std::move(endpoints);
          if (worse.empty()) {
            events_.emit(Severity::warning, spec_.name, "ROLLBACK_VERIFIED",
                         "what is served is as good as before, with generation " +
                             std::to_string(former.number));
          } else {
            journal_.note({ErrorKind::local,
                           "ROLLBACK_DID_NOT_HELP",
                           "even with generation " + std::to_string(former.number) + ": " + worse,
                           {},
                           {}});
          }
          journal_.save({}, [this] { end(); });
        });
}

}  // namespace nolapse
