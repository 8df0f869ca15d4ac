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
#include "agent/front/status_page.h"
#include "agent/world/event_loop.h"
#include "agent/world/real_world.h"

namespace nolapse {

class DaemonService {
 public:
  // What goes on from one configuration to the next.
  struct Process {
    std::optional<Time> started = {};  // nothing: it begins now
    UniqueFd status_socket = {};       // listens for the status page already; empty: opened anew
  };

  DaemonService(Config config, Process process);
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

  // When the process began.
  Time process_started() const { return process_started_; }
  // For the next service, which wants the status page at the same address; empty: none is open.
  // Who is connected gets an answer yet.
  UniqueFd give_up_status_socket();

  std::string summary() const { return daemon_.summary(); }

 private:
  void open_control_socket();

  const Config config_;
  RealWorld real_;
  const Time process_started_;
  EventStream events_;
  Daemon daemon_;
  std::unique_ptr<ControlServer> control_server_;
  UniqueFd status_socket_;  // until the status page opens
  StatusPage status_page_;
  ControlDesk desk_;  // ends first: it has a last word for those who wait
  bool started_ = false;
};

}  // namespace nolapse
