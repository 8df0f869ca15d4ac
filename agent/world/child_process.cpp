// The deadline is SIGTERM to the whole group and SIGKILL two seconds later: a hook in sh can
// remove its temporary files on the first, and hardly anything can outstay the second. What does is
// waited for without anybody waiting for it: it is reaped when it ends, long after its result.
//
// At the end the group is killed before the child is reaped: a zombie still keeps its number, so
// that the signal cannot reach a stranger.
#include "agent/world/child_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "agent/world/port_holder.h"
#include "agent/world/spawn.h"

namespace nolapse {
namespace {

// A pipe holds 64 KiB; a stray that goes on writing is not listened to for longer.
constexpr std::size_t most_octets_per_turn = 256 << 10;

// One stream of a child: the last octets of it.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}

  // False when the stream has ended.
  bool read(int fd) {
    std::array<char, 16384> buffer;
    for (std::size_t all = 0; all < most_octets_per_turn;) {
      const ssize_t count = ::read(fd, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno == EAGAIN;
      if (count == 0) return false;
      text_.append(buffer.data(), static_cast<std::size_t>(count));
      if (text_.size() > 2 * limit_) cut();
      all += static_cast<std::size_t>(count);
    }
    return true;
  }

  std::string take() {
    cut();
    return std::move(text_);
  }

 private:
  void cut() {
    if (text_.size() > limit_) text_.erase(0, text_.size() - limit_);
  }

  std::size_t limit_;
  std::string text_;
};

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

std::string unusable_reason(const ProcessSpec& spec) {
  if (spec.argv.empty() || !spec.argv.front().starts_with('/')) {
    return "the program must be given by its absolute path";
  }
  bool nul = std::any_of(spec.argv.begin(), spec.argv.end(), &has_nul);
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return "\"" + name + "\" cannot be the name of an environment variable";
    }
    nul = nul || has_nul(name) || has_nul(value);
  }
  return nul ? "an argument or a variable contains a NUL character" : "";
}

// Runs on a worker: a directory service may be asked.
Result<SpawnUser> find_spawn_user(const std::string& name) {
  const auto user = find_user(name);
  if (!user) {
    return fail(ErrorKind::local, "PROCESS_NOT_STARTED",
                "there is no user " + name + "; correct `user` in the configuration");
  }
  if (user->id == ::geteuid()) return SpawnUser{};
  if (::geteuid() != 0) {
    return fail(ErrorKind::local, "PROCESS_NOT_STARTED",
                "only root can run it as " + name + ", and nolapse runs as " +
                    name_of_user(::geteuid()) + "; run nolapse as root or remove `user`");
  }
  return SpawnUser{*user};
}

}  // namespace

struct ChildProcesses::Child {
  explicit Child(ProcessSpec process_spec)
      : spec(std::move(process_spec)), output(spec.output_limit), errors(spec.output_limit) {}

  ProcessSpec spec;
  SpawnUser user;
  Completion<ProcessResult> done;
  SpawnedProcess process;
  Tail output;
  Tail errors;
  enum class Stage { running, terminated, killed };
  Stage stage = Stage::running;
  Clock::TimerId timer = 0;
};

ChildProcesses::ChildProcesses(EventLoop& loop, WorkerPool& workers, Patience patience)
    : loop_(loop), workers_(workers), patience_(patience) {
  // Ignored SIGCHLD is inherited, and the kernel would then keep no exit status for us.
  ::signal(SIGCHLD, SIG_DFL);
}

ChildProcesses::~ChildProcesses() {
  for (const auto& [id, child] : children_) {
    loop_.cancel_timer(child->timer);
    if (child->process.pid <= 0) continue;
    loop_.unwatch(child->process.pidfd.get());
    loop_.unwatch(child->process.output.get());
    loop_.unwatch(child->process.errors.get());
    ::kill(-child->process.pid, SIGKILL);
    ::kill(child->process.pid, SIGKILL);  // may not have reached setsid yet
    ::waitpid(child->process.pid, nullptr, WNOHANG);
  }
}

void ChildProcesses::find_listener(std::uint16_t port, std::function<void(std::string)> done) {
  workers_.run([port] { return port_holder(port); }, std::move(done));
}

bool ChildProcesses::may_become(const std::string& user) {
  if (user.empty() || ::geteuid() == 0) return true;
  if (own_name_.empty()) own_name_ = name_of_user(::geteuid());
  return user == own_name_;
}

