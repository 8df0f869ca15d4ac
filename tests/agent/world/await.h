// Asks something of the world and runs the loop until the answer is there.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <optional>

#include "agent/world/event_loop.h"

namespace nolapse {

// `ask` gets the completion to hand on. Fails the test when nothing comes within ten seconds, or
// when the completion is called from inside the call.
template <class Answer>
Answer await(EventLoop& loop, const std::function<void(std::function<void(Answer)>)>& ask) {
  auto answer = std::make_shared<std::optional<Answer>>();
  auto expired = std::make_shared<bool>(false);
  const auto timer = loop.start_timer(std::chrono::seconds(10), [expired] { *expired = true; });
  ask([answer](Answer value) {
    REQUIRE_FALSE_MESSAGE(answer->has_value(), "a completion was called twice");
    answer->emplace(std::move(value));
  });
  REQUIRE_FALSE_MESSAGE(answer->has_value(), "a completion was called from inside the call");
  loop.run_until([&] { return answer->has_value() || *expired; });
  loop.cancel_timer(timer);
  REQUIRE_MESSAGE(answer->has_value(), "no answer within ten seconds");
  return std::move(**answer);
}

// Lets the loop go on for a while.
inline void run_for(EventLoop& loop, Duration time) {
  bool over = false;
  loop.start_timer(time, [&over] { over = true; });
  loop.run_until([&over] { return over; });
}

}  // namespace nolapse
