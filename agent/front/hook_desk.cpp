#include "agent/front/hook_desk.h"

#include "acme/json_read.h"
#include "agent/core/hook_programs.h"
#include "agent/front/commands.h"
#include "agent/world/foreign_folder.h"
#include "agent/world/hook_message.h"
#include "agent/world/port_holder.h"
#include "agent/world/root_owned.h"
#include "agent/world/system_user.h"
#include "agent/world/trust_store.h"

namespace nolapse {
namespace {

void answer(ControlConnection& connection, const Result<ProcessResult>& result) {
  connection.send_line(format_hook_answer(result));
  connection.close_after_sending();
}

Error refusal(Error error) {
  error.message = "the hook service refuses it: " + error.message;
  return error;
}

// Empty where it is missing: whether that matters is the judge's business.
Result<std::string> read_if_there(const ForeignFolder& folder, const std::string& name) {
  auto text = folder.read(name);
  if (!text && text.error().code == "FILE_MISSING") return std::string();
  return text;
}

std::vector<StagedFile> staged_files(const OrderedPair& pair) {
  std::vector<StagedFile> files;
  for (const OrderedPair::File& file : pair.files) {
    files.push_back({file.name, file.content, file.secret ? 0600U : 0644U});
  }
  return files;
}

}  // namespace

Result<OrderedPair> read_ordered_pair(const std::string& state_directory,
                                      const CertificateSpec& spec, unsigned generation,
                                      bool rehearsed) {
  const std::string inner = std::string(rehearsed ? "rehearsals/" : "") + "certificates/" +
                            spec.name + "/" + std::to_string(generation);
  const auto folder = ForeignFolder::open(state_directory, inner);
  if (!folder) return fail(folder.error());
  const auto fullchain = folder->read("fullchain.pem");
  if (!fullchain) return fail(fullchain.error());
  const auto key = read_if_there(*folder, "privkey.pem");
  if (!key) return fail(key.error());
  const auto request = read_if_there(*folder, "request.pem");
  if (!request) return fail(request.error());
  auto pair = check_ordered_pair(spec, {*fullchain, *key, *request});
  if (pair) return pair;
  Error error = pair.error();
  error.message = state_directory + "/" + inner + ": " + error.message;
  return fail(std::move(error));
}

namespace {

// Why these anchors do not stand behind the pair; empty: they do. Anchors that others could write
// would let those say what is trusted.
std::string objection_of(const std::string& roots_file, const OrderedPair& pair) {
  if (!roots_file.empty()) {
    if (const auto owned = check_root_owned(roots_file); !owned) return owned.error().message;
  }
  const auto anchors = load_trust_store(roots_file);
  if (!anchors) return anchors.error().message;
  std::vector<std::string> chain;
  for (const acme::Certificate& certificate : pair.chain) chain.push_back(certificate.der);
  const std::string error = issuer_error(*anchors, chain);
  if (error.empty()) return {};
  return (roots_file.empty() ? "by the system's anchors" : "by " + roots_file) + ", " + error;
}

}  // namespace

Result<void> check_issuer(const Config& config, const OrderedPair& pair) {
  std::string objections;
  for (const std::string& file : roots_of_issuers(config)) {
    const std::string objection = objection_of(file, pair);
    if (objection.empty()) return {};
    objections += (objections.empty() ? "" : "; ") + objection;
  }
  return fail(ErrorKind::input, "HOOK_ORDER_REFUSED",
              "no configured CA stands behind the certificate: " + objections +
                  "; for a private CA set `issuer_roots` in its [[ca]]");
}

Result<void> check_hook_owned(const DeployTarget& target,
                              const std::vector<ProcessSpec>& processes) {
  // The hook itself is a folder, or an argument of the shim, where it is no program.
  if (auto owned = check_root_owned(target.hook); !owned) return owned;
  for (const ProcessSpec& process : processes) {
    if (auto owned = check_root_owned(process.argv.front()); !owned) return owned;
  }
  return {};
}

namespace {

// Whoever asks a hook of another client, which knows no such verb, whether it could be run is told
// what would keep it from that.
Error refusal_of_verb(const Files& files, const Config& config, const HookOrder& order,
                      const Error& refusal) {
  if (!refuses_verb(refusal)) return refusal;
  const DeployTarget& target = config.targets.at(order.target);
  if (target.kind == HookKind::nolapse) return refusal;
  const Generation none;
  const auto processes = hook_processes(
      {target, run_once, *config.find_certificate(order.certificate), none, {}}, files);
  if (!processes) return processes.error();
  const auto owned = check_hook_owned(target, *processes);
  return owned ? refusal : owned.error();
}

// What a rehearsal obtained is of the CA's directory for tests, and nobody will serve it.
Result<void> check_fit(const Config& config, const HookOrder& order, const OrderedPair& pair,
                       Time now) {
  if (order.rehearsed) return {};
  if (auto valid = check_ordered_validity(pair, order.verb, now); !valid) return valid;
  return check_issuer(config, pair);
}

}  // namespace

// One order, from its line to its answer.
struct HookDesk::Visit {
  std::shared_ptr<ControlConnection> connection;
  HookOrder order;
  std::shared_ptr<Run> run;
  std::chrono::milliseconds began{};

