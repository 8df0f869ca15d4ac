#include "agent/core/agent.h"

#include <algorithm>

namespace nolapse {
Agent::Agent(World world, const Config& config, EventStream& events, SolverFactory make_solver)
    : world_(world),
      config_(config),
      events_(events),
      make_solver_(std::move(make_solver)),
      store_(config.state_directory, world.files),
      target_turns_(world.clock),
      certificate_turns_(world.clock) {}

void Agent::open(const std::string& holder, Completion<void> done) {
  world_.files.run(store_.prepare(), [this, holder, done = std::move(done)](Result<void> prepared) {
    if (!prepared) {
      Error error = prepared.error();
      error.message = "the state directory cannot be used: " + error.message +
                      "; run as its owner or as root, or name another with --state-dir";
      return done(fail(std::move(error)));
    }
    auto lock = world_.files.lock(store_.lock_path(), holder);
    if (!lock) return done(fail(lock.error()));
    lock_ = std::move(*lock);
    sweep(done);
  });
}

void Agent::sweep(Completion<void> done) {
  world_.files.run(store_.sweep(), [this, done = std::move(done)](Result<void> swept) {
    if (!swept) events_.emit(Severity::warning, {}, "SWEEP_FAILED", swept.error().message);
    done({});
  });
}

void Agent::renew(RenewOptions options, std::function<void(std::vector<CertificateOutcome>)> done,
                  std::function<void(const CertificateOutcome&)> each) {
  runs_.push_back(std::make_unique<Run>());
  Run& run = *runs_.back();
  run.options = std::move(options);
  run.done = std::move(done);
  run.each = std::move(each);
  const auto& wanted = run.options.names;
  for (const CertificateSpec& spec : config_.certificates) {
    const bool selected =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), spec.name) != wanted.end();
    if (selected) run.jobs.push_back(make_job(spec, run.options));
  }
  if (run.jobs.empty()) return end(run);
  for (const auto& job : run.jobs) {
    waiting_.push_back([this, &run, &job = *job] { start_job(run, job); });
  }
  start_jobs();
}

std::unique_ptr<CertificateJob> Agent::make_job(const CertificateSpec& spec,
                                                const RenewOptions& options) {
  JobParts parts{world_,
                 store_,
                 events_,
                 target_turns_,
                 unsaved_schedules_,
                 config_,
                 [this](const std::string& name) -> CaClient& { return ca_client(name); },
                 solver(spec.challenge)};
  return std::make_unique<CertificateJob>(std::move(parts), spec, options);
}

void Agent::start_jobs() {
  while (!waiting_.empty() && running_ < config_.daemon.orders_parallel && !finishing()) {
    ++running_;
    const auto start = std::move(waiting_.front());
    waiting_.pop_front();
    start();
  }
}

void Agent::start_job(Run& run, CertificateJob& job) {
  certificate_turns_.enter(job.outcome().name, [this, &run, &job] {
    if (finishing()) return one_less();
    job.start([this, &run, &job] { job_ended(run, job); });
  });
}

void Agent::job_ended(Run& run, CertificateJob& job) {
  certificate_turns_.leave(job.outcome().name);
  if (run.each) run.each(job.outcome());
  if (++run.ended == run.jobs.size()) end(run);
  one_less();
  start_jobs();
}

void Agent::one_less() {
  if (--running_ == 0 && ended_) world_.clock.start_timer(Duration{0}, ended_);
}

void Agent::finish(std::function<void()> ended) {
  ended_ = std::move(ended);
  if (running_ == 0) world_.clock.start_timer(Duration{0}, ended_);
}

void Agent::end(Run& run) {
  std::vector<CertificateOutcome> outcomes;
  for (const auto& job : run.jobs) outcomes.push_back(job->outcome());
  // Late, because the job that reports its end is destroyed with the run.
  world_.clock.start_timer(Duration{0}, [this, &run, outcomes = std::move(outcomes)] {
    const auto done = std::move(run.done);
    runs_.erase(std::find_if(runs_.begin(), runs_.end(),
                             [&](const std::unique_ptr<Run>& each) { return each.get() == &run; }));
    done(outcomes);
  });
}

CaClient& Agent::ca_client(const std::string& name) {
  auto& client = ca_clients_[name];
  if (!client) {
    client = std::make_unique<CaClient>(world_, store_, events_, *config_.find_ca(name),
                                        config_.contact);
  }
  return *client;
}

Solver& Agent::solver(const std::string& challenge) {
  auto& solver = solvers_[challenge];
  if (!solver) solver = make_solver_(config_.challenges.at(challenge), world_);
  return *solver;
}

}  // namespace nolapse
