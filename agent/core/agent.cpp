#include "agent/core/agent.h"

#include <algorithm>

#include "agent/core/heartbeat.h"

namespace nolapse {

Agent::Agent(World world, const Config& config, EventStream& events, SolverFactory make_solver)
    : world_(world),
      config_(config),
      events_(events),
      make_solver_(std::move(make_solver)),
      store_(config.state_directory, world.files),
      left_behind_(world, store_, events),
      target_turns_(world.clock),
      certificate_turns_(world.clock),
      proof_turns_(world.clock),
      revocation_check_(world.clock, world.http),
      rehearsals_({world, config, store_, events, target_turns_, certificate_turns_,
                   [this](const std::string& ca) -> CaClient& {
                     return ca_client(ca, CaClient::FirstContact::insisted);
                   },
                   [this](const std::string& challenge) { return solver(challenge); },
                   [this] { return !finishing(); }, [this] { ++running_; },
                   [this] { work_ended(); }}) {
  for (const CertificateSpec& spec : config.certificates) certificates_[spec.name] = &spec;
  if (config.files.empty()) return;
  config_on_disk_ =
      std::make_shared<ConfigOnDisk>(world.files, config.files.front(), config.state_directory);
}

void Agent::open(const std::string& holder, Completion<void> done) {
  std::vector<std::string> aside;
  FileWork work = store_.prepare(&aside);
  world_.files.run(std::move(work), [this, holder, aside,
                                     done = std::move(done)](Result<void> prepared) {
    if (!prepared) {
      Error error = prepared.error();
      error.message = "the state directory cannot be used: " + error.message +
                      "; run as its owner or as root, or name another with --state-dir";
      return done(fail(std::move(error)));
    }
    const std::string since = " since " + acme::format_rfc3339(world_.clock.now());
    auto lock = world_.files.lock(store_.lock_path(), holder + since);
    if (!lock) return done(fail(lock.error()));
    lock_ = std::move(*lock);
    event_log_ = std::make_unique<EventLog>(world_, store_);
    events_.add_reader(event_log_->reader());
    for (const std::string& place : aside) {
      events_.emit(Severity::warning, {}, "STATE_UNREADABLE",
                   "something else stood in the place of a part of the state directory and was put "
                   "aside as " +
                       place + "; what is needed is made anew");
    }
    left_behind_.load();
    sweep(done);
  });
}

void Agent::sweep(Completion<void> done) {
  FileWork work = store_.sweep();
  const auto machine = store_.load_machine();
  const auto here = world_.files.read("/etc/machine-id");
  if (machine && machine->empty() && here) {
    for (FileOperation& operation : store_.note_machine(*here))
      work.push_back(std::move(operation));
  }
  for (FileOperation& operation : remove_what_is_old()) work.push_back(std::move(operation));
  world_.files.run(std::move(work), [this, done = std::move(done)](Result<void> swept) {
    if (!swept) events_.emit(Severity::warning, {}, "SWEEP_FAILED", swept.error().message);
    done({});
  });
}

FileWork Agent::remove_what_is_old() const {
  FileWork work = store_.remove_events_before(world_.clock.now() - config_.daemon.keep_events);
  const auto add = [&work](FileWork more) {
    for (FileOperation& operation : more) work.push_back(std::move(operation));
  };
  for (const std::string& name : store_.names()) {
    add(store_.remove_old_generations(name, config_.daemon.keep_generations));
    // The newest is used or replaced; the one before it is for a newest that is damaged.
    add(store_.remove_old_generations(standby_name(name), 2));
  }
  // A key that nobody watches any more is not left lying about.
  for (const CertificateSpec& spec : config_.certificates) {
    if (!spec.standby) add(store_.remove_standby(spec.name));
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
  std::erase_if(names, [this](const std::string& name) { return certificates_.contains(name); });
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
  FileWork work = store_.forget(name);
  for (FileOperation& operation : rehearsals_.forget(name)) work.push_back(std::move(operation));
  world_.files.run(std::move(work), [this, name, done = std::move(done)](Result<void> removed) {
    if (removed) {
      events_.emit(Severity::info, name, "FORGOTTEN", "all there was of it is removed");
    }
    event_log_->flush([done, removed] { done(removed); });
  });
}

void Agent::work_on_accounts(AccountAction action, const std::string& ca,
                             std::function<void(std::vector<AccountOutcome>)> done) {
  const auto run = std::make_shared<AccountRun>(AccountRun{action, {}, {}, std::move(done)});
  for (const CaConfig& each : config_.cas) {
    if (ca.empty() || each.name == ca) run->cas.push_back(each.name);
  }
  ++running_;
  next_account(run);
}

void Agent::next_account(const std::shared_ptr<AccountRun>& run) {
  if (run->cas.empty()) {
    return event_log_->flush([this, run] {
      work_ended();
      run->done(std::move(run->outcomes));
    });
  }
  CaClient& client = ca_client(run->cas.front(), CaClient::FirstContact::insisted);
  run->cas.pop_front();
  client.work_on_account(run->action, [this, run](AccountOutcome outcome) {
    run->outcomes.push_back(std::move(outcome));
    next_account(run);
  });
}

void Agent::rehearse(const std::vector<std::string>& names, const std::vector<std::string>& cas,
                     std::function<void(std::vector<CertificateRehearsal>)> done) {
  // What a command says at its end must be on the disk, too.
  rehearsals_.rehearse(
      select(names), cas,
      [this, done = std::move(done)](const std::vector<CertificateRehearsal>& outcomes) {
        event_log_->flush([done, outcomes] { done(outcomes); });
      });
}

bool Agent::is_known(const std::string& name) const {
  if (config_.find_certificate(name) != nullptr) return true;
  const auto names = store_.names();
  return std::any_of(names.begin(), names.end(), [&](const std::string& each) {
    return name == each || name == standby_name(each);
  });
}

void Agent::revoke(RevocationRequest request, Completion<RevocationOutcome> done) {
  const std::string name = request.name;
  if (!is_known(name)) {
    world_.clock.start_timer(Duration{0}, [done = std::move(done), name] {
      done(fail(ErrorKind::input, "UNKNOWN_CERTIFICATE",
                "nothing is known of a certificate named \"" + name + "\""));
    });
    return;
  }
  const auto revocation = std::make_shared<Revocation>(
      world_, store_, events_, config_,
      [this](const std::string& ca) -> CaClient& {
        return ca_client(ca, CaClient::FirstContact::insisted);
      },
      remembered_[name].unsaved_schedule, std::move(request));
  ++running_;
  // The turn keeps it alive.
  certificate_turns_.enter(name, [this, name, revocation, done = std::move(done)] {
    revocation->start([this, name, done](const Result<RevocationOutcome>& outcome) {
      event_log_->flush([this, name, done, outcome] {
        certificate_turns_.leave(name);
        work_ended();
        done(outcome);
      });
    });
  });
}

void Agent::renew(RenewOptions options, std::function<void(std::vector<CertificateOutcome>)> done,
                  std::function<void(const CertificateOutcome&)> each) {
  Run& run = runs_.emplace_back();
  run.place = std::prev(runs_.end());
  run.options = std::move(options);
  run.done = std::move(done);
  run.each = std::move(each);
  const std::vector<std::string>& names = run.options.names;
  for (const CertificateSpec* spec : select(names)) run.selected.push_back({spec, false});
  // The daemon looks at a standby by its own name; a person's run takes it along, but has it do
  // nothing that was asked for the certificate itself.
  const bool along = !run.options.by_daemon && !run.options.force && run.options.ca.empty() &&
                     run.options.work == RenewOptions::Work::renew;
  for (const CertificateSpec* spec : along ? select(names) : select_standbys(names)) {
    if (!spec->standby || !(along || run.options.by_daemon)) continue;
    run.selected.push_back({spec, true});
  }
  if (run.selected.empty()) return end(run);
  for (Selected& selected : run.selected) {
    if (!along || !selected.standby) wait_for_turn(run, selected);
  }
}

// In the order of the configuration; none named: all.
std::vector<const CertificateSpec*> Agent::select(const std::vector<std::string>& names) const {
  std::vector<const CertificateSpec*> selected;
  for (const std::string& name : names) {
    const auto found = certificates_.find(name);
    if (found != certificates_.end()) selected.push_back(found->second);
  }
  if (names.empty()) {
    for (const CertificateSpec& spec : config_.certificates) selected.push_back(&spec);
  }
  std::sort(selected.begin(), selected.end());
  selected.erase(std::unique(selected.begin(), selected.end()), selected.end());
  return selected;
}

// Those whose standby is named.
std::vector<const CertificateSpec*> Agent::select_standbys(
    const std::vector<std::string>& names) const {
  std::vector<const CertificateSpec*> selected;
  for (const std::string& name : names) {
    const auto found = certificates_.find(certificate_of(name));
    if (found != certificates_.end() && is_standby(name)) selected.push_back(found->second);
  }
  return selected;
}

void Agent::wait_for_turn(Run& run, Selected& selected) {
  certificate_turns_.enter(selected.name(),
                           [this, &run, &selected] { wait_for_slot(run, selected); });
}

std::unique_ptr<CertificateJob> Agent::make_job(const Selected& selected,
                                                const RenewOptions& options) {
  const auto first_contact =
      options.by_daemon ? CaClient::FirstContact::once : CaClient::FirstContact::insisted;
  JobParts parts{world_,
                 store_,
                 events_,
                 target_turns_,
                 remembered_,
                 config_,
                 [this, first_contact](const std::string& name) -> CaClient& {
                   return ca_client(name, first_contact);
                 },
                 [this](const std::string& challenge) { return solver(challenge); },
                 left_behind_,
                 revocation_check_};
  return std::make_unique<CertificateJob>(
      std::move(parts), selected.standby ? standby_of(*selected.spec) : *selected.spec, options);
}

// A person goes before the daemon's own.
void Agent::wait_for_slot(Run& run, Selected& selected) {
  const auto start = [this, &run, &selected] { start_job(run, selected); };
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
void Agent::start_job(Run& run, Selected& selected) {
  ++running_;
  ++slots_used_;
  auto has_slot = std::make_shared<bool>(true);
  const auto free_once = [this, has_slot] {
    if (std::exchange(*has_slot, false)) free_slot();
  };
  selected.job = make_job(selected, run.options);
  selected.job->start(free_once, [this, &run, &selected, free_once] {
    free_once();
    job_ended(run, selected);
  });
}

void Agent::free_slot() {
  --slots_used_;
  start_jobs();
}

void Agent::job_ended(Run& run, Selected& selected) {
  certificate_turns_.leave(selected.name());
  if (run.each) run.each(selected.job->outcome());
  // Which CAs may issue the standby shows when the certificate is there.
  if (!run.options.by_daemon && !selected.standby) start_standby(run, *selected.spec);
  if (++run.ended == run.selected.size()) end(run);
  work_ended();
}

void Agent::work_ended() {
  if (--running_ == 0 && ended_) world_.clock.start_timer(Duration{0}, ended_);
}

void Agent::start_standby(Run& run, const CertificateSpec& spec) {
  for (Selected& selected : run.selected) {
    if (selected.standby && selected.spec == &spec) wait_for_turn(run, selected);
  }
}

void Agent::check(SelfTestRequest request, std::optional<DaemonView> daemon,
                  std::function<void(Findings)> done) {
  CheckContext context{world_,
                       config_,
                       store_,
                       [this](const std::string& name) -> CaClient& {
                         return ca_client(name, CaClient::FirstContact::once);
                       },
                       [this](const std::string& challenge) { return solver(challenge); },
                       std::move(daemon)};
  context.config_on_disk = config_on_disk_;
  run_self_test(std::move(context), all_checks(), std::move(request), std::move(done));
}

void Agent::follow_clock(Duration forward) {
  for (const auto& [name, client] : ca_clients_) client->ledger().follow_clock(forward);
}

void Agent::finish(std::function<void()> ended) {
  ended_ = std::move(ended);
  if (running_ == 0) world_.clock.start_timer(Duration{0}, ended_);
}

namespace {

// What a timer runs: where that ends again and again, somebody renews here.
bool is_for_all(const RenewOptions& options) {
  return options.work == RenewOptions::Work::renew && options.names.empty() && options.deploy &&
         !options.dry_run && !options.by_daemon;
}

}  // namespace

void Agent::end(Run& run) {
  // Late, because the job that reports its end is destroyed with the run, and because a command
  // ends with it: what is to be read later must be on the disk.
  const auto report = [this, &run] {
    std::vector<CertificateOutcome> outcomes;
    for (const Selected& selected : run.selected) outcomes.push_back(selected.job->take_outcome());
    const auto done = std::move(run.done);
    runs_.erase(run.place);
    done(std::move(outcomes));
  };
  if (!event_log_) {
    world_.clock.start_timer(Duration{0}, report);
    return;
  }
  if (!is_for_all(run.options)) return event_log_->flush(report);
  ++running_;
  FileWork note = note_renewed(config_.state_directory, world_.clock.now());
  world_.files.run(std::move(note), [this, report](Result<void> noted) {
    if (!noted) {
      events_.emit(Severity::warning, {}, "RUN_NOT_NOTED",
                   "that this run ended could not be noted, so that `nolapse check` will not know "
                   "of it: " +
                       noted.error().message);
    }
    event_log_->flush(report);
    work_ended();
  });
}

CaClient& Agent::ca_client(const std::string& name, CaClient::FirstContact first_contact) {
  auto& client = ca_clients_[name];
  if (!client) {
    client = std::make_unique<CaClient>(world_, store_, events_, *config_.find_ca(name),
                                        config_.contact, first_contact);
  }
  return *client;
}

Solver* Agent::solver(const std::string& challenge) {
  const auto configured = config_.challenges.find(challenge);
  if (configured == config_.challenges.end()) return nullptr;
  auto& solver = solvers_[challenge];
  if (!solver) solver = make_solver_(configured->second, world_, proof_turns_);
  return solver.get();
}

}  // namespace nolapse
