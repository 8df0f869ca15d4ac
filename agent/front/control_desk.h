// The daemon's side of the control socket: takes the requests of commands, does them between the
// daemon's own work, and lets those who asked follow it live. Peers are hostile; what they may ask
// for is decided by the user that the kernel names.
//
//   status, and a check that is not deep
//            whoever may connect: the socket's mode and group have decided that
//   everything else   root, and the user the daemon runs as
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/core/daemon.h"
#include "agent/front/control_message.h"
#include "agent/world/control_socket.h"

namespace nolapse {

class ControlDesk {
 public:
  // The references must outlive it.
  ControlDesk(World world, const Config& config, EventStream& events, Daemon& daemon);
  // Whoever still waits is told that the daemon has stopped.
  ~ControlDesk();
  ControlDesk(const ControlDesk&) = delete;
  ControlDesk& operator=(const ControlDesk&) = delete;

  void take(const std::shared_ptr<ControlConnection>& connection, const std::string& line);

  // From here on nobody may renew, forget or revoke: the daemon is about to stop. Status goes on.
  void refuse_renewals() { renewals_refused_ = true; }

 private:
  struct Visitor {
    std::shared_ptr<ControlConnection> connection;
    ControlRequest request;

    bool wants(const Event& event) const;
    void send(const ControlAnswer& answer) const;
    void refuse(const Error& error) const;
  };
  // Shared with those who report later; a visit ends exactly once, whoever ends it.
  using Visitors = std::vector<std::shared_ptr<const Visitor>>;

  std::optional<Error> objection(const Visitor& visitor) const;
  void renew(const std::shared_ptr<const Visitor>& visitor);
  void rehearse(const std::shared_ptr<const Visitor>& visitor);
  void forget(const std::shared_ptr<const Visitor>& visitor);
  void revoke(const std::shared_ptr<const Visitor>& visitor);
  void work_on_accounts(const std::shared_ptr<const Visitor>& visitor);
  void silence(const std::shared_ptr<const Visitor>& visitor);
  void channels_work(const std::shared_ptr<const Visitor>& visitor);
  void check(const std::shared_ptr<const Visitor>& visitor);
  void collect(const std::shared_ptr<const Visitor>& visitor);
  static ControlEnd refusal(const Visitor& visitor, const Error& error);
  static void end(Visitors& visitors, const std::shared_ptr<const Visitor>& visitor,
                  const ControlEnd& answer);

  World world_;
  const Config& config_;
  Daemon& daemon_;
  bool renewals_refused_ = false;
  std::shared_ptr<Visitors> visitors_ = std::make_shared<Visitors>();
};

}  // namespace nolapse
