#include "agent/core/hook_rehearsal.h"

#include <memory>

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

constexpr const char* verb = "rehearse";

// Is there something that could be started? A script of acme.sh is read, not started.
std::optional<Error> fault_of_foreign(const Files& files, const HookRun& run) {
  const std::string& hook = run.target.hook;
  const auto status = status_through_links(files, hook);
  if (!status) return status.error();
  if (status->kind == FileStatus::Kind::directory) {
    const auto processes = hook_processes(run, files);
    return processes ? std::nullopt : std::optional(processes.error());
  }
  if (run.target.kind == HookKind::acme_sh || (status->mode & 0111) != 0) return {};
  return Error{ErrorKind::input,
               "HOOK_NOT_EXECUTABLE",
               hook + " is not executable; run: chmod +x " + hook,
               {},
               {}};
}

void note(HookRehearsal& rehearsal, const DeployTarget& target, Error error) {
  if (error.message.find("target " + target.name) != 0) {
    error.message = "target " + target.name + ": " + error.message;
  }
  if (!rehearsal.error) {
    rehearsal.error = std::move(error);
  } else {
    rehearsal.error->message += "; " + error.message;
  }
}

struct Round {
  HookRehearsal rehearsal;
  std::size_t open = 0;
  std::function<void(HookRehearsal)> done;

  void ended() {
    if (--open == 0) done(std::move(rehearsal));
  }
};

void judge(Round& round, const DeployTarget& target, const Result<HookOutcome>& outcome) {
  if (!outcome) return note(round.rehearsal, target, outcome.error());
  if (outcome->supported) return;
  round.rehearsal.not_shown.push_back("the deployment to " + target.name + ": " + target.hook +
                                      " does not know the verb rehearse");
}

}  // namespace

void rehearse_hooks(World world, TargetTurns& turns, EventStream& events, const Config& config,
                    const CertificateSpec& spec, const Generation& generation,
                    std::function<void(HookRehearsal)> done) {
  const auto round = std::make_shared<Round>();
  round->done = std::move(done);
  round->open = 1;
  for (const std::string& name : spec.deploy) {
    const auto found = config.targets.find(name);
    if (found == config.targets.end()) continue;
    const DeployTarget& target = found->second;
    const HookRun run{target, verb, spec, generation, {}};
    if (target.kind != HookKind::nolapse) {
      if (auto fault = fault_of_foreign(world.files, run)) {
        note(round->rehearsal, target, std::move(*fault));
      }
      round->rehearsal.not_shown.push_back("the deployment to " + target.name +
                                           ": a hook of another client cannot be rehearsed");
      continue;
    }
    ++round->open;
    turns.enter(target, [world, &turns, &events, &target, round, run] {
      events.emit(Severity::info, run.spec.name, "HOOK_STARTED", target.name + ": rehearse");
      run_hook(world, run, [&turns, &target, round](const Result<HookOutcome>& outcome) {
        turns.leave(target);
        judge(*round, target, outcome);
        round->ended();
      });
    });
  }
  // Also where there is nobody to ask; late, as everything here.
  world.clock.start_timer(Duration{0}, [round] { round->ended(); });
}

}  // namespace nolapse
