// The records of a managed certificate as a timeline: what went well last, what failed first, what
// somebody was told.
#pragma once

#include <string>
#include <vector>

#include "agent/core/diagnosis.h"
#include "agent/core/store.h"

namespace nolapse {

std::vector<TimelineEntry> history_of(const std::string& name, const std::string& state_directory,
                                      const Files& files);

// What the self-tests have found last that would make its renewal or deployment fail: "CODE: what;
// what to do". What is only a consequence (it has expired, is not served) is in nobody's way.
std::vector<std::string> obstacles_to(const std::string& name, const Store& store);

// Of the lines of events/<month>.jsonl, in order: the first error since the certificate was issued
// last. Nothing: there is none.
std::vector<TimelineEntry> history_in_events(const std::string& name, const std::string& lines);

}  // namespace nolapse
