#include "agent/world/posix_files.h"

#include <doctest/doctest.h>

#include "tests/agent/world/disk.h"

using namespace nolapse;
namespace fs = std::filesystem;

TEST_CASE("a generation is built, synced and renamed, with its final modes whatever the umask") {
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  Disk disk(state);
  const mode_t before = ::umask(077);
  const auto result = disk.run({
      MakeDirectory{state, 0750},
      MakeDirectory{state + "/tmp/1", 0700},
      WriteFile{state + "/tmp/1/privkey.pem", "secret", 0600, ""},
      WriteFile{state + "/tmp/1/cert.pem", std::string(200'000, 'x'), 0644, ""},
      SyncFile{state + "/tmp/1/privkey.pem"},
      SyncDirectory{state + "/tmp/1"},
      Rename{state + "/tmp/1", state + "/one"},
      SyncDirectory{state},
      MakeSymlink{"../one", state + "/tmp/live"},
      Rename{state + "/tmp/live", state + "/live"},
  });
  ::umask(before);
  REQUIRE(result);
  CHECK(mode_of(state) == 0750);
  CHECK(mode_of(state + "/one") == 0700);
  CHECK(mode_of(state + "/one/privkey.pem") == 0600);
  CHECK(mode_of(state + "/one/cert.pem") == 0644);
  CHECK(disk.files.read(state + "/one/privkey.pem") == "secret");
  CHECK(disk.files.read_link(state + "/live") == "../one");
  CHECK(disk.files.status(state + "/live")->kind == FileStatus::Kind::symlink);
  CHECK(disk.files.status(state + "/one/cert.pem")->size == 200'000);
  CHECK(disk.files.list(state + "/one") == std::vector<std::string>{"cert.pem", "privkey.pem"});
  // Once more is fine for what may be there already.
  CHECK(disk.run({MakeDirectory{state, 0750}, MakeDirectory{state + "/tmp", 0700}}));
}

TEST_CASE("parents above the state directory can be passed by everybody") {
  const TemporaryFolder folder;
  const std::string state = folder / "srv/nolapse";
  Disk disk(state);
  REQUIRE(disk.run({MakeDirectory{state + "/tmp", 0700}}));
  CHECK(mode_of(folder / "srv") == 0755);
  CHECK(mode_of(state) == 0700);
}

TEST_CASE("an existing file, a link in its place and a missing folder are refused by name") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const std::string victim = folder.write("victim", "mine");
  fs::create_symlink(victim, folder / "link");
  fs::create_symlink(folder / "nowhere", folder / "dangling");

  for (const char* name : {"victim", "link", "dangling"}) {
    CAPTURE(name);
    const auto written = disk.run({WriteFile{folder / name, "theirs", 0644, ""}});
    REQUIRE_FALSE(written);
    CHECK(written.error().code == "FILE_EXISTS");
    CHECK(written.error().kind == ErrorKind::local);
    CHECK(written.error().message.find(folder / name) != std::string::npos);
  }
  CHECK(read_file(victim) == "mine");
  CHECK_FALSE(exists(folder / "nowhere"));

  const auto lost = disk.run({WriteFile{folder / "no/file", "", 0644, ""}});
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == "FILE_MISSING");
  CHECK_FALSE(disk.run({MakeSymlink{"x", victim}}));
  CHECK_FALSE(disk.run({WriteFile{"relative", "", 0644, ""}}));
  CHECK_FALSE(disk.run({MakeDirectory{victim, 0755}}));
}

TEST_CASE("the first error stops the work, and a file that failed is not left behind") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const auto result = disk.run({
      WriteFile{folder / "a", "1", 0644, ""},
      WriteFile{folder / "b", "2", 0644, "no-such-group-here"},
      WriteFile{folder / "c", "3", 0644, ""},
  });
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("no group no-such-group-here") != std::string::npos);
  CHECK(exists(folder / "a"));
  CHECK_FALSE(exists(folder / "b"));
  CHECK_FALSE(exists(folder / "c"));
}

TEST_CASE("inside the state directory no link is followed, not even in the middle of a path") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  Disk disk(folder.path());
  fs::create_directory_symlink(elsewhere.path(), folder / "tmp");
  const auto written = disk.run({WriteFile{folder / "tmp/file", "x", 0644, ""}});
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find("symbolic link") != std::string::npos);
  CHECK_FALSE(disk.run({MakeDirectory{folder / "tmp/deep/er", 0700}}));
  CHECK(fs::is_empty(elsewhere.path()));
  // Outside, an administrator's link is a way like any other.
  fs::create_directory_symlink(elsewhere.path(), elsewhere / "www");
  CHECK(disk.run({WriteFile{elsewhere / "www/file", "x", 0644, ""}}));
}

