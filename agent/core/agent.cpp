#include "agent/core/agent.h"

#include <algorithm>

namespace nolapse {
namespace {

// Enough to keep a CA busy, few enough not to be a burden to it.
constexpr std::size_t jobs_at_once = 16;

}  // namespace

Agent::Agent(World world, const Config& config, EventStream& events, SolverFactory make_solver)
    : world_(world),
      config_(config),
      events_(events),
      make_solver_(std::move(make_solver)),
      store_(config.state_directory, world.files),
      turns_(world.clock) {}

void Agent::renew(RenewOptions options, Completion<std::vector<CertificateOutcome>> done) {
  options_ = std::move(options);
  done_ = std::move(done);
  world_.files.run(store_.prepare(), [this](Result<void> prepared) {
    if (!prepared) {
      Error error = prepared.error();
      error.message = "the state directory cannot be used: " + error.message +
                      "; run as its owner or as root, or name another with --state-dir";
      return done_(fail(std::move(error)));
    }
    auto lock = world_.files.lock(store_.lock_path(), "nolapse renew");
    if (!lock) return done_(fail(lock.error()));
    lock_ = std::move(*lock);
    begin();
  });
}

void Agent::begin() {
  std::vector<std::string> names;
  for (const CertificateSpec& spec : config_.certificates) names.push_back(spec.name);
  world_.files.run(store_.sweep(names), [this](Result<void> swept) {
    if (!swept) events_.emit(Severity::warning, {}, "SWEEP_FAILED", swept.error().message);
    for (const CertificateSpec& spec : config_.certificates) {
      const auto& wanted = options_.names;
      const bool selected =
          wanted.empty() || std::find(wanted.begin(), wanted.end(), spec.name) != wanted.end();
      if (!selected) continue;
      const CaConfig* ca = config_.find_ca(options_.ca.empty() ? spec.cas.front() : options_.ca);
      JobParts parts{
          world_, store_, events_, turns_, config_, ca_client(*ca), solver(spec.challenge)};
      jobs_.push_back(std::make_unique<CertificateJob>(parts, spec, options_));
    }
    if (jobs_.empty()) return job_ended();
    start_jobs();
  });
}

void Agent::start_jobs() {
  while (next_job_ < jobs_.size() && next_job_ - ended_ < jobs_at_once) {
    CertificateJob& job = *jobs_[next_job_++];
    job.start([this] {
      ++ended_;
      job_ended();
    });
  }
}

void Agent::job_ended() {
  if (ended_ < jobs_.size()) return start_jobs();
  std::vector<CertificateOutcome> outcomes;
  for (const auto& job : jobs_) outcomes.push_back(job->outcome());
  lock_.reset();
  done_(std::move(outcomes));
}

CaClient& Agent::ca_client(const CaConfig& ca) {
  auto& client = ca_clients_[ca.name];
  if (!client) {
    client = std::make_unique<CaClient>(world_, store_, events_, ca, config_.contact);
  }
  return *client;
}

Solver& Agent::solver(const std::string& challenge) {
  auto& solver = solvers_[challenge];
  if (!solver) solver = make_solver_(config_.challenges.at(challenge), world_);
  return *solver;
}

}  // namespace nolapse
