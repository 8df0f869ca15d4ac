// What the agent and the hook service say to each other: one JSON line each way.
//
//   order    {"schema":1,"run":{"target":"nginx","verb":"install","certificate":"shop",
//             "generation":7}}, and "rehearsed":true where a rehearsal obtained that generation;
//             generation 0, for the verb check only: there is none yet
//   answer   {"result":{"ending":"exited"|"signalled"|"timed_out","code":N,"output":"…",
//             "errors":"…"}}   what became of the hook; of a folder, of all its programs
//            {"error":{"kind":"input"|"local"|"transient","code":"…","message":"…"}}   it did not
//            run
//
//   question {"schema":1,"holder":{"port":80}}   who listens on that port?
//   answer   {"holder":"nginx (pid 123)"}, an empty text where nobody is seen, or an error as above
//
// Root reads both, and whoever sends it may have been taken over: there is no other message,
// and what is not exactly one of these is refused.
#pragma once

#include <optional>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

std::string format_hook_order(const HookOrder& order);
// Error: input BAD_REQUEST. What the names mean is not known here.
Result<HookOrder> parse_hook_order(const std::string& line);

std::string format_hook_answer(const Result<ProcessResult>& answer);
// Nothing for a line that is no answer.
std::optional<Result<ProcessResult>> parse_hook_answer(const std::string& line);

std::string format_port_question(std::uint16_t port);
// Nothing for any other line.
std::optional<std::uint16_t> parse_port_question(const std::string& line);

std::string format_port_answer(const Result<std::string>& holder);
// Empty where the service does not know, or may not tell.
std::string parse_port_answer(const std::string& line);

}  // namespace nolapse
