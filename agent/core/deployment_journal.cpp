#include "agent/core/deployment_journal.h"

#include <algorithm>
#include <utility>

namespace nolapse {

void DeploymentJournal::load() {
  auto records = store_.load_deployments(name_);
  if (records) {
    records_ = std::move(*records);
  } else {
    events_.emit(Severity::warning, name_, "STATE_UNREADABLE",
                 records.error().message + "; every target is deployed to again");
  }
}

const DeploymentRecord* DeploymentJournal::find(const std::string& target) const {
  const auto found = records_.find(target);
  return found == records_.end() ? nullptr : &found->second;
}

void DeploymentJournal::keep_only(const std::vector<std::string>& targets) {
  std::erase_if(records_, [&](const auto& entry) {
    return std::find(targets.begin(), targets.end(), entry.first) == targets.end();
  });
}

void DeploymentJournal::save(FileWork more, std::function<void()> then) {
  for (FileOperation& operation : more) work_.push_back(std::move(operation));
  after_.push_back(std::move(then));
  if (!writing_) write();
}

void DeploymentJournal::write() {
  writing_ = true;
  FileWork work = store_.save_deployments(name_, records_);
  for (FileOperation& operation : std::exchange(work_, {})) work.push_back(std::move(operation));
  world_.files.run(std::move(work), [this, after = std::exchange(after_, {})](Result<void> saved) {
    if (!saved) note(saved.error());
    writing_ = false;
    // The owner may drop this object in the last of them.
    const bool more = !after_.empty();
    if (more) write();
    for (const auto& then : after) then();
  });
}

void DeploymentJournal::note(Error error, Severity severity) {
  events_.emit(severity, name_, error.code, error.message);
  if (!first_error_) first_error_ = std::move(error);
}

}  // namespace nolapse
