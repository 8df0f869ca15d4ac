// Alerts over time, as tables: raised once, repeated, escalated, resolved, silenced, delivered.
#include "agent/core/alert_rules.h"

#include <doctest/doctest.h>

#include <algorithm>

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
  // "raised A", what a channel is sent now, and takes.
  std::string take(const std::string& channel, Time now) {
    std::string text;
    const auto messages = due_messages(state, channel, now);
    for (const AlertMessage& message : messages) {
      text += (text.empty() ? "" : ", ") + std::string(name_of(message.news)) + " " +
              message.finding.code;
    }
    note_taken(state, messages, {}, now);
    return text;
  }
  AlertOverflow find(const std::vector<Finding>& findings, Time now) {
    return update_alerts(state, findings, config, now);
  }
  // The first channel; each has the same.
  std::string told(const std::vector<Finding>& findings, Time now) {
    find(findings, now);
    const std::string text = take("mail", now);
    for (std::size_t i = 1; i < config.channels.size(); ++i) {
      CHECK(take(config.channels[i].name, now) == text);
    }
    return text;
  }
  std::size_t waiting(const std::string& channel) const {
    return static_cast<std::size_t>(
        std::count_if(state.queue.begin(), state.queue.end(),
                      [&](const AlertMessage& each) { return each.channel == channel; }));
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
  CHECK(book.told({a("EXPIRED", error, 4)}, monday + 2h) == "escalated EXPIRED");
  // That of a [[watch]] has no level.
  CHECK(book.told({a("SERVED_EXPIRED", error)}, monday + 3h) == "repeated SERVED_EXPIRED");
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

TEST_CASE("what gets worse under another code is the same alert, and nothing is over") {
  for (const char* later : {"EXPIRED", "ORPHAN"}) {
    Book book;
    CHECK(book.told({a("EXPIRY_NEAR", error, 3)}, monday) == "raised EXPIRY_NEAR");
    const std::uint64_t id = book.state.open.front().id;
    CHECK(book.told({a(later, error, 4)}, monday + 1h) == std::string("escalated ") + later);
    REQUIRE(book.state.open.size() == 1);
    CHECK(book.state.open.front().id == id);
    CHECK(book.state.open.front().raised_at == monday);
    CHECK(book.told({}, monday + 2h) == std::string("resolved ") + later);
  }
  Book book;
  CHECK(book.told({a("RENEWAL_OVERDUE", error)}, monday) == "raised RENEWAL_OVERDUE");
  CHECK(book.told({a("RENEWAL_FAILING", warning)}, monday + 1h) == "repeated RENEWAL_FAILING");
  CHECK(book.told({a("RENEWAL_FAILING", warning)}, monday + 2h) == "");
}

TEST_CASE("what nobody could see stays open and is told again; its end is told when it is seen") {
  Book book;
  const Finding near = a("EXPIRY_NEAR", error, 3);
  Finding broken = a("CHECK_TIMED_OUT", unknown);
  broken.subject = "EXPIRY_NEAR";
  broken.since = monday + 1h;
  CHECK(book.told({near}, monday) == "raised EXPIRY_NEAR");
  CHECK(book.told({broken}, monday + 1h) == "");
  CHECK(book.told({broken}, monday + 3h) == "raised CHECK_TIMED_OUT");
  CHECK(book.told({broken}, monday + 24h) == "repeated EXPIRY_NEAR");
  CHECK(book.told({}, monday + 25h) == "resolved EXPIRY_NEAR, resolved CHECK_TIMED_OUT");
}

TEST_CASE("two that become one: what keeps incidents closes the other, and people hear nothing") {
  Book book;
  book.config.channels.push_back({"pager", "pagerduty"});
  Finding near = a("EXPIRY_NEAR", error, 3);
  near.subject = "mail.test:465";
  Finding over = a("SERVED_EXPIRED", error);
  over.subject = "mail.test:465 at 192.0.2.7";
  book.told({near, over}, monday);
  book.find({over}, monday + 1h);
  CHECK(book.take("mail", monday + 1h) == "");
  CHECK(book.take("pager", monday + 1h) == "resolved EXPIRY_NEAR");
  CHECK(book.state.open.size() == 1);
}

TEST_CASE(
    "what leaves the configuration is not watched any more, and nobody hears that it is over") {
  Book book;
  book.config.channels.push_back({"pager", "pagerduty"});
  Finding near = a("EXPIRY_NEAR", error);
  near.certificate = "intranet";
  near.summary = "intranet expires in 2d";
  CHECK(book.told({near, a("NOT_SERVED", warning)}, monday) ==
        "raised EXPIRY_NEAR, raised NOT_SERVED");
  update_alerts(book.state, {}, book.config, monday + 1h, {"intranet"});
  const auto messages = due_messages(book.state, "mail", monday + 1h);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].news == AlertNews::repeated);
  CHECK(messages[0].finding.summary ==
        "intranet is not watched any more, it has left the configuration; last known: intranet "
        "expires in 2d");
  CHECK(messages[1].news == AlertNews::resolved);
  CHECK(book.take("pager", monday + 1h) == "resolved EXPIRY_NEAR, resolved NOT_SERVED");
  CHECK(book.state.open.empty());
  book.take("mail", monday + 1h);
  book.take("hook", monday + 1h);
  CHECK(book.told({}, monday + 48h).empty());
}

