// `nolapse renew`, `deploy` and `rollback`.
#include "agent/front/join_or_work.h"
#include "agent/front/renewal_output.h"

namespace nolapse {
namespace {

using Outcomes = std::vector<CertificateOutcome>;

ControlRequest request_for(const GlobalOptions& global, const RenewOptions& options) {
  ControlRequest request;
  request.command = ControlRequest::Command::renew;
  if (options.work == RenewOptions::Work::deploy) request.command = ControlRequest::Command::deploy;
  if (options.work == RenewOptions::Work::roll_back) {
    request.command = ControlRequest::Command::rollback;
  }
  request.target = options.target;
  request.generation = options.generation;
  request.names = options.names;
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.force = options.force;
  request.again = options.again;
  request.deploy = options.deploy;
  request.ca = options.ca;
  return request;
}

const char* holder_of(const RenewOptions& options) {
  if (options.work == RenewOptions::Work::deploy) return "nolapse deploy";
  return options.work == RenewOptions::Work::roll_back ? "nolapse rollback" : "nolapse renew";
}

}  // namespace

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config) {
  RenewOptions options = command.options;
  if (const auto error = not_to_renew(options.names, config)) return refuse(global, *error);
  if (const auto error = unknown_target(options.target, options.names, config)) {
    return refuse(global, *error);
  }
  options.names = config.with_families(options.names);
  if (const auto error = unknown_ca(options.ca, config)) return refuse(global, *error);
  OwnWork<Outcomes> own;
  own.holder = holder_of(options);
  own.work = [&](Agent& agent, const std::function<void(Result<Outcomes>)>& done) {
    agent.renew(options, done);
  };
  own.write = [&](const Outcomes& outcomes) {
    return write_renewal(std::cout, global.json, outcomes);
  };
  own.interrupted = "the next run goes on with what was begun";
  own.only_looks = options.dry_run;
  return join_or_work(global, config, request_for(global, options), own);
}

}  // namespace nolapse