TEST_CASE("below a webroot no link is followed; the webroot itself may be reached through one") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  elsewhere.write("precious", "x");
  fs::create_directories(folder / "real/.well-known");
  fs::create_directory_symlink(folder / "real", folder / "www");
  const std::string challenges = folder / "www/.well-known/acme-challenge";
  fs::create_directory_symlink(elsewhere.path(), challenges);
  Disk disk(folder / "state", {folder / "other", folder / "www/"});
  for (const FileOperation& operation : std::vector<FileOperation>{
           MakeDirectory{challenges, 0755}, MakeDirectory{challenges + "/deep/er", 0755},
           WriteFile{challenges + "/token", "x", 0644, ""}, SyncFile{challenges + "/precious"},
           MakeSymlink{"x", challenges + "/link"}, RemoveTree{challenges + "/precious"},
           Rename{challenges + "/precious", folder / "www/stolen"}}) {
    CAPTURE(operation.index());
    const auto refused = disk.run({operation});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::local);
    CHECK(refused.error().code == "FILE_ERROR");
    CAPTURE(refused.error().message);
    CHECK(refused.error().message.find(challenges) != std::string::npos);
    CHECK(refused.error().message.find("symbolic link") != std::string::npos);
  }
  CHECK(disk.files.read(challenges + "/precious").error().code == "FILE_ERROR");
  CHECK(std::distance(fs::directory_iterator(elsewhere.path()), {}) == 1);

  REQUIRE(disk.run({RemoveTree{challenges}, MakeDirectory{challenges, 0755},
                    WriteFile{challenges + "/token", "proof", 0644, ""}}));
  CHECK(read_file(folder / "real/.well-known/acme-challenge/token") == "proof");
}

TEST_CASE("reads in the state directory follow no link either, and name the one they met") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  elsewhere.write("secret", "root's");
  Disk disk(folder.path());
  const auto& files = disk.files;
  const std::string link = folder / "accounts";
  fs::create_directory_symlink(elsewhere.path(), link);
  const std::string last = folder / "key.pem";
  fs::create_symlink(elsewhere / "secret", last);
  struct Row {
    const char* what;
    std::optional<Error> error;
    std::string link;
  };
  const auto error_of = [](const auto& result) {
    return result ? std::nullopt : std::optional<Error>(result.error());
  };
  for (const Row& row : {Row{"read", error_of(files.read(link + "/secret")), link},
                         Row{"read of the link", error_of(files.read(last)), last},
                         Row{"list", error_of(files.list(link + "/deeper")), link},
                         Row{"list of the link", error_of(files.list(link)), link},
                         Row{"status", error_of(files.status(link + "/secret")), link},
                         Row{"read_link", error_of(files.read_link(link + "/secret")), link},
                         Row{"lock", error_of(disk.files.lock(link + "/lock", "me")), link}}) {
    CAPTURE(row.what);
    REQUIRE(row.error);
    CHECK(row.error->kind == ErrorKind::local);
    CHECK(row.error->code == "FILE_ERROR");
    CAPTURE(row.error->message);
    CHECK(row.error->message.find(row.link) != std::string::npos);
    CHECK(row.error->message.find("symbolic link") != std::string::npos);
  }
  // A link may be looked at, it is only not followed.
  CHECK(files.read_link(last) == elsewhere / "secret");
  CHECK(files.status(last)->kind == FileStatus::Kind::symlink);
  // Elsewhere an administrator's links are ways like any other.
  fs::create_symlink(elsewhere / "secret", elsewhere / "link");
  CHECK(files.read(elsewhere / "link") == "root's");
  // What is simply no directory is not called a link.
  folder.write("plain", "x");
  CHECK(files.read(folder / "plain/file").error().message.find("link") == std::string::npos);
}

TEST_CASE("paths directly below the root of the file system are paths like any other") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  CHECK(disk.run({MakeDirectory{"/", 0755}, MakeDirectory{"/usr", 0755}, SyncDirectory{"/usr"},
                  SyncDirectory{"/"}}));
  CHECK(disk.files.status("/usr")->kind == FileStatus::Kind::directory);
  CHECK(disk.files.status("/")->kind == FileStatus::Kind::directory);
}

TEST_CASE("a tree is removed without following the links in it") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  Disk disk(folder.path());
  elsewhere.write("precious", "x");
  fs::create_directories(folder / "tree/a/b");
  folder.write("tree/a/b/file", "x");
  fs::create_directory_symlink(elsewhere.path(), folder / "tree/a/link");
  fs::create_directory_symlink(elsewhere.path(), folder / "direct");
  REQUIRE(disk.run({RemoveTree{folder / "tree"}, RemoveTree{folder / "direct"},
                    RemoveTree{folder / "absent"}, RemoveTree{folder / "absent/too"}}));
  CHECK_FALSE(exists(folder / "tree"));
  CHECK_FALSE(exists(folder / "direct"));
  CHECK(exists(elsewhere / "precious"));
}

