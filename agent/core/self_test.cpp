#include "agent/core/self_test.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <set>

#include "agent/core/status_collection.h"

namespace nolapse {
namespace {

// At the same time: enough that slow ones do not add up, too few to be a storm for a name server.
constexpr std::size_t most_at_once = 24;

// In one turn of the loop, of those that need not wait: what eight certificates take, or one look
// at the host.
constexpr std::size_t most_in_a_turn = 128;

struct Task {
  const Check* check;
  CheckSubject subject;
};

class SelfTest : public std::enable_shared_from_this<SelfTest> {
 public:
  SelfTest(CheckContext context, const std::vector<Check>& checks, SelfTestRequest request,
           std::function<void(Findings)> done)
      : context_(std::make_shared<CheckContext>(std::move(context))),
        checks_(checks),
        request_(std::move(request)),
        done_(std::move(done)) {
    if (context_->config_on_disk || context_->config.files.empty()) return;
    context_->config_on_disk = std::make_shared<ConfigOnDisk>(
        context_->world.files, context_->config.files.front(), context_->config.state_directory);
  }

  void start() {
    collect_status(
        context_->world, context_->config, context_->store, request_.names,
        [self = shared_from_this()](std::vector<CertificateStatus> statuses) {
          self->collected(std::move(statuses));
        },
        Looks::two);
  }

 private:
  void collected(std::vector<CertificateStatus> statuses) {
    std::set<std::string_view> configured;
    for (const CertificateSpec& spec : context_->config.certificates) configured.insert(spec.name);
    for (CertificateStatus& status : statuses) {
      if (!configured.contains(status.name)) context_->orphans.push_back(status.name);
      const auto [kept, added] = context_->statuses.emplace(status.name, std::move(status));
      const auto& generation = kept->second.generation;
      if (!generation) continue;
      context_->names_by_key.emplace(generation->leaf().public_key_der, kept->first);
    }
    for (const Check& check : checks_) {
      if (is_wanted(check)) add_tasks(check);
    }
    take_turn_soon();
  }

  bool is_wanted(const Check& check) const {
    return check.depth == CheckDepth::cheap || request_.deep;
  }
  bool is_wanted(const std::string& certificate) const {
    const auto& names = request_.names;
    return names.empty() || std::find(names.begin(), names.end(), certificate) != names.end();
  }

  // Those that are not for each certificate.
  void add_tasks(const Check& check) {
    const Config& config = context_->config;
    switch (check.scope) {
      case CheckScope::host:
        if (request_.names.empty()) tasks_.push_back({&check, {}});
        return;
      case CheckScope::ca:
        for (const CaConfig& ca : config.cas) {
          if (is_used(ca)) tasks_.push_back({&check, {nullptr, &ca}});
        }
        return;
      case CheckScope::challenge:
        for (const auto& [name, challenge] : config.challenges) {
          if (is_used(challenge)) tasks_.push_back({&check, {nullptr, nullptr, &challenge}});
        }
        return;
      case CheckScope::watch:
        for (const WatchSpec& watch : config.watches) {
          if (!is_wanted(watch.name)) continue;
          tasks_.push_back({&check, {nullptr, nullptr, nullptr, nullptr, &watch}});
        }
        return;
      default:
        return;
    }
  }

  void add_tasks_for(const Check& check, const CertificateSpec& spec) {
    const Config& config = context_->config;
    switch (check.scope) {
      case CheckScope::certificate:
        tasks_.push_back({&check, {&spec}});
        return;
      case CheckScope::target:
        for (const std::string& name : spec.deploy) {
          const auto target = config.targets.find(name);
          if (target == config.targets.end()) continue;
          tasks_.push_back({&check, {&spec, nullptr, nullptr, &target->second}});
        }
        return;
      case CheckScope::proof:
        for (const std::string& name : spec.challenges) {
          const auto challenge = config.challenges.find(name);
          if (challenge == config.challenges.end()) continue;
          tasks_.push_back({&check, {&spec, nullptr, &challenge->second}});
        }
        return;
      case CheckScope::certificate_and_ca:
        for (const std::string& name : spec.cas) {
          if (const CaConfig* ca = config.find_ca(name)) tasks_.push_back({&check, {&spec, ca}});
        }
        return;
      default:
        return;
    }
  }

  template <class Uses>
  bool any_certificate(Uses uses) const {
    const auto& specs = context_->config.certificates;
    return std::any_of(specs.begin(), specs.end(), [&](const CertificateSpec& spec) {
      return is_wanted(spec.name) && uses(spec);
    });
  }
  bool is_used(const CaConfig& ca) const {
    return any_certificate([&](const CertificateSpec& spec) {
      return std::find(spec.cas.begin(), spec.cas.end(), ca.name) != spec.cas.end();
    });
  }
  bool is_used(const ChallengeConfig& challenge) const {
    return any_certificate([&](const CertificateSpec& spec) {
      const auto& names = spec.challenges;
      return std::find(names.begin(), names.end(), challenge.name) != names.end();
    });
  }