TEST_CASE("what nobody knows of a certificate is untold until it is an alert, or silenced") {
  Book book;
  Finding unsure = a("RENEWAL_UNKNOWN", unknown);
  unsure.certificate = "shop";
  unsure.since = monday;
  book.find({unsure}, monday + 1h);
  CHECK(is_unknown_and_untold(book.state, unsure, monday + 1h));
  set_silence(book.state, {"shop", monday + 2h, "known"}, monday + 1h);
  CHECK_FALSE(is_unknown_and_untold(book.state, unsure, monday + 1h));
  book.find({unsure}, monday + 3h);
  CHECK_FALSE(is_unknown_and_untold(book.state, unsure, monday + 3h));
}

TEST_CASE("a channel whose pause is ended is due at once, with what it refused") {
  Book book;
  book.find({a("A", error), a("B", error)}, monday);
  const auto messages = due_messages(book.state, "mail", monday);
  note_refused(book.state, messages[0], "it answers 400", monday);
  note_failure(book.state, "mail", "refused", true, {}, monday);
  note_failure(book.state, "hook", "refused", true, {}, monday);
  REQUIRE(due_messages(book.state, "mail", monday + 1s).empty());
  end_pause(book.state, "mail");
  CHECK(due_messages(book.state, "mail", monday + 1s).size() == 2);
  CHECK(due_messages(book.state, "hook", monday + 1s).empty());
}

TEST_CASE("what is told again is compared with what was told, not with what was seen") {
  Book book;
  CHECK(book.told({a("EXPIRY_NEAR", warning, 1)}, monday) == "raised EXPIRY_NEAR");
  set_silence(book.state, {"shop", monday + 3h, "known"}, monday);
  CHECK(book.told({a("EXPIRY_NEAR", error, 2)}, monday + 1h) == "");
  CHECK(book.told({a("EXPIRY_NEAR", error, 2)}, monday + 2h) == "");
  CHECK(book.told({a("EXPIRY_NEAR", error, 2)}, monday + 3h) == "escalated EXPIRY_NEAR");
  // One that is over at once ends it.
  set_silence(book.state, {"shop", monday + 9h, "known"}, monday + 3h);
  CHECK(book.state.silences.size() == 1);
  set_silence(book.state, {"shop", monday + 3h, {}}, monday + 3h);
  CHECK(book.state.silences.empty());
}

