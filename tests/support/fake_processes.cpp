// Programs and the deploy hook of a simulated web server.
#include "tests/support/fake_processes.h"

namespace nolapse {

namespace {

using Ending = ProcessResult::Ending;

ProcessResult exited(int code, std::string output, std::string errors = "") {
  return {Ending::exited, code, std::move(output), std::move(errors)};
}

std::string variable(const ProcessSpec& spec, const std::string& name) {
  const auto found = spec.environment.find(name);
  return found == spec.environment.end() ? "" : found->second;
}

ProcessResult install(FakeService& service, const Files& files, const ProcessSpec& spec) {
  const bool has_key = service.own_key.empty();
  for (const char* name : {"NOLAPSE_NAME", "NOLAPSE_GENERATION", "NOLAPSE_FULLCHAIN",
                           has_key ? "NOLAPSE_PRIVKEY" : "NOLAPSE_NAME"})
    if (variable(spec, name).empty()) return exited(2, "", std::string(name) + " is not set\n");
  const auto fullchain = files.read(variable(spec, "NOLAPSE_FULLCHAIN"));
  if (!fullchain) return exited(1, "", fullchain.error().message + "\n");
  if (!has_key && !variable(spec, "NOLAPSE_PRIVKEY").empty())
    return exited(1, "", service.name() + ": given a key beside its own\n");
  const auto private_key = has_key ? files.read(variable(spec, "NOLAPSE_PRIVKEY"))
                                   : Result<std::string>(service.own_key);
  if (!private_key) return exited(1, "", private_key.error().message + "\n");
  if (service.broken_configuration)
    return exited(1, "", service.name() + ": configuration file test failed\n");
  const KeyPair pair{*fullchain, *private_key};
  if (service.installed() == pair) return exited(0, "unchanged\n");
  const FakeService::Facts facts = FakeService::facts_of(pair);
  if (!facts.matching && !service.serves_anything)
    return exited(1, "", service.name() + ": key values mismatch\n");
  service.install(pair, facts);
  return exited(0, "changed\n");
}

// In a shadow place: the service is as it was.
ProcessResult rehearse(const FakeService& service, const Files& files, const ProcessSpec& spec) {
  FakeService shadow(service.name());
  shadow.broken_configuration = service.broken_configuration;
  shadow.serves_anything = service.serves_anything;
  shadow.own_key = service.own_key;
  ProcessResult tried = install(shadow, files, spec);
  return tried.code == 0 ? exited(0, "unchanged\n") : tried;
}

ProcessResult reload(FakeService& service) {
  if (service.reload()) return exited(0, "changed\n");
  return exited(1, "", service.name() + ": configuration file test failed\n");
}

}  // namespace

void FakeProcesses::find_listener(std::uint16_t port, std::function<void(std::string)> done) {
  const auto found = listeners.find(port);
  clock_.post([name = found == listeners.end() ? "" : found->second, done = std::move(done)] {
    done(name);
  });
}

void FakeProcesses::run(ProcessSpec spec, Completion<ProcessResult> done) {
  if (spec.order && hook_service) {
    clock_.post([answer = hook_service(*spec.order), done = std::move(done)] { done(answer); });
    return;
  }
  const std::string path = spec.argv.empty() ? "" : spec.argv.front();
  const std::uint64_t id = ++last_id_;
  const auto found = programs_.find(path);
  if (found == programs_.end()) {
    clock_.post([path, done = std::move(done)] {
      done(fail(ErrorKind::local, "PROCESS_NOT_STARTED", path + ": no such file or directory"));
    });
    return;
  }
  std::string command = path;
  for (std::size_t i = 1; i < spec.argv.size(); ++i) command += " " + spec.argv[i];
  if (record_started) started_.push_back(command);
  waiting_[id] = std::move(done);
  running_[id] = command;
  const FakeProgram& program = found->second;
  const bool hangs = program.hangs && program.hangs();
  if (hangs || program.duration >= spec.deadline) {
    finish(id, spec.deadline, [] { return ProcessResult{Ending::timed_out, 0, "", ""}; });
  } else {
    finish(id, program.duration,
           [main = program.main, spec = std::move(spec)] { return main(spec); });
  }
}

void FakeProcesses::finish(std::uint64_t id, Duration after,
                           std::function<ProcessResult()> outcome) {
  clock_.outside_after(after, [this, id, outcome = std::move(outcome)] {
    if (running_.erase(id) == 0) return;
    const ProcessResult result = outcome();
    const auto waiting = waiting_.extract(id);
    if (!waiting.empty()) waiting.mapped()(result);
  });
}

void FakeProcesses::power_failure() {
  drop_process();
  running_.clear();
}

FakeProgram deploy_hook(FakeService& service, const Files& files) {
  FakeProgram program;
  program.hangs = [&service] { return service.hangs; };
  program.main = [&service, &files](const ProcessSpec& spec) {
    const std::string verb = spec.argv.size() > 1 ? spec.argv[1] : "";
    if (verb == "check")
      return service.broken_configuration
                 ? exited(1, "", service.name() + ": configuration file test failed\n")
                 : exited(0, "unchanged\n");
    if (verb == "rehearse") return rehearse(service, files, spec);
    if (verb == "install") return install(service, files, spec);
    if (verb == "rollback") {
      ProcessResult installed = install(service, files, spec);
      return installed.code == 0 ? reload(service) : installed;
    }
    if (verb == "reload") return reload(service);
    return exited(42, "", "verb '" + verb + "' is not supported\n");
  };
  return program;
}

}  // namespace nolapse
