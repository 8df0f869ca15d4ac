// The daemon's own word is better than what its files say: only it knows which configuration is in
// force. One that does not answer must not keep a status from anybody: then the files speak.
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/renewal_doubts.h"
#include "agent/core/status_collection.h"
#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/status_output.h"

namespace nolapse {
namespace {

// Nobody listens, or not for us: no news to whoever asks for a status.
bool is_no_news(const Error& error) {
  return error.code == "NO_DAEMON" || error.code == "PERMISSION_DENIED";
}

}  // namespace

int run_status(const GlobalOptions& global, const StatusCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  if (const auto error = unknown_to_status(command.names, config, world.files)) {
    return refuse(global, *error);
  }
  const std::vector<std::string> names = config.with_families(command.names);
  ControlRequest request;
  request.names = names;
  request.json = global.json;
  request.verbosity = global.verbosity;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (!is_no_news(joined.error())) {
    std::cerr << "nolapse: " << acme::printable(joined.error().message)
              << "; this is what its files say\n";
  }
  std::optional<std::vector<CertificateStatus>> statuses;
  std::optional<std::vector<WatchedCertificate>> watched;
  collect_weighed_status(
      world, config, names,
      [&](std::vector<CertificateStatus> collected) { statuses = std::move(collected); },
      configuration_doubts(world.files, config));
  collect_watched(world, config, names, [&](std::vector<WatchedCertificate> collected) {
    watched = std::move(collected);
  });
  real.run_until([&] { return statuses.has_value() && watched.has_value(); });
  return write_statuses(std::cout, {global.json, global.verbosity}, world.clock.now(), *statuses,
                        *watched);
}

}  // namespace nolapse