TEST_CASE("told is who took it: nobody else, and a new channel hears of all that is open") {
  Book book;
  const std::vector<Finding> found = {a("A", error), a("B", error)};
  book.find(found, monday);
  CHECK_FALSE(book.state.open.front().told_at());
  CHECK(book.take("hook", monday + 1min) == "raised A, raised B");
  CHECK(book.state.open.front().told_at() == monday + 1min);
  CHECK(book.state.open.front().told.contains("hook"));
  CHECK_FALSE(book.state.open.front().told.contains("mail"));
  // The one that took nothing gets another name, and works.
  book.config.channels.front().name = "post";
  book.find(found, monday + 1h);
  CHECK(book.waiting("mail") == 0);
  CHECK(book.take("post", monday + 1h) == "raised A, raised B");
  CHECK(book.take("hook", monday + 1h) == "");
  // The one that goes has told nobody of anything any more.
  book.config.channels.erase(book.config.channels.begin() + 1);
  book.find(found, monday + 2h);
  CHECK(book.state.open.front().told_at() == monday + 1h);
  CHECK_FALSE(book.state.channels.contains("hook"));
}

TEST_CASE("of one alert one message waits for a channel: the newest") {
  Book book;
  book.config.channels.pop_back();
  book.find({a("A", warning)}, monday);
  book.find({a("A", warning)}, monday + 25h);
  REQUIRE(book.state.queue.size() == 1);
  // The same is waited for, in the words of now.
  const std::uint64_t id = book.state.queue.front().id;
  Finding again = a("A", warning);
  again.summary = "later";
  book.find({again}, monday + 26h);
  CHECK(book.state.queue.front().id == id);
  CHECK(book.state.queue.front().finding.summary == "later");
  // What is worse takes its place while it is under way, and is sent after it.
  const auto under_way = due_messages(book.state, "mail", monday + 26h);
  book.find({a("A", error)}, monday + 27h);
  REQUIRE(book.state.queue.size() == 1);
  CHECK(book.state.queue.front().id != id);
  note_taken(book.state, under_way, {}, monday + 27h);
  CHECK_FALSE(everybody_is_told(book.state, monday + 27h));
  REQUIRE(book.state.queue.front().before);
  CHECK(book.state.queue.front().before->severity == warning);
  CHECK(book.take("mail", monday + 27h) == "raised A");
  CHECK(everybody_is_told(book.state, monday + 27h));
  // An end takes the place of what was never taken, and a new beginning that of an end.
  book.find({a("A", error), a("B", error)}, monday + 28h);
  book.find({a("A", error)}, monday + 29h);
  REQUIRE(book.state.queue.size() == 1);
  CHECK(book.state.queue.front().news == AlertNews::resolved);
  book.find({a("A", error), a("B", error)}, monday + 30h);
  REQUIRE(book.state.queue.size() == 1);
  CHECK(book.take("mail", monday + 30h) == "raised B");
}

TEST_CASE("messages stay until their channel took them; back-off is the channel's own") {
  Book book;
  book.find({a("A", error), a("B", error)}, monday);
  auto messages = due_messages(book.state, "mail", monday);
  REQUIRE(messages.size() == 2);
  note_failure(book.state, "mail", "refused", true, {messages.front()}, monday);
  CHECK(book.state.queue.size() == 4);
  CHECK(due_messages(book.state, "mail", monday + 59s).empty());
  CHECK(due_messages(book.state, "hook", monday).size() == 2);
  CHECK(next_delivery(book.state, monday) == monday);
  CHECK(book.take("hook", monday) == "raised A, raised B");
  CHECK(book.state.queue.size() == 2);
  CHECK(next_delivery(book.state, monday) == monday + 1min);
  // What it broke at comes last, and so does not hold up the other for ever.
  messages = due_messages(book.state, "mail", monday + 1min);
  REQUIRE(messages.size() == 2);
  CHECK(messages.back().finding.code == "A");
  Time now = monday + 1min;
  for (const Duration pause : {2min, 4min, 8min, 16min, 32min, 60min, 60min}) {
    note_failure(book.state, "mail", "refused", true, {}, now);
    CHECK(next_delivery(book.state, now) == now + pause);
    now += pause;
  }
  CHECK(book.state.channels["mail"].failures == 8);
  CHECK(book.state.channels["mail"].failing_since == monday);
  // What came meanwhile stays when the first two are taken.
  book.find({a("A", error), a("B", error), a("C", error)}, now);
  note_taken(book.state, messages, {}, now);
  CHECK(due_messages(book.state, "mail", now).size() == 1);
  CHECK(book.state.channels["mail"].failures == 0);
  CHECK(book.state.channels["mail"].delivered_at == now);
  // A back-off from a wrong clock holds up nothing.
  book.state.channels["mail"].next_attempt = now + 900h;
  CHECK_FALSE(due_messages(book.state, "mail", now).empty());
}

