// The records of one certificate's targets while they are worked on at the same time: written one
// after the other, what comes meanwhile goes together. A disk that refuses must not keep a good
// certificate from being served: it is reported, and the deployment goes on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/store.h"

namespace nolapse {

class DeploymentJournal {
 public:
  DeploymentJournal(World world, const Store& store, EventStream& events, std::string name)
      : world_(world), store_(store), events_(events), name_(std::move(name)) {}

  // Of all targets that it ever had; unreadable records are reported, and there are none then.
  void load();

  const DeploymentRecords& records() const { return records_; }
  DeploymentRecord& record(const std::string& target) { return records_[target]; }
  const DeploymentRecord* find(const std::string& target) const;
  // What is no longer configured is forgotten with the next save.
  void keep_only(const std::vector<std::string>& targets);

  // Saves the records, does `more`, and calls `then` whatever came of it.
  void save(FileWork more, std::function<void()> then);

  // Emits it, and keeps the first.
  void note(Error error, Severity severity = Severity::error);
  const std::optional<Error>& first_error() const { return first_error_; }

 private:
  void write();

  World world_;
  const Store& store_;
  EventStream& events_;
  const std::string name_;
  DeploymentRecords records_;
  std::optional<Error> first_error_;
  bool writing_ = false;
  FileWork work_;                             // of the next write
  std::vector<std::function<void()>> after_;  // that one
};

}  // namespace nolapse
