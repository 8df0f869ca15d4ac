#include "agent/world/child_process.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/agent/world/await.h"
#include "tests/agent/world/temporary_folder.h"

using namespace nolapse;
namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Ending = ProcessResult::Ending;

namespace {

struct Runner {
  Result<ProcessResult> run(ProcessSpec spec) {
    const auto before = loop.uptime();
    auto result = await<Result<ProcessResult>>(
        loop, [&](Completion<ProcessResult> done) { processes.run(std::move(spec), done); });
    took = loop.uptime() - before;
    return result;
  }
  Result<ProcessResult> shell(const std::string& script, Duration deadline = seconds(10)) {
    ProcessSpec spec;
    spec.argv = {"/bin/sh", "-c", script};
    spec.environment = {{"PATH", "/usr/bin:/bin"}};
    spec.deadline = deadline;
    return run(std::move(spec));
  }
  EventLoop loop;
  WorkerPool workers{loop, 1};
  ChildProcesses processes{loop, workers, {milliseconds(500), seconds(2)}};
  milliseconds took{0};
};

// A process that was killed is gone, or a zombie that its new parent has not collected yet.
bool runs(int pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto state = stat.rfind(')');
  return state != std::string::npos && stat.substr(state + 2, 1) != "Z";
}

}  // namespace

TEST_CASE("output, errors and exit status come back") {
  Runner runner;
  const auto result = runner.shell("echo changed; echo oops >&2; exit 42");
  REQUIRE(result);
  CHECK(result->ending == Ending::exited);
  CHECK(result->code == 42);
  CHECK(result->output == "changed\n");
  CHECK(result->errors == "oops\n");
  const auto killed = runner.shell("kill -9 $$");
  REQUIRE(killed);
  CHECK(killed->ending == Ending::signalled);
  CHECK(killed->code == SIGKILL);
}

TEST_CASE("a child inherits neither variables, descriptors, stdin, signals, umask nor folder") {
  Runner runner;
  ::setenv("NOLAPSE_LEAK", "secret", 1);
  const int leak = ::dup(1);  // without close-on-exec
  ::signal(SIGUSR1, SIG_IGN);
  const mode_t before = ::umask(0);
  const auto result = runner.shell(
      "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= ; ls /proc/self/fd | tr '\\n' ' '; echo;"
      "readlink /proc/self/fd/0; umask; pwd;"
      "sed -n 's/^SigIgn:\\t//p; s/^SigBlk:\\t//p' /proc/self/status");
  ::umask(before);
  ::signal(SIGUSR1, SIG_DFL);
  ::close(leak);
  ::unsetenv("NOLAPSE_LEAK");
  REQUIRE(result);
  // 3 is the folder that ls itself reads.
  CHECK(result->output ==
        "PATH=/usr/bin:/bin\n0 1 2 3 \n/dev/null\n0022\n/\n0000000000000000\n0000000000000000\n");
}

TEST_CASE("a program that cannot be started is an error with its path and cause") {
  const TemporaryFolder folder;
  Runner runner;
  const std::string text = folder.write("text", "hello", 0644);
  struct Row {
    std::vector<std::string> argv;
    std::string cause;
  };
  for (const Row& row :
       {Row{{folder / "absent"}, "No such file"}, Row{{text}, "Permission denied"},
        Row{{folder.write("garbage", "\x7f\x01", 0755)}, "Exec format error"},
        Row{{folder.write("script", "#! /no/such/zsh -f\n", 0755)},
            "its interpreter /no/such/zsh does not exist"},
        Row{{folder.write("edited", "#!/bin/sh\r\necho\r\n", 0755)}, "carriage return"},
        Row{{folder.write("hostile", "#!/no\x1b[2Jzsh", 0755)},
            "its interpreter /no?[2Jzsh does not exist"},
        Row{{"sh", "-c", "true"}, "absolute path"}, Row{{}, "absolute path"},
        Row{{"/bin/sh", std::string("a\0b", 3)}, "NUL"}}) {
    ProcessSpec spec;
    spec.argv = row.argv;
    const auto result = runner.run(spec);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::local);
    CHECK(result.error().code == "PROCESS_NOT_STARTED");
    CHECK(result.error().message.find(row.cause) != std::string::npos);
    if (!row.argv.empty()) {
      CHECK(result.error().message.find(row.argv.front()) != std::string::npos);
    }
  }
}

TEST_CASE("a hook that hangs is ended at its deadline and may clean up, its group dies with it") {
  Runner runner;
  const auto result = runner.shell(
      "trap 'echo cleaned; exit 0' TERM; sleep 30 & echo $!; while :; do sleep 0.05; done",
      milliseconds(200));
  REQUIRE(result);
  CHECK(result->ending == Ending::timed_out);
  CHECK(runner.took >= milliseconds(199));
  CHECK(runner.took < seconds(5));
  CHECK(result->output.find("cleaned") != std::string::npos);
  const int grandchild = std::stoi(result->output);
  std::this_thread::sleep_for(milliseconds(50));
  CHECK_FALSE(runs(grandchild));
}

TEST_CASE("a hook that ignores SIGTERM is killed a little later") {
  Runner runner;
  const auto result = runner.shell("trap '' TERM; while :; do sleep 0.05; done", milliseconds(100));
  REQUIRE(result);
  CHECK(result->ending == Ending::timed_out);
  CHECK(runner.took >= milliseconds(599));
  CHECK(runner.took < seconds(8));
}

