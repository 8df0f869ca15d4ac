// What root reads of another user's folder, and what it lays out for a hook.
#include "agent/world/foreign_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/world/staging_area.h"
#include "tests/agent/world/disk.h"

using namespace nolapse;
namespace fs = std::filesystem;

namespace {

struct State {
  State() {
    fs::create_directories(folder / "state/certificates/shop/7");
    folder.write("state/certificates/shop/7/fullchain.pem", "chain");
    folder.write("secret", "secret");
  }
  Result<std::string> read(const std::string& name = "fullchain.pem",
                           const std::string& inner = "certificates/shop/7") const {
    const auto opened = ForeignFolder::open(folder / "state", inner);
    if (!opened) return fail(opened.error());
    return opened->read(name);
  }
  TemporaryFolder folder;
  std::string file = folder / "state/certificates/shop/7/fullchain.pem";
};

}  // namespace

TEST_CASE("a file of the folder is read") {
  const State state;
  CHECK(state.read() == std::string("chain"));
  CHECK(state.read("absent").error().code == "FILE_MISSING");
}

TEST_CASE("the state directory itself may be reached through a link") {
  const State state;
  fs::rename(state.folder / "state", state.folder / "elsewhere");
  fs::create_symlink(state.folder / "elsewhere", state.folder / "state");
  CHECK(state.read() == std::string("chain"));
}

TEST_CASE("no link is followed, neither as the file nor on the way") {
  const State state;
  fs::remove(state.file);
  fs::create_symlink(state.folder / "secret", state.file);
  CHECK_FALSE(state.read());
  fs::remove(state.file);
  fs::create_symlink("other.pem", state.file);
  state.folder.write("state/certificates/shop/7/other.pem", "chain");
  CHECK_FALSE(state.read());
  const std::string generation = state.folder / "state/certificates/shop/7";
  fs::rename(generation, state.folder / "moved");
  fs::create_symlink(state.folder / "moved", generation);
  CHECK_FALSE(state.read("other.pem"));
}

TEST_CASE("no path leads out of the state directory") {
  const State state;
  CHECK_FALSE(state.read("../../../../secret"));
  CHECK_FALSE(state.read("secret", "certificates/../../"));
  CHECK_FALSE(state.read("secret", state.folder.path()));
}

TEST_CASE("what is no regular file, or too large, is refused and holds nobody up") {
  const State state;
  fs::remove(state.file);
  REQUIRE(::mkfifo(state.file.c_str(), 0600) == 0);
  CHECK(state.read().error().message.find("it is not a file") != std::string::npos);
  fs::remove(state.file);
  fs::create_directory(state.file);
  CHECK_FALSE(state.read());
  fs::remove(state.file);
  std::ofstream(state.file) << std::string(ForeignFolder::largest_file, 'x');
  CHECK(state.read());
  std::ofstream(state.file) << std::string(ForeignFolder::largest_file + 1, 'x');
  CHECK(state.read().error().message.find("larger than 256 KiB") != std::string::npos);
}

TEST_CASE("a file of a third user is refused, as a hard link could bring one") {
  if (::geteuid() != 0) return;
  const State state;
  constexpr unsigned owner = 12345;
  REQUIRE(::chown((state.folder / "state").c_str(), owner, owner) == 0);
  REQUIRE(::chown(state.file.c_str(), owner, owner) == 0);
  CHECK(state.read());
  REQUIRE(::chown(state.file.c_str(), nobody, owner) == 0);
  CHECK(state.read().error().message.find("not the file of the state directory's owner") !=
        std::string::npos);
}

TEST_CASE("files are laid out for the hook's user alone, and are gone afterwards") {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  const mode_t before = ::umask(077);
  const auto area = StagingArea::open(folder / "staging");
  REQUIRE(area);
  const std::string user = ::geteuid() == 0 ? "nobody" : "";
  auto staged =
      (*area)->stage("shop", {{"privkey.pem", "key", 0600}, {"cert.pem", "leaf", 0644}}, user);
  ::umask(before);
  REQUIRE(staged);
  const std::string path = (*staged)->path();
  CHECK(path.starts_with(folder / "staging/"));
  CHECK(path.ends_with("/shop"));
  CHECK(read_file(path + "/privkey.pem") == "key");
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(path + "/privkey.pem") == 0600);
  CHECK(mode_of(path + "/cert.pem") == 0644);
  CHECK(mode_of(folder / "staging") == 0711);
  if (::geteuid() == 0) {
    CHECK(status_of(path).st_uid == nobody);
    CHECK(status_of(path + "/privkey.pem").st_uid == nobody);
    CHECK(as_nobody([&] { return read_file(path + "/privkey.pem"); }) == "key");
  }
  staged->reset();
  CHECK(fs::is_empty(folder / "staging"));
}

TEST_CASE("what a killed service left is removed at the next start, and nothing else") {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  fs::create_directories(folder / "staging/order-3/shop");
  folder.write("staging/order-3/shop/privkey.pem", "key");
  folder.write("staging/mine", "kept");
  fs::create_symlink(folder.path(), folder / "staging/order-4");
  REQUIRE(StagingArea::open(folder / "staging"));
  CHECK_FALSE(exists(folder / "staging/order-3"));
  CHECK_FALSE(exists(folder / "staging/order-4"));
  CHECK(exists(folder / "staging/mine"));
  CHECK(exists(folder.path()));
}

TEST_CASE("a user that there is not, and a folder that others may write, are refused") {
  if (::geteuid() != 0) return;
  const TemporaryFolder folder;
  const auto area = StagingArea::open(folder / "staging");
  REQUIRE(area);
  CHECK((*area)->stage("shop", {}, "no-such-user").error().code == "NO_SUCH_USER");
  REQUIRE(::chown((folder / "staging").c_str(), nobody, 0) == 0);
  CHECK(StagingArea::open(folder / "staging").error().code == "NOT_ROOT_OWNED");
}
