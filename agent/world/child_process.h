// Programs that the agent runs: hooks above all. Each has a session and a process group of its
// own, /dev/null as stdin, an environment that is given completely, and no descriptor of ours.
//
// The result comes when the child itself has ended: what it left behind in its group is killed
// then, and a stray that holds its stdout open is not waited for. A server that detaches itself
// properly (setsid) lives on.
#pragma once

#include <map>
#include <memory>

#include "agent/world/worker_pool.h"

namespace nolapse {

class ChildProcesses final : public Processes {
 public:
  ChildProcesses(EventLoop& loop, WorkerPool& workers);
  // Kills the groups that still run: nobody would be left to enforce their deadlines.
  ~ChildProcesses() override;
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;

  void run(ProcessSpec spec, Completion<ProcessResult> done) override;

 private:
  struct Child;

  void start(std::uint64_t id);
  void watch(std::uint64_t id);
  void on_deadline(std::uint64_t id);
  void on_exit(std::uint64_t id);
  void fail_start(std::uint64_t id, const std::string& why);

  EventLoop& loop_;
  WorkerPool& workers_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Child>> children_;
};

}  // namespace nolapse
