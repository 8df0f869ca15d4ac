// The programs of one run of a hook: several only for a folder of certbot's. certbot starts each of
// them whatever became of those before, and so do we; but what failed is a failure here, and named.
#pragma once

#include <functional>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

// How long the next program may take where all share one time: half of it is kept in equal parts
// for those behind it, so that one that hangs leaves something to each.
Duration share_of(Duration whole, Duration spent, std::size_t programs, std::size_t behind);

// What the run came to. Of one program it is what that came to; of several where some failed, an
// exit status that is not 0 and one line with each of their names and last words.
Result<ProcessResult> result_of(const std::vector<ProcessSpec>& programs,
                                const std::vector<Result<ProcessResult>>& results);

// Starts one after the other. `time_for` says how long the one with this index may take; none: its
// own deadline. The references outlive the run.
void run_programs(Processes& processes, std::vector<ProcessSpec> programs,
                  std::function<Duration(std::size_t)> time_for, Completion<ProcessResult> done);

}  // namespace nolapse
