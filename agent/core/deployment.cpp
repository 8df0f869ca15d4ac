#include "agent/core/deployment.h"

#include <algorithm>

#include "agent/core/schedule.h"
#include "agent/core/withheld.h"

namespace nolapse {

using namespace std::chrono_literals;

namespace {

TargetDue due_of(const World& world, const Store& store, const CertificateSpec& spec,
                 const DeployTarget& target, const DeploymentRecord* record, unsigned generation,
                 const DeploymentWish& wish) {
  TargetInput input{target, record, generation, wish.again, wish.patience, world.clock.now()};
  if (target.window) {
    input.utc_offset = world.clock.utc_offset(input.now);
    const unsigned there = record == nullptr ? 0 : generation_at(*record);
    const auto has = there == 0 ? Result<Generation>(fail(ErrorKind::local, "NONE", ""))
                                : store.load_generation(spec.name, there);
    if (has) input.little_is_left_from = little_is_left_from(has->leaf());
  }
  return target_due(input);
}

// Not where the older one is to be brought again: that is for as long as it lasts.
std::vector<std::string> end_withdrawals_of(DeploymentRecords& records, const Store& store,
                                            const CertificateSpec& spec, unsigned generation,
                                            const DeploymentWish& wish, Time now) {
  const bool any = std::any_of(records.begin(), records.end(), [&](const auto& entry) {
    return entry.second.withdrawn == generation;
  });
  if (!any || wish.withdrawn != 0) return {};
  const auto newest = store.load_generation(spec.name, generation);
  if (!newest) return {};
  return end_withdrawals(records, store, spec.name, *newest, wish.revocation, now);
}

// An older generation goes nowhere by itself but where a person wanted it.
bool is_wanted(const DeployTarget& target, const DeploymentRecord* record,
               const DeploymentWish& wish) {
  if (wish.withdrawn != 0 && wish.patience != Patience::none &&
      (record == nullptr || record->withdrawn != wish.withdrawn)) {
    return false;
  }
  return wish.target.empty() || wish.target == target.name || wish.target == target.section;
}

}  // namespace

bool deployment_is_due(const World& world, const Store& store, const Config& config,
                       const CertificateSpec& spec, unsigned generation,
                       const DeploymentWish& wish) {
  auto records = store.load_deployments(spec.name);
  if (records) end_withdrawals_of(*records, store, spec, generation, wish, world.clock.now());
  return std::any_of(spec.deploy.begin(), spec.deploy.end(), [&](const std::string& name) {
    const auto target = config.targets.find(name);
    if (target == config.targets.end()) return false;
    const auto record = records ? records->find(name) : DeploymentRecords::iterator{};
    const DeploymentRecord* const known =
        !records || record == records->end() ? nullptr : &record->second;
    if (!is_wanted(target->second, known, wish)) return false;
    if (!records) return true;
    return due_of(world, store, spec, target->second, known, generation, wish).when ==
           TargetDue::When::now;
  });
}

Deployment::Deployment(World world, const Store& store, EventStream& events, TargetTurns& turns,
                       const Config& config, const CertificateSpec& spec, Generation generation,
                       DeploymentWish wish)
    : world_(world),
      store_(store),
      events_(events),
      turns_(turns),
      config_(config),
      spec_(spec),
      generation_(std::move(generation)),
      wish_(std::move(wish)),
      journal_(world, store, events, spec.name) {}

void Deployment::start(std::function<void(DeploymentOutcome)> done) {
  done_ = std::move(done);
  probing_began_ = world_.clock.uptime();
  journal_.load();
  journal_.keep_only(spec_.deploy);
  take_up_records();
  choose_targets();
  // What another target was left as says nothing about these.
  const bool left_unjudged =
      std::any_of(deployments_.begin(), deployments_.end(), [this](const auto& deployment) {
        const DeploymentRecord* const record = journal_.find(deployment->target().name);
        return record != nullptr && was_left_unjudged(*record);
      });
  // Where nobody deploys, whoever reads live/ needs it now.
  if (spec_.deploy.empty()) {
    return journal_.save(store_.switch_live(spec_.name, generation_.number), [this] { verify(); });
  }
  if (deployments_.empty()) {
    // Until its window opens a target serves what it served.
    return journal_.save({}, [this] { window_closed_ ? end() : verify(); });
  }
  probe(request(), [this, left_unjudged](std::vector<EndpointState> endpoints) {
    before_ = std::move(endpoints);
    if (leaves_newer()) return end();
    for (EndpointState& state : before_) {
      if (left_unjudged) state.service = Service::good;
    }
    deploy_own();
  });
}

// What is not there nobody can have, nor go back to.
void Deployment::take_up_records() {
  const auto there = store_.generation_numbers(spec_.name);
  std::erase_if(journal_.records(), [&](const auto& entry) {
    const unsigned has = generation_at(entry.second);
    if (!there || has == 0 || std::find(there->begin(), there->end(), has) != there->end()) {
      return false;
    }
    events_.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                 "deployments.json says that target " + entry.first + " has generation " +
                     std::to_string(has) + ", which is not there; it is deployed to again");
    return true;
  });
  for (const std::string& why : end_withdrawals_of(journal_.records(), store_, spec_,
                                                   generation_.number, wish_, world_.clock.now())) {
    events_.emit(Severity::warning, spec_.name, "WITHDRAWAL_ENDED",
                 "generation " + std::to_string(generation_.number) +
                     ", which was taken back, goes out after all: " + why);
  }
}