TEST_CASE("reads refuse what is missing, too large or no file") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  CHECK(disk.files.read(folder / "absent").error().code == "FILE_MISSING");
  CHECK(disk.files.list(folder / "absent").error().code == "FILE_MISSING");
  CHECK(disk.files.status(folder / "absent").error().code == "FILE_MISSING");
  CHECK(disk.files.read_link(folder.path()).error().code == "FILE_ERROR");
  CHECK(disk.files.read(folder.path()).error().code == "FILE_ERROR");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(disk.files.read(folder / "fifo").error().code == "FILE_ERROR");  // and does not wait

  const std::string limit(4u << 20, 'x');
  folder.write("fits", limit);
  folder.write("large", limit + "x");
  CHECK(disk.files.read(folder / "fits")->size() == limit.size());
  CHECK(disk.files.read(folder / "large").error().code == "FILE_ERROR");

  CHECK(disk.files.status(folder.write("hook", "#!/bin/sh\n", 0755))->executable);
  CHECK_FALSE(disk.files.status(folder.write("text", "x", 0644))->executable);
  CHECK_FALSE(disk.files.status(folder.path())->executable);
}

TEST_CASE("what root creates below a webroot belongs to that webroot's owner") {
  if (::geteuid() != 0) return;
  const TemporaryFolder folder;
  const std::string webroot = folder / "www";
  const std::string roots_own = webroot + "/private";
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  fs::create_directories(webroot + "/stray");  // as an older version left it
  fs::create_directory(roots_own);
  folder.write("www/private/file", "x", 0600);
  fs::permissions(roots_own, static_cast<fs::perms>(0700));
  REQUIRE(::chown(webroot.c_str(), nobody, nobody) == 0);
  Disk disk(folder / "state", {webroot});
  const std::string challenges = webroot + "/.well-known/acme-challenge";
  REQUIRE(disk.run({MakeDirectory{folder / "state", 0700}, MakeDirectory{challenges, 0755},
                    WriteFile{challenges + "/token", "x", 0644, ""},
                    MakeDirectory{webroot + "/stray", 0755}, MakeDirectory{roots_own, 0755}}));
  for (const char* name : {"/.well-known", "/.well-known/acme-challenge",
                           "/.well-known/acme-challenge/token", "/stray"}) {
    CAPTURE(name);
    CHECK(status_of(webroot + name).st_uid == nobody);
    CHECK(status_of(webroot + name).st_gid == nobody);
  }
  // The webroot's owner can move a folder of root's into the place of ours.
  CHECK(status_of(roots_own).st_uid == 0);
  CHECK(mode_of(roots_own) == 0700);
  CHECK(as_nobody([&] {
          std::ofstream(challenges + "/another") << "y";
          return std::string(exists(challenges + "/another") ? "wrote" : "could not");
        }) == "wrote");
}

TEST_CASE("a webroot inside the state directory has its own owner and the stricter way to it") {
  if (::geteuid() != 0) return;
  const TemporaryFolder folder;
  const std::string webroot = folder / "state/www";
  fs::create_directories(webroot);
  REQUIRE(::chown(webroot.c_str(), nobody, nobody) == 0);
  Disk disk(folder / "state", {webroot, folder / "state/link"});
  REQUIRE(disk.run({WriteFile{webroot + "/token", "x", 0644, ""}}));
  CHECK(status_of(webroot + "/token").st_uid == nobody);
  fs::create_directory_symlink("www", folder / "state/link");
  CHECK_FALSE(disk.run({WriteFile{folder / "state/link/another", "x", 0644, ""}}));
}