TEST_CASE("a message that is refused waits for itself, comes last, and is a finding") {
  Book book;
  book.find({a("A", error), a("B", error)}, monday);
  const auto messages = due_messages(book.state, "mail", monday);
  note_refused(book.state, messages[0], "it answers 400", monday);
  note_taken(book.state, {messages[1]}, {}, monday);
  CHECK(book.waiting("mail") == 1);
  CHECK(due_messages(book.state, "mail", monday + 59s).empty());
  book.find({a("A", error), a("B", error), a("C", error)}, monday + 1min);
  const auto later = due_messages(book.state, "mail", monday + 1min);
  REQUIRE(later.size() == 2);
  CHECK(later[0].finding.code == "C");
  CHECK(later[1].refusals == 1);
  const auto findings = channel_findings(book.state);
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == "ALERT_CHANNEL_FAILING");
  CHECK(findings[0].subject == "channel mail");
  CHECK(findings[0].evidence == "A: it answers 400");
  note_taken(book.state, later, "gone@shop.test is refused", monday + 2min);
  REQUIRE(channel_findings(book.state).size() == 1);
  CHECK(channel_findings(book.state)[0].evidence == "gone@shop.test is refused");
  note_taken(book.state, {}, {}, monday + 3min);
  CHECK(book.waiting("mail") == 0);
}

TEST_CASE("mail that some recipients do not take for now waits for them, and is told") {
  const std::vector<std::string> recipients = {"ops@shop.test", "grey@shop.test", "cto@shop.test"};
  const std::vector<MailRefusal> grey = {{"grey@shop.test", "450 4.2.0 greylisted; soon"}};
  Book book;
  book.find({a("A", error)}, monday);
  note_taken(book.state, due_messages(book.state, "mail", monday), {}, monday, grey);
  REQUIRE(book.waiting("mail") == 1);
  CHECK(due_messages(book.state, "mail", monday + 59s).empty());
  const auto parsed = read_alerts_document(write_alerts_document(book.state));
  REQUIRE(parsed);
  auto due = due_messages(*parsed, "mail", monday + 1min);
  REQUIRE(due.size() == 1);
  CHECK(left_to(due[0], recipients) == std::vector<std::string>{"grey@shop.test"});
  CHECK(everybody_is_told(book.state, monday));
  REQUIRE(channel_findings(book.state).size() == 1);
  CHECK(channel_findings(book.state)[0].evidence.find("450 4.2.0 greylisted") != std::string::npos);
  // It says no more the next time either: the same few are left.
  note_refused(book.state, due[0], "451 later", monday + 1min);
  due = due_messages(book.state, "mail", monday + 3min);
  REQUIRE(due.size() == 1);
  CHECK(left_to(due[0], recipients) == std::vector<std::string>{"grey@shop.test"});
  // That it waits keeps nobody else from hearing of it again at its time.
  book.find({a("A", error)}, monday + 24h);
  REQUIRE(book.waiting("mail") == 1);
  const auto again = due_messages(book.state, "mail", monday + 24h);
  CHECK(again[0].news == AlertNews::repeated);
  CHECK(left_to(again[0], recipients).empty());
}

TEST_CASE("what the few take says nothing of the others") {
  Book book;
  book.find({a("A", error)}, monday);
  note_taken(book.state, due_messages(book.state, "mail", monday), "gone@shop.test is refused: 550",
             monday, {{"grey@shop.test", "450"}});
  note_taken(book.state, due_messages(book.state, "mail", monday + 2h), {}, monday + 2h);
  CHECK(book.waiting("mail") == 0);
  CHECK(book.state.channels["mail"].remark == "gone@shop.test is refused: 550");
  CHECK(book.state.open[0].told["mail"].at == monday);
}

