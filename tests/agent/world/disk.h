// The real files on a real disk, and what the tests of them ask the system directly.
#pragma once

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "agent/world/posix_files.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/temporary_folder.h"

namespace nolapse {

struct Disk {
  explicit Disk(const std::string& state, std::vector<std::string> webroots = {})
      : files(workers, state, std::move(webroots)) {}
  Result<void> run(std::vector<FileOperation> work) {
    return await<Result<void>>(loop, [&](Completion<void> done) { files.run(work, done); });
  }
  EventLoop loop;
  WorkerPool workers{loop, 2};
  PosixFiles files;
};

inline struct stat status_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

inline unsigned mode_of(const std::string& path) {
  return status_of(path).st_mode & 07777u;
}

inline bool exists(const std::string& path) {
  return std::filesystem::exists(std::filesystem::symlink_status(path));
}

constexpr unsigned nobody = 65534;

// What `say` says in a process of that user.
inline std::string as_nobody(const std::function<std::string()>& say) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
        ::setresuid(nobody, nobody, nobody) != 0) {
      ::_exit(1);
    }
    const std::string text = say();
    ::_exit(::write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
  }
  ::close(ends[1]);
  std::array<char, 1024> buffer;
  const ssize_t count = ::read(ends[0], buffer.data(), buffer.size());
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

}  // namespace nolapse
