#include "agent/core/rehearsals.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {
namespace {

// Real orders go first: they have slots of their own, and the machine is theirs.
constexpr std::size_t most_at_once = 4;

// What Let's Encrypt grants at its staging directory; the others have no less. Where production has
// no limits, neither has this.
RateLimits limits_of_staging(const RateLimits& production) {
  if (production.failed_validations.capacity == 0) return RateLimits::none();
  RateLimits limits = RateLimits::none();
  limits.failed_validations = RateLimit::for_window(200, std::chrono::hours(1));
  limits.orders_per_account = RateLimit::for_window(1500, std::chrono::hours(3));
  return limits;
}

std::string join_words(const std::vector<std::string>& texts) {
  std::string text;
  for (const std::string& each : texts) text += (text.empty() ? "" : "; ") + each;
  return text;
}

}  // namespace

Rehearsals::Rehearsals(Parts parts)
    : parts_(std::move(parts)),
      steps_(parts_.world.clock),
      store_(parts_.store.rehearsals_path(), parts_.world.files),
      left_behind_(parts_.world, store_, steps_),
      opening_(parts_.world.clock) {
  steps_.add_reader([&events = parts_.events](const Event& event) {
    const bool about_one = !event.certificate.empty();
    events.emit(event.severity, about_one ? rehearsal_name(event.certificate) : std::string(),
                event.code, about_one ? event.message : "rehearsal: " + event.message);
  });
}

void Rehearsals::rehearse(const std::vector<const CertificateSpec*>& specs,
                          const std::vector<std::string>& cas,
                          std::function<void(std::vector<CertificateRehearsal>)> done) {
  const auto run = std::make_shared<Run>();
  run->done = std::move(done);
  run->outcomes.resize(specs.size());
  run->open = specs.size();
  if (specs.empty()) {
    parts_.world.clock.start_timer(Duration{0}, [run] { run->done({}); });
    return;
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Job& job = add_job(*specs[i], cas);
    job.run = run;
    job.outcome = &run->outcomes[i];
    job.outcome->name = specs[i]->name;
    waiting_.push_back(&job);
  }
  open([this] { begin_waiting(); });
}

Rehearsals::Job& Rehearsals::add_job(const CertificateSpec& spec,
                                     const std::vector<std::string>& cas) {
  Job& job = jobs_.emplace_back();
  job.place = std::prev(jobs_.end());
  job.spec = &spec;
  for (const std::string& name : spec.cas) {
    const CaConfig* ca = parts_.config.find_ca(name);
    const bool wanted = cas.empty() || std::find(cas.begin(), cas.end(), name) != cas.end();
    if (ca != nullptr && wanted) job.cas.push_back(ca);
  }
  return job;
}

// By the first that needs it; what an ended process left is swept then. A disk that refuses here
// refuses again when there is something to write, and fails the rehearsal.
void Rehearsals::open(const std::function<void()>& then) {
  opening_.enter({}, [this, then] {
    const auto leave = [this, then] {
      opened_ = true;
      opening_.leave({});
      then();
    };
    if (opened_) return leave();
    FileWork work = store_.prepare();
    parts_.world.files.run(std::move(work), [this, leave](const Result<void>&) {
      left_behind_.load();
      parts_.world.files.run(store_.sweep(), [leave](const Result<void>&) { leave(); });
    });
  });
}

void Rehearsals::begin_waiting() {
  while (running_.size() < most_at_once && parts_.may_begin()) {
    const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                   [this](const Job* job) { return may_run_beside_others(*job); });
    if (next == waiting_.end()) return;
    Job& job = **next;
    waiting_.erase(next);
    running_.push_back(&job);
    parts_.begun();
    parts_.certificates.enter(job.spec->name, [this, &job] { start(job); });
  }
}

// At its end a rehearsal ends what it proved, and a CA may have gone by that for the order of
// another one for the same name.
bool Rehearsals::may_run_beside_others(const Job& job) const {
  const auto& wanted = job.spec->domains;
  return std::none_of(running_.begin(), running_.end(), [&wanted](const Job* each) {
    const auto& names = each->spec->domains;
    return std::find_first_of(names.begin(), names.end(), wanted.begin(), wanted.end()) !=
           names.end();
  });
}

void Rehearsals::start(Job& job) {
  if (auto records = parts_.store.load_rehearsals(job.spec->name)) {
    job.records = std::move(*records);
  } else {
    parts_.events.emit(Severity::warning, job.spec->name, "STATE_UNREADABLE",
                       records.error().message + "; what the last rehearsals showed is lost");
  }
  next_ca(job);
}