TEST_CASE("somebody is told when one channel has taken each alert, as bad as it is") {
  Book book;
  CHECK(everybody_is_told(book.state, monday));
  book.find({a("A", warning)}, monday);
  CHECK_FALSE(everybody_is_told(book.state, monday));
  book.take("hook", monday);
  CHECK(everybody_is_told(book.state, monday));
  book.find({a("A", error)}, monday + 1h);
  CHECK_FALSE(everybody_is_told(book.state, monday + 1h));
  set_silence(book.state, {"A", monday + 2h, "known"}, monday);
  CHECK(everybody_is_told(book.state, monday + 1h));
  Book alone;
  alone.config.channels.clear();
  alone.find({a("A", error)}, monday);
  CHECK_FALSE(everybody_is_told(alone.state, monday));
}

TEST_CASE("Alertmanager is told again every few minutes, the others at their time") {
  Book book;
  book.config.channels.push_back({"am", "alertmanager"});
  CHECK_FALSE(next_reminder(book.state, book.config, monday));
  book.told({a("A", error)}, monday);
  CHECK(next_reminder(book.state, book.config, monday) == monday + 4min);
  remind(book.state, book.config, monday + 3min);
  CHECK(book.state.queue.empty());
  remind(book.state, book.config, monday + 4min);
  CHECK(book.state.queue.size() == 1);
  CHECK_FALSE(next_reminder(book.state, book.config, monday + 4min));  // it waits
  CHECK(book.take("am", monday + 5min) == "repeated A");
  CHECK(next_reminder(book.state, book.config, monday + 5min) == monday + 9min);
  set_silence(book.state, {"A", monday + 2h, "known"}, monday);
  CHECK_FALSE(next_reminder(book.state, book.config, monday + 5min));
}

TEST_CASE("a queue that is full loses nothing of what is open") {
  Book book;
  book.config.channels.pop_back();
  std::vector<Finding> many;
  for (std::size_t i = 0; i < longest_queue + 500; ++i) {
    many.push_back(a("A" + std::to_string(i), error));
  }
  CHECK(book.find(many, monday).at("mail").postponed == 500);
  CHECK(book.waiting("mail") == longest_queue);
  // Meanwhile another channel is not crowded out.
  book.config.channels.push_back({"hook", "webhook"});
  CHECK(book.find({many.front()}, monday).empty());
  CHECK(book.waiting("hook") == 1);
  Book again;
  again.config.channels.pop_back();
  again.find(many, monday);
  again.take("mail", monday);
  CHECK(again.find(many, monday + 1h).empty());
  CHECK(again.waiting("mail") == 500);
  again.take("mail", monday + 1h);
  for (const Alert& alert : again.state.open) CHECK(alert.told.contains("mail"));
  // An end finds room where news does not, and is lost beyond that, which is said.
  AlertOverflow lost;
  for (std::size_t i = 0; i < most_messages + 7; ++i) {
    AlertMessage end{"mail", AlertNews::resolved, a("E" + std::to_string(i), error), monday};
    end.alert = 100000 + i;
    queue_message(again.state, end, lost);
  }
  CHECK(lost.at("mail").lost == 7);
}

