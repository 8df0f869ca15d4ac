// fork and not posix_spawn: becoming another user is not among what posix_spawn can do. Between
// fork and exec only system calls are made, everything they need is prepared before: the other
// threads do not exist in the child, and a lock that one of them held is held for ever.
#include "agent/world/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "agent/world/interpreter.h"
#include "agent/world/system_error.h"

namespace nolapse {

using acme::Error;
using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

enum class Step : int { become_user, prepare, execute };

struct ExecFailure {
  Step step = Step::execute;
  int error_number = 0;
};

// All that the child reads after fork.
struct Plan {
  std::vector<char*> argv;
  std::vector<char*> environment;
  bool change_user = false;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
  int null = -1;
  int output = -1;
  int errors = -1;
  int outcome = -1;
};

[[noreturn]] void give_up(int outcome, Step step) {
  const ExecFailure failure{step, errno};
  if (::write(outcome, &failure, sizeof failure) < 0) ::_exit(126);
  ::_exit(127);
}

void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Runs in the child. Descriptors are moved out of the way of 0 to 3 first: the agent may have been
// started with some of those closed, and got its pipes there.
[[noreturn]] void become_program(const Plan& plan) {
  constexpr int out_of_the_way = 16;
  constexpr int outcome = 3;
  const int null = ::fcntl(plan.null, F_DUPFD, out_of_the_way);
  const int output = ::fcntl(plan.output, F_DUPFD, out_of_the_way);
  const int errors = ::fcntl(plan.errors, F_DUPFD, out_of_the_way);
  const int moved_outcome = ::fcntl(plan.outcome, F_DUPFD_CLOEXEC, out_of_the_way);
  if (null < 0 || output < 0 || errors < 0 || moved_outcome < 0) {
    give_up(plan.outcome, Step::prepare);
  }
  if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(errors, 2) < 0 ||
      ::dup3(moved_outcome, outcome, O_CLOEXEC) < 0 ||
      ::syscall(SYS_close_range, outcome + 1, ~0U, 0) != 0 || ::setsid() < 0 || ::chdir("/") != 0) {
    give_up(moved_outcome, Step::prepare);
  }
  ::umask(022);
  reset_signals();
  if (plan.change_user && (::setgroups(plan.groups.size(), plan.groups.data()) != 0 ||
                           ::setresgid(plan.group, plan.group, plan.group) != 0 ||
                           ::setresuid(plan.user, plan.user, plan.user) != 0)) {
    give_up(outcome, Step::become_user);
  }
  ::execve(plan.argv.front(), plan.argv.data(), plan.environment.data());
  give_up(outcome, Step::execute);
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

// Only our end is non-blocking: that flag belongs to the open file, and programs do not expect it.
bool make_pipe(Pipe& result) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  result.reader.reset(ends[0]);
  result.writer.reset(ends[1]);
  return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

tl::unexpected<Error> cannot(const std::string& what) {
  return fail(ErrorKind::local, "PROCESS_NOT_STARTED", what + ": " + describe_errno(errno));
}

}  // namespace

Result<SpawnedProcess> spawn(const ProcessSpec& spec, const SpawnUser& user) {
  std::vector<std::string> arguments = spec.argv;
  std::vector<std::string> environment;
  for (const auto& [name, value] : spec.environment) environment.push_back(name + "=" + value);
  Plan plan;
  plan.argv = pointers_to(arguments);
  plan.environment = pointers_to(environment);
  if (user) {
    plan.change_user = true;
    plan.user = user->id;
    plan.group = user->group;
    plan.groups.assign(user->groups.begin(), user->groups.end());
  }
  Pipe output;
  Pipe errors;
  Pipe outcome;
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null || !make_pipe(output) || !make_pipe(errors) || !make_pipe(outcome)) {
    return cannot("no pipe for it");
  }
  plan.null = null.get();
  plan.output = output.writer.get();
  plan.errors = errors.writer.get();
  plan.outcome = outcome.writer.get();

  // A signal that arrives in the child before exec must not run a handler of ours there.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) become_program(plan);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    errno = fork_error;
    return cannot("no process for it");
  }
  SpawnedProcess process;
  process.pid = pid;
  process.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  process.output = std::move(output.reader);
  process.errors = std::move(errors.reader);
  process.outcome = std::move(outcome.reader);
  if (!process.pidfd) {
    const auto error = cannot("no pidfd for it");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  return process;
}

std::optional<std::string> exec_failure(int outcome, const std::string& program) {
  ExecFailure failure;
  if (::read(outcome, &failure, sizeof failure) != static_cast<ssize_t>(sizeof failure)) {
    return std::nullopt;
  }
  const std::string cause = describe_errno(failure.error_number);
  switch (failure.step) {
    case Step::become_user:
      return "cannot become that user: " + cause;
    case Step::prepare:
      return "cannot prepare its descriptors and session: " + cause;
    case Step::execute:
      break;
  }
  if (failure.error_number == ENOENT) {
    const std::string missing = missing_interpreter(program);
    if (!missing.empty()) return missing;
  }
  return "cannot execute: " + cause;
}

}  // namespace nolapse