void Rehearsals::next_ca(Job& job) {
  if (job.cas.empty()) return end(job);
  if (!parts_.may_begin()) {
    job.run->done = nullptr;
    return end(job);
  }
  const CaConfig& ca = *job.cas.front();
  job.cas.pop_front();
  steps_.emit(Severity::info, job.spec->name, "REHEARSAL_STARTED", "at " + ca.name);
  job.rehearsal = std::make_unique<Rehearsal>(
      RehearsalParts{parts_.world, parts_.config, parts_.store, store_, steps_, left_behind_,
                     parts_.targets, parts_.production_ca,
                     [this](const std::string& name) -> CaClient& { return staging_ca(name); },
                     parts_.solver},
      *job.spec, ca);
  job.rehearsal->start([this, &job](RehearsalOutcome outcome) {
    // Late, because the rehearsal that reports this is replaced by the next.
    parts_.world.clock.start_timer(
        Duration{0}, [this, &job, outcome = std::move(outcome)] { rehearsed(job, outcome); });
  });
}

void Rehearsals::rehearsed(Job& job, RehearsalOutcome outcome) {
  const auto before = job.records.find(outcome.ca);
  const bool first = before == job.records.end();
  RehearsalRecord& record = outcome.record;
  if (record.result == RehearsalResult::failed) {
    record.failures = 1 + (first ? 0 : before->second.failures);
  }
  record.jitter = static_cast<unsigned>(parts_.world.random.next() % 1001);
  const bool news = first || before->second.result != record.result ||
                    before->second.not_shown != record.not_shown;
  job.outcome->cas.push_back(outcome);
  const auto told = [this, &job, outcome, news] {
    tell(job.spec->name, outcome, news);
    next_ca(job);
  };
  if (outcome.waits()) return told();
  job.records[outcome.ca] = outcome.record;
  save(job, told);
}

// What can never be shown, because the CA has no staging, is told once and not every week.
void Rehearsals::tell(const std::string& name, const RehearsalOutcome& outcome, bool news) {
  const RehearsalRecord& record = outcome.record;
  const std::string where = "the rehearsal at " + outcome.ca;
  if (outcome.waits()) {
    return parts_.events.emit(Severity::warning, name, outcome.error->code,
                              where + " has to wait: " + outcome.error->message);
  }
  switch (record.result) {
    case RehearsalResult::passed:
      return parts_.events.emit(Severity::info, name, "REHEARSAL_PASSED",
                                where + " passed in " + acme::format_duration(record.took));
    case RehearsalResult::partial:
      return parts_.events.emit(
          news ? Severity::warning : Severity::info, name, "REHEARSAL_PARTIAL",
          where + " passed as far as it went, and did not show " + join_words(record.not_shown));
    case RehearsalResult::failed:
      return parts_.events.emit(Severity::error, name, "REHEARSAL_FAILED",
                                where +
                                    " failed, and so would a renewal: " + outcome.error->message +
                                    "; then run `nolapse rehearse " + name + "`");
  }
}

void Rehearsals::save(Job& job, const std::function<void()>& then) {
  const auto& wanted = job.spec->cas;
  std::erase_if(job.records, [&](const auto& entry) {
    return std::find(wanted.begin(), wanted.end(), entry.first) == wanted.end();
  });
  const std::string& name = job.spec->name;
  parts_.world.files.run(parts_.store.save_rehearsals(name, job.records),
                         [this, &job, then](const Result<void>& saved) {
                           if (!saved) {
                             job.outcome->saved = false;
                             parts_.events.emit(Severity::error, job.spec->name, saved.error().code,
                                                saved.error().message);
                           }
                           then();
                         });
}

// Not from inside the rehearsal, which is gone afterwards.
void Rehearsals::end(Job& job) {
  parts_.certificates.leave(job.spec->name);
  std::erase(running_, &job);
  begin_waiting();
  const std::shared_ptr<Run> run = job.run;
  jobs_.erase(job.place);
  if (--run->open == 0 && run->done) run->done(std::move(run->outcomes));
  parts_.ended();
}

FileWork Rehearsals::forget(const std::string& name) const {
  // The last of what is prepared there.
  if (!parts_.world.files.status(parts_.store.rehearsals_path() + "/tmp")) return {};
  return store_.forget(name);
}

CaClient& Rehearsals::staging_ca(const std::string& ca) {
  auto& client = staging_cas_[ca];
  if (client) return *client;
  CaConfig staging = *parts_.config.find_ca(ca);
  staging.directory = staging.staging;
  // Its chains have other names.
  staging.preferred_chain.clear();
  staging.issuer_roots_file.clear();
  staging.rate_limits = limits_of_staging(staging.rate_limits);
  client = std::make_unique<CaClient>(parts_.world, store_, steps_, std::move(staging),
                                      parts_.config.contact, CaClient::FirstContact::insisted);
  return *client;
}

}  // namespace nolapse
