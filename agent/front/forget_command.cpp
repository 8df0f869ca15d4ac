// `nolapse forget`.
#include <variant>

#include "agent/front/exit_status.h"
#include "agent/front/join_or_work.h"
#include "agent/front/json_output.h"

namespace nolapse {

int run_forget(const GlobalOptions& global, const ForgetCommand& command, const Config& config) {
  using Done = std::monostate;
  ControlRequest request;
  request.command = ControlRequest::Command::forget;
  request.names = {command.name};
  request.json = global.json;
  request.verbosity = global.verbosity;
  OwnWork<Done> own;
  own.holder = "nolapse forget";
  own.work = [&](Agent& agent, const std::function<void(Result<Done>)>& done) {
    agent.forget(command.name, [done](const Result<void>& outcome) {
      done(outcome ? Result<Done>(Done{}) : Result<Done>(fail(outcome.error())));
    });
  };
  own.write = [&](const Done&) {
    std::cout << (global.json ? forgotten_document(command.name) : forgotten_line(command.name));
    return exit_status::ok;
  };
  own.interrupted = "say it again to take away what is left";
  return join_or_work(global, config, request, own);
}

}  // namespace nolapse
