#include "agent/world/root_owned.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/world/disk.h"

using namespace nolapse;
namespace fs = std::filesystem;

namespace {

constexpr gid_t another_group = 65534;

// <folder>/etc/hooks/nginx, all of it root's.
struct Tree {
  Tree() {
    fs::permissions(folder.path(), static_cast<fs::perms>(0755));
    fs::create_directories(folder / "etc/hooks");
    folder.write("etc/hooks/nginx", "#!/bin/sh\n", 0755);
  }
  std::string code() const {
    const auto checked = check_root_owned(hook);
    return checked ? "" : checked.error().code;
  }
  std::string said() const { return check_root_owned(hook).error().message; }

  TemporaryFolder folder;
  std::string hook = folder / "etc/hooks/nginx";
  std::string hooks = folder / "etc/hooks";
};

}  // namespace

TEST_CASE("what only root can change is root's, also below a folder such as /tmp") {
  if (::geteuid() != 0) return;
  const Tree tree;
  CHECK(tree.code() == "");
  ::chmod(tree.hooks.c_str(), 01777);
  CHECK(tree.code() == "");
  CHECK(check_root_owned("/"));
  CHECK(check_root_owned(tree.hooks + "/../hooks/./nginx"));
}

TEST_CASE("one line names what is not root's, why, and what to do") {
  if (::geteuid() != 0) return;
  const Tree tree;
  REQUIRE(::chown(tree.hook.c_str(), nobody, 0) == 0);
  CHECK(tree.code() == "NOT_ROOT_OWNED");
  CHECK(tree.said() == tree.hook +
                           " belongs to user nobody, who could make root run anything; run: chown "
                           "root " +
                           tree.hook);
}

TEST_CASE("owner and mode of the file and of every folder above count") {
  if (::geteuid() != 0) return;
  for (const char* part : {"etc", "etc/hooks", "etc/hooks/nginx"}) {
    CAPTURE(part);
    const Tree tree;
    const std::string path = tree.folder / part;
    REQUIRE(::chown(path.c_str(), nobody, 0) == 0);
    CHECK(tree.said().starts_with(path + " belongs to user nobody"));
    REQUIRE(::chown(path.c_str(), 0, 0) == 0);
    ::chmod(path.c_str(), 0777);
    CHECK(tree.said().starts_with(path + " is writable by everybody"));
    ::chmod(path.c_str(), 0775);
    CHECK(tree.code() == "");
    REQUIRE(::chown(path.c_str(), 0, another_group) == 0);
    CHECK(tree.said().starts_with(path + " is writable by group"));
    ::chmod(path.c_str(), 0755);
    CHECK(tree.code() == "");
  }
}

TEST_CASE("the sticky bit excuses a folder, not what lies in it") {
  if (::geteuid() != 0) return;
  const Tree tree;
  ::chmod(tree.hooks.c_str(), 01777);
  REQUIRE(::chown(tree.hook.c_str(), nobody, 0) == 0);
  CHECK(tree.code() == "NOT_ROOT_OWNED");
}

TEST_CASE("a link counts, what it leads to, and the folders above that") {
  if (::geteuid() != 0) return;
  const Tree tree;
  const std::string other = tree.folder / "other";
  fs::create_directories(other);
  fs::rename(tree.hook, other + "/nginx");
  fs::create_symlink("../../other/nginx", tree.hook);
  CHECK(tree.code() == "");
  REQUIRE(::chown(other.c_str(), nobody, 0) == 0);
  CHECK(tree.said().starts_with(other + " belongs to user nobody"));
  REQUIRE(::chown(other.c_str(), 0, 0) == 0);
  fs::remove(tree.hook);
  fs::create_symlink(other + "/nginx", tree.hook);
  CHECK(tree.code() == "");
  REQUIRE(::lchown(tree.hook.c_str(), nobody, 0) == 0);
  CHECK(tree.said().starts_with(tree.hook + " belongs to user nobody"));
}

TEST_CASE("a loop of links ends, and what is missing is missing") {
  if (::geteuid() != 0) return;
  const Tree tree;
  fs::remove(tree.hook);
  CHECK(tree.code() == "FILE_MISSING");
  fs::create_symlink(tree.hook, tree.hook);
  CHECK(tree.code() == "FILE_ERROR");
}