// What sudo does: the process stops being one of ours to signal.
TEST_CASE("a hook that outlives SIGKILL does not hold up the result, and is reaped when it ends") {
  const TemporaryFolder folder;
  struct statvfs mount {};
  REQUIRE(::statvfs(folder.path().c_str(), &mount) == 0);
  const bool set_user_works =
      (mount.f_flag & ST_NOSUID) == 0 && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
  if (::geteuid() != 0 || !set_user_works) return;
  fs::permissions(folder.path(), static_cast<fs::perms>(0755));
  const std::string become_root = folder / "become-root";
  fs::copy_file("/usr/bin/setpriv", become_root);
  fs::permissions(become_root, static_cast<fs::perms>(04755));
  const pid_t tester = ::fork();
  if (tester == 0) {
    constexpr unsigned nobody = 65534;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
        ::setresuid(nobody, nobody, nobody) != 0) {
      ::_exit(1);
    }
    EventLoop loop;
    WorkerPool workers(loop, 1);
    ChildProcesses processes(loop, workers, {milliseconds(100), milliseconds(100)});
    ProcessSpec spec;
    spec.argv = {become_root, "--reuid=0", "--regid=0",         "--clear-groups",
                 "/bin/sh",   "-c",        "echo busy; sleep 1"};
    spec.environment = {{"PATH", "/usr/bin:/bin"}};
    spec.deadline = milliseconds(200);
    std::optional<Result<ProcessResult>> result;
    processes.run(spec, [&](Result<ProcessResult> ended) { result = std::move(ended); });
    const auto before = loop.uptime();
    loop.run_until([&] { return result || loop.uptime() - before > seconds(5); });
    if (!result || !*result || (*result)->ending != Ending::timed_out) ::_exit(2);
    if (loop.uptime() - before > milliseconds(900)) ::_exit(3);
    if ((*result)->output != "busy\n") ::_exit(4);
    const std::string told = "could not be killed: process ";
    const auto at = (*result)->errors.find(told);
    if (at == std::string::npos) ::_exit(5);
    const pid_t survivor = std::atoi((*result)->errors.c_str() + at + told.size());
    if (!runs(survivor)) ::_exit(6);
    run_for(loop, milliseconds(1200));
    ::_exit(::waitpid(survivor, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 7);
  }
  int status = 0;
  ::waitpid(tester, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a grandchild that holds stdout open does not hold up the result, and is killed") {
  Runner runner;
  const auto result = runner.shell("sleep 30 & echo $!");
  REQUIRE(result);
  CHECK(result->ending == Ending::exited);
  CHECK(runner.took < seconds(8));
  std::this_thread::sleep_for(milliseconds(50));
  CHECK_FALSE(runs(std::stoi(result->output)));
}

TEST_CASE("a server that a hook starts and that detaches itself lives on") {
  Runner runner;
  const auto result = runner.shell("setsid sleep 30 & echo $!; sleep 0.2");
  REQUIRE(result);
  CHECK(runner.took < seconds(8));
  const int server = std::stoi(result->output);
  CHECK(runs(server));
  ::kill(server, SIGKILL);
}

TEST_CASE("of a flood only the last octets are kept, and the loop goes on meanwhile") {
  Runner runner;
  milliseconds longest{0};
  auto last = runner.loop.uptime();
  std::function<void()> tick = [&] {
    const auto now = runner.loop.uptime();
    longest = std::max(longest, now - last);
    last = now;
    runner.loop.start_timer(milliseconds(5), tick);
  };
  tick();
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c",
               "yes 0123456789 | head -c 30000000; echo end; yes e | head -c 300000 >&2"};
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  spec.output_limit = 1000;
  const auto result = runner.run(spec);
  REQUIRE(result);
  CHECK(result->code == 0);
  CHECK(result->output.size() == 1000);
  CHECK(result->output.ends_with("end\n"));
  CHECK(result->errors.size() == 1000);
  CHECK(longest < milliseconds(150));
}

TEST_CASE("many children at once end one by one") {
  Runner runner;
  int ended = 0;
  for (int i = 0; i < 20; ++i) {
    ProcessSpec spec;
    spec.argv = {"/bin/sh", "-c", "exit " + std::to_string(i)};
    runner.processes.run(spec, [&ended, i](Result<ProcessResult> result) {
      CHECK(result->code == i);
      ++ended;
    });
  }
  runner.loop.run_until([&] { return ended == 20; });
  CHECK(ended == 20);
}

TEST_CASE("destroying the world kills what still runs and calls nobody") {
  const TemporaryFolder folder;
  {
    Runner runner;
    ProcessSpec spec;
    spec.argv = {"/bin/sh", "-c", "echo $$ > " + folder / "pid" + "; sleep 30"};
    spec.environment = {{"PATH", "/usr/bin:/bin"}};
    runner.processes.run(spec, [](Result<ProcessResult>) { FAIL("called after the end"); });
    for (int i = 0; i < 200 && read_file(folder / "pid").find('\n') == std::string::npos; ++i) {
      run_for(runner.loop, milliseconds(10));
    }
  }
  std::this_thread::sleep_for(milliseconds(50));
  CHECK_FALSE(runs(std::stoi(read_file(folder / "pid"))));
}

TEST_CASE("a hook runs as the user it is configured for, without our groups") {
  Runner runner;
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", "id -un; id -Gn; id -u"};
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  spec.user = "daemon";
  const auto result = runner.run(spec);
  if (::geteuid() == 0) {
    REQUIRE(result);
    CHECK(result->output == "daemon\ndaemon\n1\n");
  } else {
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find("only root") != std::string::npos);
  }
  spec.user = "no-such-user-here";
  const auto unknown = runner.run(spec);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("no user no-such-user-here") != std::string::npos);
}
