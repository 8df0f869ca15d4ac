// Programs that the agent runs: hooks above all. Each has a session and a process group of its
// own, /dev/null as stdin, an environment that is given completely, and no descriptor of ours.
//
// The result comes when the child itself has ended: what it left behind in its group is killed
// then, and a stray that holds its stdout open is not waited for. A server that detaches itself
// properly (setsid) lives on. A child that not even SIGKILL ends (it became another user, or hangs
// in the kernel) is given up, and its result says so.
#pragma once

#include <map>
#include <memory>

#include "agent/world/worker_pool.h"

namespace nolapse {

class ChildProcesses final : public Processes {
 public:
  // How long a child may go on after a signal that is to end it.
  struct Patience {
    Duration after_term = std::chrono::seconds(2);
    Duration after_kill = std::chrono::seconds(2);
  };

  ChildProcesses(EventLoop& loop, WorkerPool& workers)
      : ChildProcesses(loop, workers, Patience()) {}
  ChildProcesses(EventLoop& loop, WorkerPool& workers, Patience patience);
  // Kills the groups that still run: nobody would be left to enforce their deadlines.
  ~ChildProcesses() override;
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;

  bool may_become(const std::string& user) override;
  void run(ProcessSpec spec, Completion<ProcessResult> done) override;
  void find_listener(std::uint16_t port, std::function<void(std::string)> done) override;

 private:
  struct Child;

  void start(std::uint64_t id);
  void watch(std::uint64_t id);
  void on_deadline(std::uint64_t id);
  void give_up(std::uint64_t id);
  void on_exit(std::uint64_t id);
  void stop_listening(Child& child);
  void fail_start(std::uint64_t id, const std::string& why);

  EventLoop& loop_;
  WorkerPool& workers_;
  const Patience patience_;
  std::string own_name_;  // looked up when it is needed
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Child>> children_;
};

}  // namespace nolapse
