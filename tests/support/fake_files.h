// Files in memory, with faults and crashes: the fake for the core's most dangerous partner.
//
// Each operation takes a millisecond of virtual time and is a closure of its own, so that other
// work falls between two of them and a crash can be ordered after any one. Failures name path and
// cause like the real implementation's. What survives a crash is file_tree.h's business.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_clock.h"
#include "tests/support/file_tree.h"

namespace nolapse {

class FakeFiles final : public Files {
 public:
  FakeFiles(FakeClock& clock, SeededRandom random);

  void run(std::vector<FileOperation> work, Completion<void> done) override;
  Result<std::string> read(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
  Result<std::string> read_link(const std::string& path) const override;
  Result<FileStatus> status(const std::string& path) const override;
  // Plenty, until the disk is full.
  Result<FileSpace> space(const std::string& directory) const override;
  Result<std::unique_ptr<Lock>> lock(const std::string& path, const std::string& holder) override;

  // Crashes. After `count` further operations (1: the next one) `handler` is called instead of
  // anything of the process, from the clock's queue; it is to drop the process and call crash().
  void crash_after(std::uint64_t count, std::function<void()> handler);
  void kill();   // the process died: its work stops where it is, its locks are free
  void crash();  // power failure: as kill(), and what was not synced is at risk
  std::uint64_t total_operations() const { return operations_; }  // failed ones count

  // Faults.
  void fail_operation(std::uint64_t count, std::string code = "DISK_FULL");  // 1: the next one
  void set_disk_full(bool full) { disk_full_ = full; }  // a write leaves half of its content
  void set_space(const std::string& directory, FileSpace space) { spaces_[directory] = space; }
  void set_read_only(const std::string& path, bool read_only);
  void set_unreadable(const std::string& path, bool unreadable);
  // Nothing below it can be looked at, nor its names.
  void set_closed(const std::string& folder, bool closed);
  void hold_lock(const std::string& path, const std::string& holder);  // by another process
  void release_lock(const std::string& path);

  // For tests: at once, durable, parents made, symlinks on the way followed.
  void put(const std::string& path, const std::string& content, unsigned mode = 0644);
  void put_directory(const std::string& path);
  void put_symlink(const std::string& target, const std::string& path);
  void erase(const std::string& path);
  std::string text(const std::string& path) const;  // empty where there is no such file
  bool exists(const std::string& path) const;       // a dangling link does not
  unsigned mode(const std::string& path) const;
  std::string group(const std::string& path) const;
  std::size_t unsynced_changes() const { return tree_.unsynced_changes(); }
  std::vector<std::string> tree() const { return tree_.listing(); }

 private:
  struct Job {
    std::vector<FileOperation> work;
    std::size_t next = 0;
    Completion<void> done;
    Result<void> outcome;
  };
  struct LockTable {
    struct Held {
      std::uint64_t id = 0;
      std::string holder;
      bool foreign = false;  // outlives the process under test
    };
    std::map<std::string, Held> held;  // by path
    std::uint64_t last_id = 0;
  };
  class HeldLock;

  void run_next(std::uint64_t job_id);
  Result<void> execute(const FileOperation& operation);
  Result<void> perform(const MakeDirectory& operation);
  Result<void> perform(const WriteFile& operation);
  Result<void> perform(const SetAccess& operation);
  Result<void> perform(const AppendFile& operation);
  Result<void> perform(const SyncFile& operation);
  Result<void> perform(const SyncDirectory& operation);
  Result<void> perform(const Rename& operation);
  Result<void> perform(const MakeSymlink& operation);
  Result<void> perform(const RemoveTree& operation);
  Result<FileTree::Place> writable(const std::string& path, bool follow_final = false) const;
  Result<FileTree::Place> new_name(const std::string& path) const;
  Result<void> check_space(const std::string& path) const;
  bool is_unreadable(const std::string& path) const;
  bool is_shut_away(const std::string& path) const;

  FakeClock& clock_;
  SeededRandom random_;
  FileTree tree_;
  std::map<std::uint64_t, Job> jobs_;
  std::uint64_t last_job_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t crash_at_ = 0;  // a count of operations; 0: never
  std::function<void()> crash_handler_;
  std::map<std::uint64_t, std::string> failures_;  // by count of operations
  std::map<std::string, FileSpace> spaces_;        // of its own, by directory
  bool disk_full_ = false;
  std::set<std::string> read_only_;
  std::set<std::string> unreadable_;
  std::set<std::string> closed_;
  std::shared_ptr<LockTable> locks_;
};

}  // namespace nolapse
