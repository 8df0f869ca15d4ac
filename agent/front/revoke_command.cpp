// `nolapse revoke`.
#include "acme/revocation_list.h"
#include "agent/front/account_output.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_or_work.h"

namespace nolapse {

int run_revoke(const GlobalOptions& global, const RevokeCommand& command, const Config& config) {
  RevocationRequest revocation = command.request;
  const auto reason = acme::parse_revocation_reason(command.reason);
  if (!reason) {
    return refuse(global,
                  usage_error("UNKNOWN_REASON", "\"" + command.reason +
                                                    "\" is no reason; unspecified, keyCompromise, "
                                                    "affiliationChanged, superseded and "
                                                    "cessationOfOperation are"));
  }
  revocation.reason = *reason;

  ControlRequest request;
  request.command = ControlRequest::Command::revoke;
  request.names = {revocation.name};
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.reason = revocation.reason;
  request.generation = revocation.generation;
  OwnWork<RevocationOutcome> own;
  own.holder = "nolapse revoke";
  own.work = [&](Agent& agent, std::function<void(Result<RevocationOutcome>)> done) {
    agent.revoke(revocation, std::move(done));
  };
  own.write = [&](const RevocationOutcome& outcome) {
    std::cout << (global.json ? revoked_document(revocation.name, outcome)
                              : revoked_text(revocation.name, outcome, false));
    return exit_status::ok;
  };
  own.interrupted = "whether the CA has revoked it shows when this is said again";
  return join_or_work(global, config, request, own);
}

}  // namespace nolapse
