// Alerts over time, as tables: raised once, repeated, escalated, resolved, silenced, delivered.
#include "agent/core/alert_rules.h"

#include <doctest/doctest.h>

#include "agent/core/alert_document.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time monday = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

Finding a(const std::string& code, FindingSeverity severity, int level = 0) {
  Finding finding{code, "shop", {}, severity, code + " of shop", "seen", "do", monday};
  finding.level = level;
  return finding;
}

struct Book {
  Book() {
    config.channels = {{"mail", "email"}, {"hook", "webhook"}};
    for (const AlertChannel& channel : config.channels) {
      state.channels[channel.name].delivered_at = monday;
    }
  }
  // "raised A", of the first channel; each has the same.
  std::string told(const std::vector<Finding>& findings, Time now) {
    const std::size_t before = state.queue.size();
    update_alerts(state, findings, config, now);
    std::string text;
    std::size_t of_hook = 0;
    for (std::size_t i = before; i < state.queue.size(); ++i) {
      const AlertMessage& message = state.queue[i];
      if (message.channel == "hook") ++of_hook;
      if (message.channel != "mail") continue;
      text += (text.empty() ? "" : ", ") + std::string(name_of(message.news)) + " " +
              message.finding.code;
    }
    CHECK(of_hook * 2 == state.queue.size() - before);
    return text;
  }

  AlertsConfig config;
  AlertState state;
};

using enum FindingSeverity;

}  // namespace

TEST_CASE("what is found is told once to each channel, again after a day, and when it is over") {
  Book book;
  const std::vector<Finding> found = {a("A", error)};
  CHECK(book.told(found, monday) == "raised A");
  CHECK(book.told(found, monday + 1h) == "");
  CHECK(book.told(found, monday + 23h) == "");
  CHECK(book.told(found, monday + 24h) == "repeated A");
  CHECK(book.told(found, monday + 25h) == "");
  CHECK(book.told({}, monday + 26h) == "resolved A");
  CHECK(book.told({}, monday + 27h) == "");
  CHECK(book.told(found, monday + 28h) == "raised A");
}

TEST_CASE("what gets worse is told at once: in severity, and at each threshold of expiry") {
  Book book;
  CHECK(book.told({a("EXPIRY_NEAR", warning, 1)}, monday) == "raised EXPIRY_NEAR");
  CHECK(book.told({a("EXPIRY_NEAR", error, 2)}, monday + 1h) == "escalated EXPIRY_NEAR");
  CHECK(book.told({a("EXPIRY_NEAR", error, 3)}, monday + 2h) == "escalated EXPIRY_NEAR");
  CHECK(book.told({a("EXPIRY_NEAR", error, 3)}, monday + 3h) == "");
  // Better is no news.
  CHECK(book.told({a("EXPIRY_NEAR", warning, 1)}, monday + 4h) == "");
}

TEST_CASE("what nobody can tell is told when it lasts") {
  Book book;
  CHECK(book.told({a("A", unknown)}, monday + 1h) == "");
  CHECK(book.told({a("A", unknown)}, monday + 2h) == "raised A");
}

TEST_CASE("a clock that is set back keeps nobody quiet") {
  Book book;
  const std::vector<Finding> found = {a("A", error)};
  CHECK(book.told(found, monday) == "raised A");
  CHECK(book.told(found, monday - 48h) == "repeated A");
}

TEST_CASE(
    "a silence holds for its certificate or code, until it ends, and never past the last "
    "threshold") {
  for (const std::string what : {"shop", "A"}) {
    Book book;
    book.state.silences = {{what, monday + 12h, "maintenance"}};
    CHECK(book.told({a("A", error)}, monday) == "");
    CHECK(book.state.open.size() == 1);
    CHECK(book.told({a("A", error)}, monday + 11h) == "");
    CHECK(book.told({a("A", error)}, monday + 12h) == "raised A");
    CHECK(book.state.silences.empty());
  }
  Book book;
  book.state.silences = {{"shop", monday + 900h, "nobody cares"}};
  CHECK(book.told({a("EXPIRY_NEAR", error, 2)}, monday) == "");
  CHECK(book.told({a("EXPIRY_NEAR", error, 3)}, monday + 1h) == "raised EXPIRY_NEAR");
  CHECK(book.told({a("EXPIRED", error, 4)}, monday + 2h) == "raised EXPIRED, resolved EXPIRY_NEAR");
  CHECK(book.told({a("SERVED_EXPIRED", error)}, monday + 3h) ==
        "raised SERVED_EXPIRED, resolved EXPIRED");
  // Of what was never told nobody hears that it is over.
  Book quiet;
  quiet.state.silences = {{"A", monday + 12h, "known"}};
  CHECK(quiet.told({a("A", error)}, monday) == "");
  CHECK(quiet.told({}, monday + 1h) == "");
}

TEST_CASE("no silence hides that an orphan is about to expire, and each threshold is told") {
  Book book;
  CHECK(book.told({a("ORPHAN", warning, 0)}, monday) == "raised ORPHAN");
  CHECK(book.told({a("ORPHAN", warning, 1)}, monday + 1h) == "escalated ORPHAN");
  CHECK(book.told({a("ORPHAN", error, 2)}, monday + 2h) == "escalated ORPHAN");
  for (const std::string what : {"shop", "ORPHAN"}) {
    Book quiet;
    quiet.state.silences = {{what, monday + 900h, "nobody cares"}};
    CHECK(quiet.told({a("ORPHAN", error, 2)}, monday) == "");
    CHECK(quiet.told({a("ORPHAN", error, 3)}, monday + 1h) == "raised ORPHAN");
    CHECK(quiet.told({a("ORPHAN", error, 4)}, monday + 2h) == "escalated ORPHAN");
  }
}