TEST_CASE("alerts.json comes back as it was written") {
  Book book;
  book.find({a("EXPIRY_NEAR", warning, 1)}, monday);
  book.take("hook", monday);
  book.find({a("EXPIRED", error, 4)}, monday + 1h);
  book.state.silences = {{"shop", monday + 1h, "why"}};
  const auto due = due_messages(book.state, "mail", monday);
  note_refused(book.state, due.front(), "400", monday);
  note_failure(book.state, "mail", "refused", true, {}, monday);
  book.state.channels["hook"].remark = "not all";
  const auto read = read_alerts_document(write_alerts_document(book.state));
  REQUIRE(read);
  REQUIRE(read->open.size() == 1);
  const Alert& alert = read->open.front();
  CHECK(alert.finding.code == "EXPIRED");
  CHECK(alert.finding.level == 4);
  CHECK(alert.id == book.state.open.front().id);
  CHECK(alert.told_at() == monday);
  REQUIRE(alert.told.contains("hook"));
  CHECK(alert.told.at("hook").code == "EXPIRY_NEAR");
  CHECK(alert.told.at("hook").severity == warning);
  CHECK(alert.told.at("hook").level == 1);
  CHECK(read->last_id == book.state.last_id);
  REQUIRE(read->queue.size() == 2);
  for (const AlertMessage& message : read->queue) {
    CHECK(message.alert == alert.id);
    CHECK(message.finding.fix == "do");
    CHECK(message.before.has_value() == (message.channel == "hook"));
    CHECK(message.refusals == (message.channel == "mail" ? 1 : 0));
    CHECK(message.next_attempt.has_value() == (message.channel == "mail"));
  }
  CHECK(read->silences.front().until == monday + 1h);
  CHECK(read->channels.at("mail").failures == 1);
  CHECK(read->channels.at("mail").next_attempt == monday + 1min);
  CHECK(read->channels.at("hook").remark == "not all");
}

TEST_CASE("what waits of what is open is not written twice: a thousand alerts fit what is read") {
  Book book;
  for (int i = 0; i < 6; ++i) {
    book.config.channels.push_back({"channel" + std::to_string(i), "webhook"});
  }
  std::vector<Finding> many;
  for (std::size_t i = 0; i < longest_queue; ++i) {
    many.push_back(a("A" + std::to_string(i), error));
    many.back().evidence = std::string(400, 'x');
  }
  book.find(many, monday);
  const std::string text = write_alerts_document(book.state);
  CHECK(text.size() < (4u << 20));
  const auto read = read_alerts_document(text);
  REQUIRE(read);
  REQUIRE(read->queue.size() == 8 * longest_queue);
  CHECK(read->queue.back().finding.same_as(book.state.queue.back().finding));
  CHECK(read->queue.back().finding.evidence.size() == 400);
}

TEST_CASE("alerts.json of schema 1: told is who has nothing of it in his queue") {
  const auto read = read_alerts_document(R"({"schema":1,
    "open":[{"finding":{"code":"A","certificate":"shop","subject":"x","severity":"error","level":2},
             "raised_at":"2026-11-23T09:00:00Z","told_at":"2026-11-23T10:00:00Z"},
            {"finding":{"code":"B","severity":"warning"},"raised_at":"2026-11-23T09:00:00Z",
             "told_at":null}],
    "queue":[{"channel":"mail","news":"raised","at":"2026-11-23T10:00:00Z",
              "finding":{"code":"A","certificate":"shop","subject":"x","severity":"error"}},
             {"channel":"mail","news":"resolved","at":"2026-11-23T10:00:00Z",
              "finding":{"code":"C","severity":"error"}}],
    "channels":{"mail":{"failures":2},"hook":{"failures":0}}})");
  REQUIRE(read);
  REQUIRE(read->open.size() == 2);
  const Alert& alert = read->open[0];
  CHECK_FALSE(alert.told.contains("mail"));
  REQUIRE(alert.told.contains("hook"));
  CHECK(alert.told.at("hook").at == monday + 1h);
  CHECK(alert.told.at("hook").subject == "x");
  CHECK(alert.told.at("hook").level == 2);
  CHECK(read->open[1].told.empty());
  REQUIRE(read->queue.size() == 2);
  CHECK(read->queue[0].alert == alert.id);
  CHECK(read->queue[1].alert != 0);
  CHECK(read->queue[0].id != read->queue[1].id);
  CHECK(alert.id != read->open[1].id);
}

TEST_CASE("alerts.json that means nothing is damaged, not empty") {
  for (const char* text :
       {"{", R"({"schema":2,"open":5})", R"({"schema":2,"open":[1]})", R"({"schema":1,"queue":{}})",
        R"({"schema":2,"silences":"shop"})", R"({"schema":2,"channels":[]})", R"({"schema":99})"}) {
    CAPTURE(text);
    const auto read = read_alerts_document(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == "BAD_STATE");
  }
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
