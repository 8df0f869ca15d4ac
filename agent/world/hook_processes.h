// Programs of our own, and the deploy hooks of users that this process may not become: those the
// hook service runs, which is told no more than the order.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/world/control_call.h"
#include "agent/world/event_loop.h"

namespace nolapse {

class HookProcesses final : public Processes {
 public:
  // How much later than the hook's deadline the service is given up. It enforces that itself.
  static constexpr Duration grace = std::chrono::seconds(15);
  // So long it may take to look who has a port.
  static constexpr Duration patience_for_listener = std::chrono::seconds(5);

  // `socket` is the service's path; empty: there is none.
  HookProcesses(EventLoop& loop, Processes& own, std::string socket)
      : loop_(loop), own_(own), socket_(std::move(socket)) {}
  HookProcesses(const HookProcesses&) = delete;
  HookProcesses& operator=(const HookProcesses&) = delete;

  bool may_become(const std::string& user) override { return own_.may_become(user); }

  // Besides the errors of Processes, for an order: local HOOK_SERVICE_MISSING (which unit to
  // start), PERMISSION_DENIED; transient HOOK_SERVICE_ENDED, HOOK_SERVICE_SILENT; and what the
  // service itself says.
  void run(ProcessSpec spec, Completion<ProcessResult> done) override;
  void find_listener(std::uint16_t port, std::function<void(std::string)> done) override;

 private:
  struct Call {
    std::string answer;
    std::unique_ptr<ControlCall> call;
  };

  void order(const ProcessSpec& spec, Completion<ProcessResult> done);
  Error describe(const Error& error, const ProcessSpec& spec) const;

  EventLoop& loop_;
  Processes& own_;
  const std::string socket_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Call> calls_;
};

}  // namespace nolapse