TEST_CASE("a channel that has proved nothing for a month is tried") {
  Book book;
  try_channels(book.state, book.config, monday + 24h * 29);
  CHECK(book.state.queue.empty());
  try_channels(book.state, book.config, monday + 24h * 30);
  CHECK(book.state.queue.size() == 2);
  CHECK(book.state.queue.front().news == AlertNews::trial);
  // Once: it waits.
  try_channels(book.state, book.config, monday + 24h * 31);
  CHECK(book.state.queue.size() == 2);
  Book fresh;
  fresh.state.channels.clear();
  try_channels(fresh.state, fresh.config, monday);
  CHECK(fresh.state.queue.size() == 2);
}

TEST_CASE("messages stay until their channel took them; back-off is the channel's own") {
  Book book;
  book.told({a("A", error), a("B", error)}, monday);
  REQUIRE(due_messages(book.state, "mail", monday).size() == 2);
  note_delivery(book.state, "mail", 2, "refused", monday);
  CHECK(book.state.queue.size() == 4);
  CHECK(due_messages(book.state, "mail", monday + 59s).empty());
  CHECK(due_messages(book.state, "hook", monday).size() == 2);
  CHECK(next_delivery(book.state, monday) == monday);
  note_delivery(book.state, "hook", 2, {}, monday);
  CHECK(book.state.queue.size() == 2);
  CHECK(next_delivery(book.state, monday) == monday + 1min);
  CHECK(due_messages(book.state, "mail", monday + 1min).size() == 2);
  Time now = monday + 1min;
  for (const Duration pause : {2min, 4min, 8min, 16min, 32min, 60min, 60min}) {
    note_delivery(book.state, "mail", 2, "refused", now);
    CHECK(next_delivery(book.state, now) == now + pause);
    now += pause;
  }
  CHECK(book.state.channels["mail"].failures == 8);
  CHECK(book.state.channels["mail"].failing_since == monday);
  // What came meanwhile stays when the first two are taken.
  book.told({a("A", error), a("B", error), a("C", error)}, now);
  note_delivery(book.state, "mail", 2, {}, now);
  CHECK(due_messages(book.state, "mail", now).size() == 1);
  CHECK(book.state.channels["mail"].failures == 0);
  CHECK(book.state.channels["mail"].delivered_at == now);
  // A back-off from a wrong clock holds up nothing.
  book.state.channels["mail"].next_attempt = now + 900h;
  CHECK_FALSE(due_messages(book.state, "mail", now).empty());
}

TEST_CASE("what was queued for a channel that is gone is dropped, and a queue has an end") {
  Book book;
  book.told({a("A", error)}, monday);
  book.config.channels.erase(book.config.channels.begin());
  update_alerts(book.state, {a("A", error)}, book.config, monday + 1h);
  CHECK(book.state.queue.size() == 1);
  CHECK_FALSE(book.state.channels.contains("mail"));
  for (int i = 0; i < 1500; ++i) {
    update_alerts(book.state, {a("A" + std::to_string(i), error)}, book.config, monday + 2h);
  }
  CHECK(book.state.queue.size() == longest_queue);
}

TEST_CASE("alerts.json comes back as it was written") {
  Book book;
  book.told({a("EXPIRY_NEAR", error, 2)}, monday);
  book.state.silences = {{"shop", monday + 1h, "why"}};
  note_delivery(book.state, "mail", 1, "refused", monday);
  const auto read = read_alerts_document(write_alerts_document(book.state));
  REQUIRE(read);
  REQUIRE(read->open.size() == 1);
  CHECK(read->open.front().finding.same_as(book.state.open.front().finding));
  CHECK(read->open.front().finding.level == 2);
  CHECK(read->open.front().told_at == monday);
  REQUIRE(read->queue.size() == 2);
  CHECK(read->queue.back().channel == "hook");
  CHECK(read->queue.back().finding.fix == "do");
  CHECK(read->silences.front().until == monday + 1h);
  CHECK(read->channels.at("mail").failures == 1);
  CHECK(read->channels.at("mail").next_attempt == monday + 1min);
  CHECK(read->channels.at("hook").delivered_at == monday);
  CHECK_FALSE(read_alerts_document("{").has_value());
}

TEST_CASE("a report goes to people and not to incidents, and stands in the document") {
  Book book;
  book.config.channels.push_back({"pager", "pagerduty"});
  book.config.channels.push_back({"am", "alertmanager"});
  tell_report(book.state, {"2026-10", "all is well", "all is well\nrenewals 3", monday - 9h},
              book.config, monday);
  REQUIRE(book.state.queue.size() == 2);
  CHECK(book.state.queue[0].channel == "mail");
  CHECK(book.state.queue[1].channel == "hook");
  const auto read = read_alerts_document(write_alerts_document(book.state));
  REQUIRE(read);
  CHECK(read->reported_until == monday - 9h);
  REQUIRE(read->queue.size() == 2);
  CHECK(read->queue[0].news == AlertNews::report);
  CHECK(read->queue[0].finding.subject == "2026-10");
  CHECK(read->queue[0].finding.evidence == "all is well\nrenewals 3");
}
