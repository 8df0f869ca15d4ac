#include "agent/world/hook_processes.h"

#include "agent/world/hook_message.h"

namespace nolapse {

void HookProcesses::run(ProcessSpec spec, Completion<ProcessResult> done) {
  if (spec.order) return order(spec, std::move(done));
  own_.run(std::move(spec), std::move(done));
}

void HookProcesses::order(const ProcessSpec& spec, Completion<ProcessResult> done) {
  const std::uint64_t id = next_id_++;
  Call& call = calls_[id];
  call.call = std::make_unique<ControlCall>(
      loop_, socket_, format_hook_order(*spec.order), spec.deadline + grace,
      [&call](const std::string& line) { call.answer = line; },
      [this, id, spec, done = std::move(done)](const Result<void>& called) {
        const std::string answer = calls_.extract(id).mapped().answer;
        if (!called) return done(fail(describe(called.error(), spec)));
        auto result = parse_hook_answer(answer);
        if (result) return done(std::move(*result));
        done(fail(ErrorKind::transient, "HOOK_SERVICE_ENDED",
                  "the hook service on " + socket_ +
                      " gives an answer that is none; is it of the same version? Restart it: "
                      "systemctl restart nolapse-hooks.service"));
      });
}

void HookProcesses::find_listener(std::uint16_t port, std::function<void(std::string)> done) {
  own_.find_listener(port, [this, port, done = std::move(done)](const std::string& seen) {
    if (!seen.empty() || socket_.empty()) return done(seen);
    const std::uint64_t id = next_id_++;
    Call& call = calls_[id];
    call.call = std::make_unique<ControlCall>(
        loop_, socket_, format_port_question(port), patience_for_listener,
        [&call](const std::string& line) { call.answer = line; },
        [this, id, done](const Result<void>& called) {
          const std::string answer = calls_.extract(id).mapped().answer;
          done(called ? parse_port_answer(answer) : std::string());
        });
  });
}

Error HookProcesses::describe(const Error& error, const ProcessSpec& spec) const {
  const std::string service = "the hook service on " + socket_;
  if (error.code == "NO_DAEMON") {
    return {ErrorKind::local,
            "HOOK_SERVICE_MISSING",
            "its hook runs as " + spec.user + ", and " + service +
                ", which does that, is not running; start it: systemctl enable --now "
                "nolapse-hooks.service",
            {},
            {}};
  }
  if (error.code == "PERMISSION_DENIED") {
    return {error.kind,
            error.code,
            "its hook runs as " + spec.user + ", and " + service +
                " is only for root and the owner of the state directory; run nolapse as one of "
                "them",
            {},
            {}};
  }
  if (error.code == "NO_ANSWER") {
    return {error.kind,
            "HOOK_SERVICE_ENDED",
            service +
                " ended before it had said what became of the hook; it is tried again (the "
                "reason: journalctl -u nolapse-hooks)",
            {},
            {}};
  }
  if (error.code == "DAEMON_SILENT") {
    return {error.kind,
            "HOOK_SERVICE_SILENT",
            service + " said nothing for " + acme::format_duration(spec.deadline + grace) +
                "; if that goes on, restart it: systemctl restart nolapse-hooks.service",
            {},
            {}};
  }
  return {error.kind, error.code, service + ": " + error.message, {}, {}};
}

}  // namespace nolapse
