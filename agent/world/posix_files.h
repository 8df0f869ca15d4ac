// Files on disk. Durable work runs as one task on a worker, in the order given; the short reads
// run where they are called, which is the loop.
//
// Root beside a daemon of another user: what root creates inside the state directory or a webroot
// belongs to the owner of that directory, so that the daemon can go on with it, and no link that
// the daemon's user puts there leads root's reads and writes elsewhere.
#pragma once

#include "agent/world/file_place.h"
#include "agent/world/worker_pool.h"

namespace nolapse {

class PosixFiles final : public Files {
 public:
  // Absolute; they need not exist yet.
  PosixFiles(WorkerPool& workers, std::string state_directory,
             std::vector<std::string> webroots = {});

  void run(std::vector<FileOperation> work, Completion<void> done) override;
  Result<std::string> read(const std::string& path) const override;
  // At most `size` octets from `offset` on, of a file of any size; none at its end. Errors as
  // read().
  Result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                std::size_t size) const;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
  Result<std::string> read_link(const std::string& path) const override;
  Result<FileStatus> status(const std::string& path) const override;
  Result<FileSpace> space(const std::string& directory) const override;
  Result<std::unique_ptr<Lock>> lock(const std::string& path, const std::string& holder) override;

 private:
  // The way to a folder, good for a moment: whoever looks at one file of it looks at the others
  // next, and the walk costs more than the look.
  struct Walk {
    std::string folder;
    UniqueFd directory;
    std::int64_t moment = 0;
  };
  // The folder, open, and the name in it. AT_FDCWD and the path where it is not guarded.
  Result<std::pair<int, std::string>> find_spot(const std::string& path) const;

  WorkerPool& workers_;
  const std::string state_directory_;
  const GuardedDirectories guarded_;
  mutable Walk walk_;
};

}  // namespace nolapse