  std::string text() const {
    return "target " + order.target + ": " + order.verb + " of generation " +
           std::to_string(order.generation);
  }
};

HookDesk::HookDesk(EventLoop& loop, const Files& files, Processes& processes, StagingArea& staging,
                   EventStream& events, GlobalOptions global, Config config)
    : loop_(loop),
      files_(files),
      processes_(processes),
      staging_(staging),
      events_(events),
      global_(std::move(global)),
      configuration_(std::make_shared<const Config>(std::move(config))),
      workers_(loop) {}

void HookDesk::take(const std::shared_ptr<ControlConnection>& connection, const std::string& line) {
  const auto error = objection(connection->peer());
  const auto port = parse_port_question(line);
  if (port && !error) return tell_holder(connection, *port);
  auto order = parse_hook_order(line);
  if (error || !order) {
    const Error& why = error ? *error : order.error();
    events_.emit(Severity::warning, {}, why.code,
                 "an order of user " + name_of_user(connection->peer().user) +
                     " is refused: " + why.message);
    return answer(*connection, fail(why));
  }
  ++open_;
  auto visit = std::make_shared<Visit>();
  visit->connection = connection;
  visit->order = std::move(*order);
  workers_.run(
      [this, order = visit->order] { return prepare(order); },
      [this, visit](Result<std::shared_ptr<Run>> prepared) { begin(visit, std::move(prepared)); });
}

std::string HookDesk::state_directory() const {
  const std::lock_guard lock(mutex_);
  return configuration_->state_directory;
}

std::optional<Error> HookDesk::objection(const ControlPeer& peer) const {
  const auto owner = owner_of(state_directory());
  if (peer.user != 0 && (!owner || peer.user != *owner)) {
    return Error{ErrorKind::local,
                 "PERMISSION_DENIED",
                 "only root and the owner of the state directory may order hooks",
                 {},
                 {}};
  }
  if (!refusing_ && open_ < most_orders) return {};
  return Error{ErrorKind::transient,
               "HOOK_SERVICE_BUSY",
               refusing_ ? "the hook service is about to end; try again in a moment"
                         : "the hook service has " + std::to_string(most_orders) +
                               " orders already; try again in a moment",
               {},
               {}};
}

// ---- on a worker

// As for the daemon, a broken file leaves the old configuration in force; but one that others may
// write leaves none.
Result<HookDesk::Configuration> HookDesk::current_configuration(std::string& warning) {
  const std::lock_guard lock(mutex_);
  const std::string main_file = configuration_->files.front();
  if (auto owned = check_root_owned(main_file); !owned) return fail(std::move(owned).error());
  ConfigResult loaded = read_configuration(files_, global_, ConfigUse::look);
  for (const std::string& file : loaded.config.files) {
    if (auto owned = check_root_owned(file); !owned) return fail(std::move(owned).error());
  }
  if (loaded.problems.empty()) {
    configuration_ = std::make_shared<const Config>(std::move(loaded.config));
  } else {
    warning = "the configuration is broken, the one before stays in force: " +
              loaded.problems.front().text();
  }
  return configuration_;
}

// Its own copy of the pair, in a folder that lives as long as the run. Before there is a first one
// a hook may only be asked, and gets none.
Result<Generation> HookDesk::stage(const Config& config, const HookOrder& order,
                                   const OrderedHook& hook, Run& run) {
  if (order.generation == 0) return Generation();
  const auto pair =
      read_ordered_pair(config.state_directory, hook.spec, order.generation, order.rehearsed);
  if (!pair) return fail(pair.error());
  const auto fit = check_fit(config, order, *pair, loop_.now());
  if (!fit) return fail(fit.error());
  auto staged = staging_.stage(hook.spec.name, staged_files(*pair), hook.target.user);
  if (!staged) return fail(staged.error());
  run.staged = std::move(*staged);
  return ordered_generation(*pair, order.generation, run.staged->path());
}

Result<std::shared_ptr<HookDesk::Run>> HookDesk::prepare(const HookOrder& order) {
  auto run = std::make_shared<Run>();
  const auto configuration = current_configuration(run->warning);
  if (!configuration) return fail(configuration.error());
  const auto hook = find_ordered_hook(**configuration, order);
  if (!hook) return fail(refusal_of_verb(files_, **configuration, order, hook.error()));
  const auto generation = stage(**configuration, order, *hook, *run);
  if (!generation) return fail(generation.error());
  auto processes = hook_processes(
      {hook->target, order.verb, hook->spec, *generation, generation->directory}, files_);
  if (!processes) return fail(processes.error());
  if (auto owned = check_hook_owned(hook->target, *processes); !owned) {
    return fail(std::move(owned).error());
  }
  run->processes = std::move(*processes);
  run->timeout = hook->target.timeout;
  return run;
}

// ---- on the loop

void HookDesk::begin(const std::shared_ptr<Visit>& visit, Result<std::shared_ptr<Run>> prepared) {
  if (!prepared) return end(visit, fail(refusal(prepared.error())));
  visit->run = std::move(*prepared);
  visit->began = loop_.uptime();
  if (!visit->run->warning.empty()) {
    events_.emit(Severity::warning, {}, "CONFIG_BROKEN", visit->run->warning);
  }
  events_.emit(Severity::info, visit->order.certificate, "HOOK_STARTED",
               visit->text() + ", as " + visit->run->processes.front().user);
  start(visit);
}

// The deadline is that of all of them together: the daemon waits for no longer.
void HookDesk::start(const std::shared_ptr<Visit>& visit) {
  const Run& run = *visit->run;
  const std::size_t count = run.processes.size();
  const auto time_for = [this, visit, count](std::size_t index) {
    return share_of(visit->run->timeout, loop_.uptime() - visit->began, count, count - 1 - index);
  };
  run_programs(processes_, run.processes, time_for,
               [this, visit](const Result<ProcessResult>& result) { end(visit, result); });
}

// The copy is gone before the daemon knows that the hook has ended.
void HookDesk::end(const std::shared_ptr<Visit>& visit, const Result<ProcessResult>& result) {
  --open_;
  const bool ran = visit->run != nullptr;
  const Duration timeout = ran ? visit->run->timeout : Duration();
  visit->run.reset();
  const std::string certificate = ran ? visit->order.certificate : std::string();
  if (!result) {
    events_.emit(Severity::warning, certificate, result.error().code,
                 (ran ? visit->text() : acme::printable(visit->text(), 200)) + ": " +
                     result.error().message);
  } else {
    const auto failure = failure_of(*result, timeout);
    events_.emit(failure ? Severity::warning : Severity::info, certificate, "HOOK_ENDED",
                 visit->text() + (failure ? *failure : ": done"));
  }
  answer(*visit->connection, result);
}

// ---- who has a port

void HookDesk::tell_holder(const std::shared_ptr<ControlConnection>& connection,
                           std::uint16_t port) {
  ++open_;
  workers_.run(
      [this, port]() -> Result<std::string> {
        std::string warning;  // it is told with the orders
        const auto configuration = current_configuration(warning);
        if (!configuration) return fail(refusal(configuration.error()));
        if (auto asked = check_asked_port(**configuration, port); !asked) {
          return fail(refusal(std::move(asked).error()));
        }
        return port_holder(port);
      },
      [this, connection](const Result<std::string>& holder) {
        --open_;
        if (!holder) {
          events_.emit(Severity::warning, {}, holder.error().code, holder.error().message);
        }
        connection->send_line(format_port_answer(holder));
        connection->close_after_sending();
      });
}

}  // namespace nolapse
