// `nolapse rehearse`.
#include "agent/front/join_or_work.h"
#include "agent/front/rehearsal_output.h"

namespace nolapse {

int run_rehearse(const GlobalOptions& global, const RehearseCommand& command,
                 const Config& config) {
  using Outcomes = std::vector<CertificateRehearsal>;
  if (const auto error = not_to_renew(command.names, config)) return refuse(global, *error);
  ControlRequest request;
  request.command = ControlRequest::Command::rehearse;
  request.names = config.with_families(command.names);
  request.json = global.json;
  request.verbosity = global.verbosity;
  OwnWork<Outcomes> own;
  own.holder = "nolapse rehearse";
  own.work = [&](Agent& agent, const std::function<void(Result<Outcomes>)>& done) {
    agent.rehearse(request.names, {}, done);
  };
  own.write = [&](const Outcomes& outcomes) {
    return write_rehearsals(std::cout, global.json, outcomes);
  };
  own.interrupted = "the next rehearsal takes away what was begun";
  return join_or_work(global, config, request, own);
}

}  // namespace nolapse
