#include "agent/core/agenda.h"

#include <doctest/doctest.h>

#include <map>

#include "tests/support/seeded_random.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {
const acme::Time start = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
}

TEST_CASE("an empty agenda has no next moment and nothing that is due") {
  Agenda agenda;
  agenda.remove(7);
  CHECK_FALSE(agenda.next().has_value());
  CHECK_FALSE(agenda.take_due(start).has_value());
}

TEST_CASE("what is due comes by its moment, then by its place in the configuration") {
  Agenda agenda;
  agenda.set(3, start + 2h);
  agenda.set(2, start + 1h);
  agenda.set(1, start + 1h);
  agenda.set(0, start + 3h);
  CHECK(agenda.next() == start + 1h);
  CHECK_FALSE(agenda.take_due(start + 1h - 1s).has_value());
  CHECK(agenda.take_due(start + 2h) == 1u);
  CHECK(agenda.take_due(start + 2h) == 2u);
  CHECK(agenda.take_due(start + 2h) == 3u);
  CHECK_FALSE(agenda.take_due(start + 2h).has_value());
  CHECK(agenda.next() == start + 3h);
}

TEST_CASE("a new moment replaces the old one") {
  Agenda agenda;
  agenda.set(0, start + 1h);
  agenda.set(1, start + 2h);
  agenda.set(0, start + 3h);
  CHECK(agenda.size() == 2);
  CHECK(agenda.take_due(start + 9h) == 1u);
  CHECK(agenda.take_due(start + 9h) == 0u);
}

TEST_CASE("after any sequence of changes the agenda agrees with a plain map") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    Agenda agenda;
    std::map<std::uint32_t, acme::Time> plain;
    for (int change = 0; change < 400; ++change) {
      CAPTURE(seed);
      CAPTURE(change);
      const auto entry = static_cast<std::uint32_t>(random.next() % 40);
      const acme::Time at = start + std::chrono::minutes(random.next() % 100);
      switch (random.next() % 4) {
        case 0:
          agenda.remove(entry);
          plain.erase(entry);
          break;
        case 1: {
          const auto due = agenda.take_due(at);
          auto earliest = plain.end();
          for (auto it = plain.begin(); it != plain.end(); ++it) {
            if (it->second <= at && (earliest == plain.end() || it->second < earliest->second)) {
              earliest = it;
            }
          }
          CHECK(due.has_value() == (earliest != plain.end()));
          if (due && earliest != plain.end()) CHECK(*due == earliest->first);
          if (earliest != plain.end()) plain.erase(earliest);
          break;
        }
        default:
          agenda.set(entry, at);
          plain[entry] = at;
      }
      REQUIRE(agenda.size() == plain.size());
    }
  }
}