void ChildProcesses::run(ProcessSpec spec, Completion<ProcessResult> done) {
  const std::uint64_t id = next_id_++;
  auto child = std::make_unique<Child>(std::move(spec));
  child->done = std::move(done);
  const std::string reason = unusable_reason(child->spec);
  const std::string user = child->spec.user;
  children_.emplace(id, std::move(child));
  if (!reason.empty()) {
    loop_.post([this, id, reason] { fail_start(id, reason); });
  } else if (user.empty()) {
    loop_.post([this, id] { start(id); });
  } else {
    workers_.run([user] { return find_spawn_user(user); },
                 [this, id](Result<SpawnUser> found) {
                   if (!found) return fail_start(id, found.error().message);
                   children_.at(id)->user = std::move(*found);
                   start(id);
                 });
  }
}

void ChildProcesses::start(std::uint64_t id) {
  Child& child = *children_.at(id);
  auto process = spawn(child.spec, child.user);
  if (!process) return fail_start(id, process.error().message);
  child.process = std::move(*process);
  child.timer = loop_.start_timer(child.spec.deadline, [this, id] { on_deadline(id); });
  watch(id);
}

void ChildProcesses::watch(std::uint64_t id) {
  Child& child = *children_.at(id);
  const int output = child.process.output.get();
  const int errors = child.process.errors.get();
  loop_.watch(output, EventLoop::readable, [this, &child, output](unsigned) {
    if (!child.output.read(output)) loop_.unwatch(output);
  });
  loop_.watch(errors, EventLoop::readable, [this, &child, errors](unsigned) {
    if (!child.errors.read(errors)) loop_.unwatch(errors);
  });
  loop_.watch(child.process.pidfd.get(), EventLoop::readable,
              [this, id](unsigned) { on_exit(id); });
}

void ChildProcesses::on_deadline(std::uint64_t id) {
  Child& child = *children_.at(id);
  if (child.stage == Child::Stage::killed) return give_up(id);
  const bool first = child.stage == Child::Stage::running;
  child.stage = first ? Child::Stage::terminated : Child::Stage::killed;
  const int number = first ? SIGTERM : SIGKILL;
  ::kill(-child.process.pid, number);
  ::kill(child.process.pid, number);  // may not have reached setsid yet
  child.timer = loop_.start_timer(first ? patience_.after_term : patience_.after_kill,
                                  [this, id] { on_deadline(id); });
}

// The child stays in children_, without its completion, until it can be reaped.
void ChildProcesses::give_up(std::uint64_t id) {
  Child& child = *children_.at(id);
  stop_listening(child);
  ProcessResult result;
  result.ending = ProcessResult::Ending::timed_out;
  result.output = child.output.take();
  result.errors = child.errors.take();
  if (!result.errors.empty() && result.errors.back() != '\n') result.errors += '\n';
  result.errors += "could not be killed: process " + std::to_string(child.process.pid) + "\n";
  const auto done = std::exchange(child.done, nullptr);
  done(std::move(result));
}

void ChildProcesses::on_exit(std::uint64_t id) {
  Child& child = *children_.at(id);
  ::kill(-child.process.pid, SIGKILL);
  int status = 0;
  pid_t reaped = -1;
  while ((reaped = ::waitpid(child.process.pid, &status, WNOHANG)) < 0 && errno == EINTR) {
  }
  if (reaped == 0) return;  // a pidfd is readable a little before the status is there
  loop_.cancel_timer(child.timer);
  loop_.unwatch(child.process.pidfd.get());
  if (!child.done) {
    children_.erase(id);
    return;
  }
  stop_listening(child);
  if (const auto failure = exec_failure(child.process.outcome.get(), child.spec.argv.front())) {
    return fail_start(id, *failure);
  }
  ProcessResult result;
  result.ending =
      WIFSIGNALED(status) ? ProcessResult::Ending::signalled : ProcessResult::Ending::exited;
  result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  if (child.stage != Child::Stage::running) result.ending = ProcessResult::Ending::timed_out;
  result.output = child.output.take();
  result.errors = child.errors.take();
  const auto owner = std::move(children_.extract(id).mapped());
  owner->done(std::move(result));
}

// Takes what is still in the pipes.
void ChildProcesses::stop_listening(Child& child) {
  SpawnedProcess& process = child.process;
  loop_.unwatch(process.output.get());
  loop_.unwatch(process.errors.get());
  child.output.read(process.output.get());
  child.errors.read(process.errors.get());
  process.output.reset();
  process.errors.reset();
}

void ChildProcesses::fail_start(std::uint64_t id, const std::string& why) {
  const auto child = std::move(children_.extract(id).mapped());
  const std::string program = child->spec.argv.empty() ? "no program" : child->spec.argv.front();
  const std::string user = child->spec.user.empty() ? "" : " as " + child->spec.user;
  child->done(
      fail(ErrorKind::local, "PROCESS_NOT_STARTED", "cannot run " + program + user + ": " + why));
}

}  // namespace nolapse
