#include "agent/world/file_lock.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>

#include "agent/world/unique_fd.h"
#include "tests/agent/world/disk.h"

using namespace nolapse;
namespace fs = std::filesystem;

TEST_CASE("a lock held by another process names its holder and is free once that has died") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const std::string path = folder / "lock";
  std::array<int, 2> ready{};
  REQUIRE(::pipe(ready.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = disk.files.lock(path, "the daemon");
    if (::write(ready[1], lock ? "y" : "n", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  CHECK(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  const auto refused = disk.files.lock(path, "me");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::held);
  CHECK(refused.error().code == "LOCK_HELD");
  CHECK(refused.error().message.find("process " + std::to_string(child) + " (the daemon)") !=
        std::string::npos);

  auto lock = disk.files.lock(path, "me");
  REQUIRE(lock);
  CHECK(read_file(path) == "process " + std::to_string(::getpid()) + " (me)\n");
  CHECK(disk.files.lock(path, "me again").error().kind == ErrorKind::held);
  lock->reset();
  CHECK(disk.files.lock(path, "me again"));
  fs::create_symlink(path, folder / "link");
  CHECK_FALSE(disk.files.lock(folder / "link", "me"));
}

TEST_CASE("only the owner may lock, and an older file that all could read is made private") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  REQUIRE(disk.files.lock(folder / "new", "me"));
  CHECK(mode_of(folder / "new") == 0600);
  const std::string old = folder.write("old", "", 0644);
  {
    // Even while somebody holds it whom the old mode had let in.
    const UniqueFd reader(::open(old.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::flock(reader.get(), LOCK_EX) == 0);
    const auto held = disk.files.lock(old, "me");
    REQUIRE_FALSE(held);
    CHECK(held.error().kind == ErrorKind::held);
    CHECK(mode_of(old) == 0600);
  }
  CHECK(disk.files.lock(old, "me"));
}

TEST_CASE("a lock file that is another file's second name is refused and left as it is") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const std::string victim = folder.write("victim", "precious", 0640);
  fs::create_hard_link(victim, folder / "lock");
  const auto refused = disk.files.lock(folder / "lock", "me");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "FILE_ERROR");
  CHECK(refused.error().message.find(folder / "lock") != std::string::npos);
  CHECK(read_file(victim) == "precious");
  CHECK(mode_of(victim) == 0640);
  fs::create_directory(folder / "folder");
  CHECK_FALSE(disk.files.lock(folder / "folder", "me"));
}

TEST_CASE("root's lock cannot be taken or held by anybody else, who is told whose it is") {
  if (::geteuid() != 0) return;
  const TemporaryFolder folder;
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  Disk disk(folder.path());
  const std::string path = folder / "lock";
  REQUIRE(disk.files.lock(path, "root"));
  const auto says = as_nobody([&] {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto lock = disk.files.lock(path, "me");
    return std::string(fd ? "opened " : "") + (lock ? "locked" : lock.error().code) + ": " +
           (lock ? "" : lock.error().message);
  });
  CAPTURE(says);
  CHECK(says.starts_with("PERMISSION_DENIED: "));
  CHECK(says.find(path + ": it belongs to root") != std::string::npos);
}
