// What the hook service does with an order. Root works here on the word of the daemon's user, so
// each order is judged anew, from what only root can write: the configuration, the hook and the
// folders above them. From the state directory it takes one pair, checks it, and gives the hook a
// copy of what it checked; no path that the daemon's user may change ever reaches the hook.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/core/hook_order.h"
#include "agent/front/cli.h"
#include "agent/world/control_socket.h"
#include "agent/world/staging_area.h"
#include "agent/world/worker_pool.h"

namespace nolapse {

class HookDesk {
 public:
  // So many at once; whoever comes then is to try again. Far more than a daemon runs at a time.
  static constexpr std::size_t most_orders = 256;

  // `config` is the first one, of root's files only. The references outlive the desk, and
  // `processes` drops its completions after it.
  HookDesk(EventLoop& loop, const Files& files, Processes& processes, StagingArea& staging,
           EventStream& events, GlobalOptions global, Config config);

  void take(const std::shared_ptr<ControlConnection>& connection, const std::string& line);

  // From here on no order is taken: the service is about to end.
  void refuse_orders() { refusing_ = true; }
  bool idle() const { return open_ == 0; }

 private:
  struct Run {
    std::vector<ProcessSpec> processes;
    std::unique_ptr<StagedFolder> staged;
    Duration timeout{};
    std::string warning;  // to be told
  };
  struct Visit;
  using Configuration = std::shared_ptr<const Config>;

  std::string state_directory() const;
  std::optional<Error> objection(const ControlPeer& peer) const;
  Result<Configuration> current_configuration(std::string& warning);
  Result<std::shared_ptr<Run>> prepare(const HookOrder& order);
  Result<Generation> stage(const Config& config, const HookOrder& order, const OrderedHook& hook,
                           Run& run);
  void tell_holder(const std::shared_ptr<ControlConnection>& connection, std::uint16_t port);
  void begin(const std::shared_ptr<Visit>& visit, Result<std::shared_ptr<Run>> prepared);
  void start(const std::shared_ptr<Visit>& visit);
  void end(const std::shared_ptr<Visit>& visit, const Result<ProcessResult>& result);

  EventLoop& loop_;
  const Files& files_;
  Processes& processes_;
  StagingArea& staging_;
  EventStream& events_;
  const GlobalOptions global_;
  std::size_t open_ = 0;
  bool refusing_ = false;
  mutable std::mutex mutex_;     // of configuration_, which workers renew
  Configuration configuration_;  // the last good one
  WorkerPool workers_;           // ends first: its work uses all of the above
};

// The pair of that generation, checked, as root reads it from the state directory.
Result<OrderedPair> read_ordered_pair(const std::string& state_directory,
                                      const CertificateSpec& spec, unsigned generation,
                                      bool rehearsed);

// One of the configured CAs issued it, as the anchors say that root has for them. Errors: input
// HOOK_ORDER_REFUSED.
Result<void> check_issuer(const Config& config, const OrderedPair& pair);

// Everything that the run of a hook relies on belongs to root. Errors as of check_root_owned().
Result<void> check_hook_owned(const DeployTarget& target,
                              const std::vector<ProcessSpec>& processes);

}  // namespace nolapse