  // Certificate by certificate, so that there are never all the tasks of a thousand.
  bool has_task() {
    const auto& specs = context_->config.certificates;
    while (tasks_.empty() && next_certificate_ < specs.size()) {
      const CertificateSpec& spec = specs[next_certificate_++];
      if (!is_wanted(spec.name)) continue;
      for (const Check& check : checks_) {
        if (is_wanted(check)) add_tasks_for(check, spec);
      }
    }
    return !tasks_.empty();
  }

  void take_turn_soon() {
    if (std::exchange(turn_comes_, true)) return;
    context_->world.clock.start_timer(Duration{0}, [self = shared_from_this()] {
      self->turn_comes_ = false;
      self->take_turn();
    });
  }

  void take_turn() {
    for (std::size_t i = 0; i < most_in_a_turn && under_way_ < most_at_once && has_task(); ++i) {
      const Task task = tasks_.front();
      tasks_.pop_front();
      start(task);
      if (task.check->scope == CheckScope::host) break;
    }
    if (!has_task()) return close();
    if (under_way_ < most_at_once) take_turn_soon();
  }

  void start(const Task& task) {
    // Set by whoever comes first: the report, or the deadline.
    const auto reported = std::make_shared<bool>(false);
    const auto timer = std::make_shared<std::optional<Clock::TimerId>>();
    ++under_way_;
    const CheckReport report = [self = shared_from_this(), task, reported,
                                timer](std::vector<Finding> findings) {
      if (std::exchange(*reported, true)) return;
      if (*timer) self->context_->world.clock.cancel_timer(**timer);
      self->ended(task, std::move(findings));
    };
    try {
      task.check->run(context_, task.subject, report);
    } catch (const std::exception& error) {
      report({unknown(task, "CHECK_FAILED", error.what())});
    }
    if (*reported) return;
    *timer = context_->world.clock.start_timer(task.check->deadline, [self = shared_from_this(),
                                                                      task, reported] {
      if (std::exchange(*reported, true)) return;
      self->ended(
          task, {unknown(task, "CHECK_TIMED_OUT",
                         "it did not end within " + acme::format_duration(task.check->deadline))});
    });
  }

  static Finding unknown(const Task& task, const char* code, const std::string& why) {
    Finding finding;
    finding.code = code;
    finding.severity = FindingSeverity::unknown;
    finding.subject = task.check->codes.front();
    finding.summary = std::string("nobody knows about ") + task.check->codes.front() +
                      ": the check itself failed";
    finding.evidence = why;
    finding.fix = "run `nolapse check --explain " + std::string(task.check->codes.front()) +
                  "` and look by hand; this is a fault of nolapse, please report it";
    return finding;
  }

  void ended(const Task& task, std::vector<Finding> findings) {
    if (findings.empty()) {
      findings.push_back({task.check->codes.front(), {}, {}, FindingSeverity::ok, {}, {}, {}, {}});
    }
    for (Finding& finding : findings) {
      if (finding.severity == FindingSeverity::ok && request_.only_faults) continue;
      if (finding.certificate.empty() && task.subject.certificate != nullptr) {
        finding.certificate = task.subject.certificate->name;
      }
      if (finding.certificate.empty() && task.subject.watch != nullptr) {
        finding.certificate = task.subject.watch->name;
      }
      if (finding.subject.empty()) finding.subject = task.subject.text();
      found_.all.push_back(std::move(finding));
    }
    --under_way_;
    // From the loop: checks that report at once must not pile up on the stack.
    take_turn_soon();
  }

  void close() {
    if (under_way_ > 0 || std::exchange(closed_, true)) return;
    found_.at = context_->world.clock.now();
    found_.deep = request_.deep;
    worst_first(found_.all);
    done_(std::move(found_));
  }

  std::shared_ptr<CheckContext> context_;
  const std::vector<Check>& checks_;
  const SelfTestRequest request_;
  std::function<void(Findings)> done_;
  std::deque<Task> tasks_;
  std::size_t next_certificate_ = 0;  // whose tasks are not there yet
  std::size_t under_way_ = 0;
  bool turn_comes_ = false;
  bool closed_ = false;
  Findings found_;
};

}  // namespace

std::string CheckSubject::text() const {
  if (target != nullptr) return "target " + target->name;
  if (challenge != nullptr) return "challenge " + challenge->name;
  if (ca != nullptr) return "CA " + ca->name;
  return {};
}

Check plain_check(std::vector<const char*> codes, CheckDepth depth, CheckScope scope,
                  PlainCheck run) {
  return {std::move(codes), depth, scope,
          [run = std::move(run)](const std::shared_ptr<const CheckContext>& context,
                                 const CheckSubject& subject,
                                 const CheckReport& report) { report(run(*context, subject)); },
          check_deadline};
}

void worst_first(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(b.severity, a.certificate, a.code, a.subject) <
           std::tie(a.severity, b.certificate, b.code, b.subject);
  });
}

void run_self_test(CheckContext context, const std::vector<Check>& checks, SelfTestRequest request,
                   std::function<void(Findings)> done) {
  std::make_shared<SelfTest>(std::move(context), checks, std::move(request), std::move(done))
      ->start();
}

}  // namespace nolapse
