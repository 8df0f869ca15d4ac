// The daemon under one configuration: its world, the certificates' agent, and the control socket at
// which commands join it. A changed configuration is a new one of these; the process around it goes
// on (daemon_command.cpp).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/core/daemon.h"
#include "agent/front/control_desk.h"
#include "agent/world/event_loop.h"
#include "agent/world/real_world.h"

namespace nolapse {

class DaemonService {
 public:
  explicit DaemonService(Config config);
  DaemonService(const DaemonService&) = delete;
  DaemonService& operator=(const DaemonService&) = delete;

  const Config& config() const { return config_; }
  EventLoop& loop() { return real_.loop(); }
  const Files& files() { return real_.world().files; }
  EventStream& events() { return events_; }

  // Runs the loop until the predicate holds; it is asked after each turn.
  void run_until(const std::function<bool()>& finished) { real_.run_until(finished); }

  // As Daemon::start(); commands may join from then on. Without a control socket the certificates
  // are looked after all the same.
  void start(Completion<void> done);
  bool started() const { return started_; }

  // As Daemon::stop().
  void stop(Duration patience, std::function<void()> stopped);

  std::string summary() const { return daemon_.summary(); }

 private:
  void open_control_socket();

  const Config config_;
  RealWorld real_;
  EventStream events_;
  Daemon daemon_;
  std::unique_ptr<ControlServer> control_server_;
  ControlDesk desk_;  // ends first: it has a last word for those who wait
  bool started_ = false;
};

}  // namespace nolapse
