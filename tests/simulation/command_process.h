// A process in the shop's world that is no renewal: it opens the agent, is given something to do,
// and ends, or dies on the way.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/solvers/solvers.h"
#include "tests/simulation/shop.h"

namespace nolapse {

struct Dying {
  std::uint64_t after_operations = 0;  // of the files; 0: never
  int after_steps = 0;                 // of the clock; 0: never
  Shop::Death death = Shop::Death::kill;
};

// Nothing: it died, or the agent could not be opened.
template <class Outcome>
std::optional<Outcome> run_process(
    Shop& shop, Dying dying,
    const std::function<void(Agent&, std::function<void(Outcome)>)>& begin) {
  std::optional<Outcome> outcome;
  bool dead = false;
  bool refused = false;
  auto events = std::make_unique<EventStream>(shop.world.clock);
  events->add_reader(
      [&shop](const Event& event) { shop.trace.push_back(event.code + " " + event.message); });
  auto agent = std::make_unique<Agent>(shop.world.world(), shop.config, *events, make_solver);
  const auto die = [&] {
    dead = true;
    agent.reset();
    events.reset();
    dying.death == Shop::Death::kill ? shop.world.kill() : shop.world.crash();
  };
  if (dying.after_operations > 0) shop.world.files.crash_after(dying.after_operations, die);
  agent->open("a command", [&](const Result<void>& opened) {
    refused = !opened;
    if (!refused) begin(*agent, [&](Outcome result) { outcome = std::move(result); });
  });
  for (int i = 0; i < dying.after_steps && !outcome; ++i) shop.world.clock.step();
  if (dying.after_steps > 0 && !outcome) die();
  if (!dead) shop.world.clock.run_until([&] { return outcome || dead || refused; });
  if (dead) return {};
  REQUIRE((outcome.has_value() || refused));
  shop.world.files.kill();  // disarms the death that did not come
  shop.world.clock.drop_all();
  return outcome;
}

inline std::optional<AccountOutcome> work_on_account(Shop& shop, AccountAction action,
                                                     Dying dying = {}) {
  return run_process<AccountOutcome>(
      shop, dying, [action](Agent& agent, const std::function<void(AccountOutcome)>& ended) {
        agent.work_on_accounts(action, "ca", [ended](std::vector<AccountOutcome> outcomes) {
          REQUIRE(outcomes.size() == 1);
          ended(outcomes.front());
        });
      });
}

inline std::optional<Result<RevocationOutcome>> revoke(Shop& shop, RevocationRequest request,
                                                       Dying dying = {}) {
  return run_process<Result<RevocationOutcome>>(
      shop, dying,
      [request](Agent& agent, const std::function<void(Result<RevocationOutcome>)>& ended) {
        agent.revoke(request, ended);
      });
}

}  // namespace nolapse
