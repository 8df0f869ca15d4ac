#include "agent/core/self_test.h"

#include <algorithm>
#include <deque>
#include <exception>

#include "agent/core/status_collection.h"

namespace nolapse {
namespace {

// At the same time: enough that slow ones do not add up, too few to be a storm for a name server.
constexpr std::size_t most_at_once = 24;

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
        done_(std::move(done)) {}

  void start() {
    collect_status(context_->world, context_->config, request_.names,
                   [self = shared_from_this()](std::vector<CertificateStatus> statuses) {
                     self->collected(std::move(statuses));
                   });
  }

 private:
  void collected(std::vector<CertificateStatus> statuses) {
    for (CertificateStatus& status : statuses) {
      if (context_->config.find_certificate(status.name) == nullptr) {
        context_->orphans.push_back(status.name);
      }
      context_->statuses[status.name] = std::move(status);
    }
    for (const Check& check : checks_) {
      if (check.depth == CheckDepth::cheap || request_.deep) add_tasks(check);
    }
    open_ = tasks_.size() + 1;
    for (std::size_t i = 0; i < most_at_once; ++i) start_next();
    // Late, and also where there is nothing to do.
    context_->world.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->close(); });
  }

  bool is_wanted(const std::string& certificate) const {
    const auto& names = request_.names;
    return names.empty() || std::find(names.begin(), names.end(), certificate) != names.end();
  }

  void add_tasks(const Check& check) {
    const Config& config = context_->config;
    if (check.scope == CheckScope::host) {
      if (request_.names.empty()) tasks_.push_back({&check, {}});
      return;
    }
    if (check.scope == CheckScope::ca) {
      for (const CaConfig& ca : config.cas) {
        if (is_used(ca)) tasks_.push_back({&check, {nullptr, &ca}});
      }
      return;
    }
    if (check.scope == CheckScope::challenge) {
      for (const auto& [name, challenge] : config.challenges) {
        if (is_used(challenge)) tasks_.push_back({&check, {nullptr, nullptr, &challenge}});
      }
      return;
    }
    if (check.scope == CheckScope::watch) {
      for (const WatchSpec& watch : config.watches) {
        if (!is_wanted(watch.name)) continue;
        tasks_.push_back({&check, {nullptr, nullptr, nullptr, nullptr, &watch}});
      }
      return;
    }
    for (const CertificateSpec& spec : config.certificates) {
      if (is_wanted(spec.name)) add_tasks_for(check, spec);
    }
  }

  void add_tasks_for(const Check& check, const CertificateSpec& spec) {
    const Config& config = context_->config;
    switch (check.scope) {
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
        tasks_.push_back({&check, {&spec}});
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

  void start_next() {
    if (tasks_.empty()) return;
    const Task task = tasks_.front();
    tasks_.pop_front();
    // Set by whoever comes first: the report, or the deadline.
    const auto reported = std::make_shared<bool>(false);
    const auto timer = context_->world.clock.start_timer(
        task.check->deadline, [self = shared_from_this(), task, reported] {
          if (std::exchange(*reported, true)) return;
          self->ended(task, {unknown(task, "CHECK_TIMED_OUT",
                                     "it did not end within " +
                                         acme::format_duration(task.check->deadline))});
        });
    const CheckReport report = [self = shared_from_this(), task, reported,
                                timer](std::vector<Finding> findings) {
      if (std::exchange(*reported, true)) return;
      self->context_->world.clock.cancel_timer(timer);
      self->ended(task, std::move(findings));
    };
    try {
      task.check->run(context_, task.subject, report);
    } catch (const std::exception& error) {
      report({unknown(task, "CHECK_FAILED", error.what())});
    }
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
      if (finding.certificate.empty() && task.subject.certificate != nullptr) {
        finding.certificate = task.subject.certificate->name;
      }
      if (finding.certificate.empty() && task.subject.watch != nullptr) {
        finding.certificate = task.subject.watch->name;
      }
      if (finding.subject.empty()) finding.subject = task.subject.text();
      found_.all.push_back(std::move(finding));
    }
    // From the loop: checks that report at once must not pile up on the stack.
    context_->world.clock.start_timer(Duration{0}, [self = shared_from_this()] {
      self->start_next();
      self->close();
    });
  }

  void close() {
    if (--open_ > 0) return;
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
  std::size_t open_ = 0;
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