// Who asks for it by name gets it, and so does who took the newer one back.
bool Deployment::leaves_newer() {
  if (wish_.patience == Patience::none || wish_.withdrawn != 0 || wish_.just_obtained) return false;
  newer_served_ =
      served_and_newer(store_, spec_.name, generation_, before_, wish_.revocation).has_value();
  if (newer_served_) endpoints_ = before_;
  return newer_served_;
}

void Deployment::choose_targets() {
  std::optional<Time> opens;
  for (const std::string& name : spec_.deploy) {
    const auto target = config_.targets.find(name);
    if (target == config_.targets.end()) continue;
    const DeploymentRecord* const record = journal_.find(name);
    if (!is_wanted(target->second, record, wish_)) continue;
    const TargetDue due =
        due_of(world_, store_, spec_, target->second, record, generation_.number, wish_);
    if (due.when == TargetDue::When::now) {
      deployments_.push_back(std::make_unique<TargetDeployment>(world_, store_, events_, turns_,
                                                                journal_, spec_, target->second));
    } else if (due.for_window) {
      journal_.record(name).next_attempt = due.at;
      if (opens && *opens <= due.at) continue;
      opens = due.at;
      window_closed_ = Error{
          ErrorKind::deferred,
          "WINDOW_CLOSED",
          "generation " + std::to_string(generation_.number) + " goes to target " + name +
              " when its window " + format_window(*target->second.window) + " opens, on " +
              acme::format_rfc3339(due.at) + " (`nolapse deploy " + spec_.name + "` does not wait)",
          {},
          {}};
    }
  }
}

// ---- the targets

void Deployment::deploy_own() {
  deploy(false, [this] { deploy_foreign(); });
}

// Hooks of other clients read live/ and run after it has moved. Where our own targets failed, they
// are not told of a certificate that is perhaps no good.
void Deployment::deploy_foreign() {
  const bool any = std::any_of(deployments_.begin(), deployments_.end(),
                               [](const auto& each) { return each->is_foreign(); });
  probing_began_ = world_.clock.uptime();
  if (!any) return verify();
  journal_.save(store_.switch_live(spec_.name, generation_.number), [this] {
    deploy(true, [this] {
      probing_began_ = world_.clock.uptime();
      verify();
    });
  });
}

void Deployment::deploy(bool foreign, std::function<void()> then) {
  open_ = 1;
  enter(TimeSpent::Phase::hooks);
  const auto ended = [this, then = std::move(then)] {
    if (--open_ == 0) then();
  };
  for (const auto& deployment : deployments_) {
    if (deployment->is_foreign() != foreign) continue;
    ++open_;
    deployment->deploy(generation_,
                       [this, ended, target = &deployment->target()](const std::optional<Error>&) {
                         journal_.record(target->name).withdrawn = wish_.withdrawn;
                         ended();
                       });
  }
  ended();
}

// ---- the end

void Deployment::end() {
  enter(TimeSpent::Phase::nolapse);
  DeploymentOutcome outcome{journal_.records(), std::move(endpoints_), journal_.first_error()};
  if (!outcome.error) outcome.error = window_closed_;
  outcome.newer_served = newer_served_;
  outcome.touched = !deployments_.empty() || live_moved_ || spec_.deploy.empty();
  outcome.unverified = unverified_;
  // Late, so that the owner may drop this object in the completion.
  world_.clock.start_timer(Duration{0},
                           [done = done_, outcome = std::move(outcome)] { done(outcome); });
}

}  // namespace nolapse