TEST_CASE("root beside a daemon of another user leaves files that the daemon can go on with") {
  if (::geteuid() != 0) return;
  const TemporaryFolder folder;
  constexpr uid_t user = 65534;
  constexpr gid_t group = 65534;
  const std::string state = folder / "state";
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  fs::create_directory(state);
  REQUIRE(::chown(state.c_str(), user, group) == 0);
  Disk disk(state);
  const std::string stray = state + "/stray";  // as a crash between mkdir and chown leaves it
  fs::create_directory(stray);
  REQUIRE(disk.run({
      MakeDirectory{state + "/tmp/1", 0700},
      MakeDirectory{stray, 0700},
      WriteFile{state + "/tmp/1/key", "x", 0600, ""},
      WriteFile{state + "/tmp/1/shared", "x", 0640, "daemon"},
      MakeSymlink{"tmp/1", state + "/live"},
      WriteFile{folder / "outside", "x", 0600, ""},
  }));
  for (const char* name : {"/tmp", "/tmp/1", "/tmp/1/key", "/live", "/stray"}) {
    CAPTURE(name);
    CHECK(status_of(state + name).st_uid == user);
    CHECK(status_of(state + name).st_gid == group);
  }
  CHECK(status_of(state + "/tmp/1/shared").st_uid == user);
  CHECK(status_of(state + "/tmp/1/shared").st_gid == 1);  // daemon's, everywhere
  CHECK(status_of(folder / "outside").st_uid == 0);

  REQUIRE(disk.files.lock(state + "/lock", "root"));
  CHECK(status_of(state + "/lock").st_uid == user);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresgid(group, group, group) != 0 || ::setresuid(user, user, user) != 0) ::_exit(1);
    const auto lock = disk.files.lock(state + "/lock", "the daemon");
    ::_exit(lock && read_file(state + "/lock").find("(the daemon)") != std::string::npos ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("appending creates a file, adds to it, and follows no link") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const std::string log = folder / "events.jsonl";
  REQUIRE(disk.run({AppendFile{log, "one\n", 0640}, SyncFile{log}}));
  REQUIRE(disk.run({AppendFile{log, "two\n", 0600}}));
  CHECK(disk.files.read(log) == "one\ntwo\n");
  CHECK(mode_of(log) == 0640);
  const std::string victim = folder.write("victim", "mine");
  fs::create_symlink(victim, folder / "link");
  fs::create_symlink(folder / "nowhere", folder / "dangling");
  fs::create_directory(folder / "folder");
  for (const char* name : {"link", "dangling", "folder"}) {
    CAPTURE(name);
    CHECK_FALSE(disk.run({AppendFile{folder / name, "x", 0600}}));
  }
  CHECK(disk.files.read(victim) == "mine");
  CHECK_FALSE(fs::exists(folder / "nowhere"));
  CHECK(disk.run({AppendFile{folder / "none/events", "x", 0600}}).error().code == "FILE_MISSING");
}

TEST_CASE("the access of a file is set without a touch of its content, and no link is followed") {
  const TemporaryFolder folder;
  Disk disk(folder.path());
  const std::string key = folder / "key";
  REQUIRE(disk.run({WriteFile{key, "secret", 0600, ""}}));
  CHECK(disk.run({SetAccess{key, 0640, ""}}));
  CHECK(mode_of(key) == 0640);
  CHECK(read_file(key) == "secret");
  const struct group* other = ::getgrgid(1);
  if (::geteuid() == 0 && other != nullptr) {
    CHECK(disk.run({SetAccess{key, 0640, other->gr_name}}));
    CHECK(status_of(key).st_gid == 1);
    CHECK(disk.files.status(key)->group == "1");
    CHECK(disk.run({SetAccess{key, 0600, ""}}));
    CHECK(mode_of(key) == 0600);
    CHECK(disk.run({SetAccess{key, 0640, other->gr_name}}));
  }
  // What cannot be given takes nothing away.
  const auto refused = disk.run({SetAccess{key, 0640, "no-such-group-here"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("no group no-such-group-here") != std::string::npos);
  CHECK(mode_of(key) == 0640);

  const TemporaryFolder elsewhere;
  elsewhere.write("victim", "x");
  ::chmod((elsewhere / "victim").c_str(), 0600);
  fs::create_symlink(elsewhere / "victim", folder / "link");
  for (const std::string& path : {folder / "link", folder / "missing", folder.path()}) {
    CHECK_FALSE(disk.run({SetAccess{path, 0644, ""}}));
  }
  CHECK(mode_of(elsewhere / "victim") == 0600);
}

TEST_CASE("a part of a file of any size is read, none behind its end, and through no link") {
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  Disk disk(state);
  REQUIRE(disk.run({MakeDirectory{state, 0700},
                    WriteFile{state + "/large", std::string(5 << 20, 'x') + "end", 0600, ""}}));
  CHECK_FALSE(disk.files.read(state + "/large"));
  CHECK(disk.files.read_part(state + "/large", 5 << 20, 100) == "end");
  CHECK(disk.files.read_part(state + "/large", (5 << 20) - 1, 2) == "xe");
  CHECK(disk.files.read_part(state + "/large", 6 << 20, 100) == "");
  CHECK(disk.files.read_part(state + "/none", 0, 100).error().code == "FILE_MISSING");
  fs::create_symlink("large", state + "/link");
  CHECK_FALSE(disk.files.read_part(state + "/link", 0, 100));
  CHECK_FALSE(disk.files.read_part(state, 0, 100));
}
