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
      certificate_turns_(world.clock),
      revocation_check_(world.clock, world.http) {}

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
    event_log_ = std::make_unique<EventLog>(world_, store_);
    events_.add_reader(event_log_->reader());
    sweep(done);
  });
}

void Agent::sweep(Completion<void> done) {
  FileWork work = store_.sweep();
  for (FileOperation& operation : remove_what_is_old()) work.push_back(std::move(operation));
  world_.files.run(std::move(work), [this, done = std::move(done)](Result<void> swept) {
    if (!swept) events_.emit(Severity::warning, {}, "SWEEP_FAILED", swept.error().message);
    done({});
  });
}

FileWork Agent::remove_what_is_old() const {
  FileWork work = store_.remove_events_before(world_.clock.now() - config_.daemon.keep_events);
  for (const std::string& name : store_.names()) {
    FileWork more = store_.remove_old_generations(name, config_.daemon.keep_generations);
    for (FileOperation& operation : more) work.push_back(std::move(operation));
  }
  return work;
}

void Agent::tidy() {
  world_.files.run(remove_what_is_old(), [this](Result<void> removed) {
    if (!removed) events_.emit(Severity::warning, {}, "SWEEP_FAILED", removed.error().message);
  });
}

std::vector<std::string> Agent::orphans() const {
  std::vector<std::string> names = store_.names();
  std::erase_if(
      names, [this](const std::string& name) { return config_.find_certificate(name) != nullptr; });
  return names;
}

void Agent::forget(const std::string& name, Completion<void> done) {
  Result<void> refusal;
  if (config_.find_certificate(name) != nullptr) {
    refusal = fail(ErrorKind::input, "STILL_CONFIGURED",
                   name + " is in the configuration; take it out there first");
  } else if (const auto names = orphans();
             std::find(names.begin(), names.end(), name) == names.end()) {
    refusal = fail(ErrorKind::input, "UNKNOWN_CERTIFICATE",
                   "nothing is known of a certificate named \"" + name + "\"");
  }
  if (!refusal) {
    world_.clock.start_timer(Duration{0}, [done = std::move(done), refusal] { done(refusal); });
    return;
  }
  world_.files.run(store_.forget(name), [this, name, done = std::move(done)](Result<void> removed) {
    if (removed) {
      events_.emit(Severity::info, name, "FORGOTTEN", "all there was of it is removed");
    }
    event_log_->flush([done, removed] { done(removed); });
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
    certificate_turns_.enter(job->outcome().name,
                             [this, &run, &job = *job] { wait_for_slot(run, job); });
  }
}

std::unique_ptr<CertificateJob> Agent::make_job(const CertificateSpec& spec,
                                                const RenewOptions& options) {
  JobParts parts{world_,
                 store_,
                 events_,
                 target_turns_,
                 remembered_,
                 config_,
                 [this](const std::string& name) -> CaClient& { return ca_client(name); },
                 solver(spec.challenge),
                 revocation_check_};
  return std::make_unique<CertificateJob>(std::move(parts), spec, options);
}

// A person goes before the daemon's own.
void Agent::wait_for_slot(Run& run, CertificateJob& job) {
  const auto start = [this, &run, &job] { start_job(run, job); };
  if (run.options.by_daemon) {
    waiting_.push_back(start);
  } else {
    waiting_.push_front(start);
  }
  start_jobs();
}

void Agent::start_jobs() {
  while (!waiting_.empty() && slots_used_ < config_.daemon.orders_parallel && !finishing()) {
    const auto start = std::move(waiting_.front());
    waiting_.pop_front();
    start();
  }
}

// Only what may ask a CA for something takes a slot: a target that hangs holds up those who want
// to deploy to it, and nobody else.
void Agent::start_job(Run& run, CertificateJob& job) {
  ++running_;
  ++slots_used_;
  auto has_slot = std::make_shared<bool>(true);
  const auto free_once = [this, has_slot] {
    if (std::exchange(*has_slot, false)) free_slot();
  };
  job.start(free_once, [this, &run, &job, free_once] {
    free_once();
    job_ended(run, job);
  });
}

void Agent::free_slot() {
  --slots_used_;
  start_jobs();
}

void Agent::job_ended(Run& run, CertificateJob& job) {
  certificate_turns_.leave(job.outcome().name);
  if (run.each) run.each(job.outcome());
  if (++run.ended == run.jobs.size()) end(run);
  if (--running_ == 0 && ended_) world_.clock.start_timer(Duration{0}, ended_);
}

void Agent::finish(std::function<void()> ended) {
  ended_ = std::move(ended);
  if (running_ == 0) world_.clock.start_timer(Duration{0}, ended_);
}

void Agent::end(Run& run) {
  std::vector<CertificateOutcome> outcomes;
  for (const auto& job : run.jobs) outcomes.push_back(job->outcome());
  // Late, because the job that reports its end is destroyed with the run, and because a command
  // ends with it: what is to be read later must be on the disk.
  const auto report = [this, &run, outcomes = std::move(outcomes)] {
    const auto done = std::move(run.done);
    runs_.erase(std::find_if(runs_.begin(), runs_.end(),
                             [&](const std::unique_ptr<Run>& each) { return each.get() == &run; }));
    done(outcomes);
  };
  if (event_log_) return event_log_->flush(report);
  world_.clock.start_timer(Duration{0}, report);
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
