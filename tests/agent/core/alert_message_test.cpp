// What each channel is sent, held against what its documentation asks for.
#include "agent/core/alert_message.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace nolapse;
using nlohmann::json;

namespace {

const Time monday = *acme::parse_rfc3339("2026-11-23T09:00:05Z");

AlertMessage message(AlertNews news) {
  return {"it",
          news,
          {"NOT_SERVED", "shop", "192.0.2.7:443", FindingSeverity::error, "shop: something else",
           "serves \"x\"", "nolapse deploy shop", monday},
          monday};
}

std::vector<AlertDelivery> deliveries_of(const AlertChannel& channel,
                                         const std::vector<AlertMessage>& messages,
                                         const AlertSender& sender) {
  std::vector<AlertDelivery> all;
  for (const AlertParcel& parcel : parcels_of(channel, messages, sender)) {
    all.insert(all.end(), parcel.deliveries.begin(), parcel.deliveries.end());
  }
  return all;
}

struct Sent {
  explicit Sent(const std::string& type, AlertNews news = AlertNews::raised,
                std::map<std::string, std::string> settings = {}, std::size_t count = 1) {
    AlertChannel channel{"it", type, std::move(settings), {"ops@shop.test", "cto@shop.test"}};
    AlertSender sender{"web1", {}, std::chrono::hours(24), monday, 7};
    sender.secrets = {{"token_file", "T0KEN"},
                      {"url_file", "https://hooks.test/secret"},
                      {"routing_key_file", "R0UTE"},
                      {"password_file", "PASS"}};
    deliveries = deliveries_of(channel, std::vector<AlertMessage>(count, message(news)), sender);
    REQUIRE_FALSE(deliveries.empty());
  }
  const acme::HttpRequest& http() const { return std::get<acme::HttpRequest>(deliveries.front()); }
  json body() const { return json::parse(http().body); }
  std::string header(const std::string& name) const {
    for (const auto& each : http().headers) {
      if (each.name == name) return each.value;
    }
    return {};
  }

  std::vector<AlertDelivery> deliveries;
};

}  // namespace

TEST_CASE("a webhook gets all messages in one document") {
  const Sent sent("webhook", AlertNews::raised, {{"url", "https://hook.test/x"}}, 3);
  CHECK(sent.deliveries.size() == 1);
  CHECK(sent.http().method == "POST");
  CHECK(sent.http().url == "https://hook.test/x");
  CHECK(sent.header("Content-Type") == "application/json");
  CHECK(sent.header("Authorization") == "Bearer T0KEN");
  const json body = sent.body();
  CHECK(body["schema"] == 1);
  CHECK(body["host"] == "web1");
  REQUIRE(body["messages"].size() == 3);
  const json& first = body["messages"][0];
  CHECK(first["news"] == "raised");
  CHECK(first["code"] == "NOT_SERVED");
  CHECK(first["certificate"] == "shop");
  CHECK(first["severity"] == "error");
  CHECK(first["fix"] == "nolapse deploy shop");
  CHECK(first["since"] == "2026-11-23T09:00:05Z");
}

TEST_CASE("Slack gets a text, at the URL that only its file knows") {
  const Sent sent("slack");
  CHECK(sent.http().url == "https://hooks.test/secret");
  const std::string text = sent.body()["text"];
  CHECK(text.find("ERROR NOT_SERVED shop: something else") != std::string::npos);
  CHECK(text.find("nolapse deploy shop") != std::string::npos);
}

TEST_CASE("PagerDuty gets an event each, with a key that stays the same [Events API v2]") {
  const Sent raised("pagerduty", AlertNews::raised, {}, 2);
  CHECK(raised.deliveries.size() == 2);
  CHECK(raised.http().url == "https://events.pagerduty.com/v2/enqueue");
  const json event = raised.body();
  CHECK(event["routing_key"] == "R0UTE");
  CHECK(event["event_action"] == "trigger");
  CHECK(event["payload"]["severity"] == "error");
  CHECK(event["payload"]["source"] == "web1");
  CHECK(event["payload"]["summary"].get<std::string>().size() <= 1024);
  const json resolved = Sent("pagerduty", AlertNews::resolved).body();
  CHECK(resolved["event_action"] == "resolve");
  CHECK(resolved["dedup_key"] == event["dedup_key"]);
  CHECK(event["dedup_key"].get<std::string>().size() <= 255);
}

TEST_CASE("Alertmanager gets labels and an end, at its API [API v2]") {
  const Sent raised("alertmanager", AlertNews::raised, {{"url", "https://am.test/"}});
  CHECK(raised.http().url == "https://am.test/api/v2/alerts");
  const json alert = raised.body()[0];
  CHECK(alert["labels"]["alertname"] == "NOT_SERVED");
  CHECK(alert["labels"]["instance"] == "web1");
  CHECK(alert["annotations"]["summary"] == "shop: something else");
  CHECK(alert["startsAt"] == "2026-11-23T09:00:05Z");
  // Longer than until it is repeated.
  CHECK(alert["endsAt"] == "2026-11-24T21:00:05Z");
  CHECK(
      Sent("alertmanager", AlertNews::resolved, {{"url", "https://am.test"}}).body()[0]["endsAt"] ==
      "2026-11-23T09:00:05Z");
}

namespace {

// Of what the channel knows as EXPIRY_NEAR, a warning.
AlertMessage grown(AlertNews news = AlertNews::escalated) {
  AlertMessage message{"it",
                       news,
                       {"EXPIRED", "shop", {}, FindingSeverity::error, "shop: it expired", {}, {}},
                       monday};
  message.before = Told{monday, "EXPIRY_NEAR", {}, FindingSeverity::warning, 1};
  return message;
}

std::vector<AlertParcel> parcels_to(const std::string& type,
                                    const std::vector<AlertMessage>& messages) {
  const AlertChannel channel{"it", type, {{"url", "https://it.test/x"}}, {"ops@shop.test"}};
  return parcels_of(channel, messages, {"web1", {}, std::chrono::hours(24), monday, 7});
}

json body_of(const AlertDelivery& delivery) {
  return json::parse(std::get<acme::HttpRequest>(delivery).body);
}

}  // namespace

TEST_CASE("what goes on under another code closes the incident of the former one, after it") {
  const auto parcels = parcels_to("pagerduty", {grown()});
  REQUIRE(parcels.size() == 1);
  CHECK(parcels[0].messages.size() == 1);
  REQUIRE(parcels[0].deliveries.size() == 2);
  const json first = body_of(parcels[0].deliveries[0]);
  const json second = body_of(parcels[0].deliveries[1]);
  CHECK(first["event_action"] == "trigger");
  CHECK(first["dedup_key"] == "nolapse/web1/EXPIRED/shop/");
  CHECK(second["event_action"] == "resolve");
  CHECK(second["dedup_key"] == "nolapse/web1/EXPIRY_NEAR/shop/");
  // One of the same code and place is the same incident, however bad it is.
  AlertMessage worse = grown();
  worse.before->code = "EXPIRED";
  CHECK(parcels_to("pagerduty", {worse})[0].deliveries.size() == 1);
  CHECK(body_of(parcels_to("webhook", {grown()})[0].deliveries[0])["messages"][0]["former_code"] ==
        "EXPIRY_NEAR");
  CHECK(text_of(grown()).find("before: EXPIRY_NEAR") != std::string::npos);
}

TEST_CASE("Alertmanager is told that the alert of the former severity is over") {
  AlertMessage worse = grown();
  worse.before->code = "EXPIRED";
  const json body = body_of(parcels_to("alertmanager", {worse})[0].deliveries[0]);
  REQUIRE(body.size() == 2);
  CHECK(body[0]["labels"]["severity"] == "error");
  CHECK(body[0]["endsAt"] > "2026-11-24");
  CHECK(body[1]["labels"]["severity"] == "warning");
  CHECK(body[1]["endsAt"] == "2026-11-23T09:00:05Z");
  CHECK(
      body_of(parcels_to("alertmanager", {message(AlertNews::repeated)})[0].deliveries[0]).size() ==
      1);
}

TEST_CASE("a test is an incident that begins: one that only ends proves nothing") {
  const AlertMessage test = test_message({"it", "pagerduty"}, monday);
  const auto pager = parcels_to("pagerduty", {test});
  REQUIRE(pager[0].deliveries.size() == 2);
  CHECK(body_of(pager[0].deliveries[0])["event_action"] == "trigger");
  CHECK(body_of(pager[0].deliveries[1])["event_action"] == "resolve");
  CHECK(body_of(pager[0].deliveries[0])["dedup_key"] ==
        body_of(pager[0].deliveries[1])["dedup_key"]);
  const json alert = body_of(parcels_to("alertmanager", {test})[0].deliveries[0])[0];
  CHECK(alert["startsAt"] == "2026-11-23T09:00:05Z");
  CHECK(alert["endsAt"] == "2026-11-23T09:05:05Z");
  // The monthly one pages nobody.
  AlertMessage trial = test;
  trial.finding.code = "ALERT_TRIAL";
  CHECK(parcels_to("pagerduty", {trial})[0].deliveries.size() == 1);
}

TEST_CASE("what is too long for one message is sent as several, and none is left out") {
  for (const std::string type : {"ntfy", "slack"}) {
    CAPTURE(type);
    const std::size_t longest = type == "ntfy" ? 4096 : 40000;
    std::vector<AlertMessage> many;
    for (int i = 0; i < 300; ++i) {
      many.push_back(message(AlertNews::raised));
      many.back().finding.summary = "number " + std::to_string(i) + ": " + std::string(200, 'x');
    }
    many.push_back(message(AlertNews::raised));
    many.back().finding.evidence = std::string(100000, 'y');
    std::size_t told = 0;
    std::string all;
    const auto parcels = parcels_to(type, many);
    CHECK(parcels.size() > 1);
    for (const AlertParcel& parcel : parcels) {
      const std::string body = std::get<acme::HttpRequest>(parcel.deliveries.front()).body;
      CHECK(body.size() <= longest);
      told += parcel.messages.size();
      all += body;
    }
    CHECK(told == many.size());
    for (int i = 0; i < 300; ++i) {
      CHECK(all.find("number " + std::to_string(i) + ":") != std::string::npos);
    }
  }
}

TEST_CASE("nothing in a finding becomes a link or a name at Slack") {
  AlertMessage hostile = message(AlertNews::raised);
  hostile.finding.summary = "<!channel> & <https://evil.test|here>";
  const std::string text = body_of(parcels_to("slack", {hostile})[0].deliveries[0])["text"];
  CHECK(text.find("&lt;!channel&gt; &amp; &lt;https://evil.test|here&gt;") != std::string::npos);
  CHECK(text.find('<') == std::string::npos);
}

TEST_CASE("ntfy gets a title and a priority") {
  const Sent sent("ntfy", AlertNews::raised, {{"url", "https://ntfy.test/topic"}});
  CHECK(sent.header("Priority") == "5");
  CHECK(sent.header("Title").find("NOT_SERVED") != std::string::npos);
  CHECK(Sent("ntfy", AlertNews::resolved).header("Priority") == "3");
}

TEST_CASE("mail goes to all recipients, and nothing in it begins a header of its own [RFC 5322]") {
  const Sent sent("email", AlertNews::raised, {{"smtp", "smtp://mail.test:587"}});
  const auto& mail = std::get<MailMessage>(sent.deliveries.front());
  CHECK(mail.server == "smtp://mail.test:587");
  CHECK(mail.password == "PASS");
  CHECK(mail.from == "nolapse@web1");
  CHECK(mail.to == std::vector<std::string>{"ops@shop.test", "cto@shop.test"});
  CHECK(mail.content.find("Date: Mon, 23 Nov 2026 09:00:05 +0000\r\n") != std::string::npos);
  CHECK(mail.content.find("To: ops@shop.test, cto@shop.test\r\n") != std::string::npos);
  CHECK(mail.content.find("PASS") == std::string::npos);
  AlertMessage hostile = message(AlertNews::raised);
  hostile.finding.summary = "x\r\nBcc: everybody@evil.test\r\n\r\nbody";
  AlertChannel channel{"it", "email", {}, {"ops@shop.test"}};
  const auto deliveries = deliveries_of(channel, {hostile}, {"web1", {}, {}, monday, 1});
  const std::string content = std::get<MailMessage>(deliveries.front()).content;
  CHECK(content.find("\r\nBcc") == std::string::npos);
  // Every line ends in CRLF.
  for (std::size_t at = 0; (at = content.find('\n', at)) != std::string::npos; ++at) {
    CHECK(content[at - 1] == '\r');
  }
}

TEST_CASE("what only some recipients have not got is a mail of its own, to them alone") {
  const AlertChannel channel{"it", "email", {}, {"ops@shop.test", "cto@shop.test"}};
  AlertMessage left = message(AlertNews::raised);
  left.refusals = 1;
  left.refusal = "not taken for all: cto@shop.test is refused: 450 greylisted";
  const auto parcels =
      parcels_of(channel, {left, message(AlertNews::raised), left}, {"web1", {}, {}, monday, 1});
  REQUIRE(parcels.size() == 2);
  CHECK(parcels[0].messages.size() == 1);
  CHECK(std::get<MailMessage>(parcels[0].deliveries[0]).to == channel.to);
  CHECK(parcels[1].messages.size() == 2);
  CHECK(std::get<MailMessage>(parcels[1].deliveries[0]).to ==
        std::vector<std::string>{"cto@shop.test"});
}

TEST_CASE("a program gets the news as its argument and the rest in its environment") {
  const Sent sent("exec", AlertNews::escalated, {{"program", "/usr/local/bin/tell"}}, 2);
  CHECK(sent.deliveries.size() == 2);
  const auto& process = std::get<ProcessSpec>(sent.deliveries.front());
  CHECK(process.argv == std::vector<std::string>{"/usr/local/bin/tell", "escalated"});
  CHECK(process.environment.at("NOLAPSE_CODE") == "NOT_SERVED");
  CHECK(process.environment.at("NOLAPSE_NAME") == "shop");
  CHECK(process.environment.at("NOLAPSE_FIX") == "nolapse deploy shop");
}

TEST_CASE("syslog gets a line with its priority") {
  const auto words = [](AlertNews news) {
    return std::get<ProcessSpec>(Sent("syslog", news).deliveries.front()).argv;
  };
  CHECK(words(AlertNews::raised)[4] == "daemon.err");
  CHECK(words(AlertNews::resolved)[4] == "daemon.notice");
  // Without that it is content where nobody listens.
  CHECK(words(AlertNews::raised)[5] == "--socket-errors=on");
  CHECK(words(AlertNews::raised)[6] == "--");
}

namespace {

AlertMessage report_message() {
  Finding finding{"REPORT",
                  {},
                  "2026-10",
                  FindingSeverity::ok,
                  "report of web1: all 3 certificates are provably renewed",
                  "all 3 certificates are provably renewed\nrenewals 3",
                  {}};
  return {"it", AlertNews::report, std::move(finding), monday};
}

std::vector<AlertDelivery> report_to(const std::string& type, const std::string& page,
                                     std::size_t alerts = 0) {
  AlertChannel channel{
      "it", type, {{"url", "https://hook.test/x"}, {"program", "/bin/tell"}}, {"ops@shop.test"}};
  AlertSender sender{
      "web1", {{"url_file", "https://hooks.test/s"}}, std::chrono::hours(24), monday, 7};
  sender.reports["2026-10"] = {"all 3 are fine\n", page, page.empty() ? "it is too large" : ""};
  std::vector<AlertMessage> messages(alerts, message(AlertNews::raised));
  messages.push_back(report_message());
  return deliveries_of(channel, messages, sender);
}

}  // namespace

TEST_CASE("a report comes by mail as text with the page attached [RFC 2046 §5.1.3]") {
  const auto deliveries = report_to("email", std::string(1000, 'x') + "<html>", 2);
  REQUIRE(deliveries.size() == 2);
  CHECK(std::get<MailMessage>(deliveries[0]).content.find("NOT_SERVED") != std::string::npos);
  const std::string content = std::get<MailMessage>(deliveries[1]).content;
  CHECK(content.find("Subject: [nolapse] report of web1: all 3 certificates") != std::string::npos);
  CHECK(content.find("NOT_SERVED") == std::string::npos);
  CHECK(content.find("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"nolapse-7\""
                     "\r\n\r\n--nolapse-7\r\nContent-Type: text/plain; charset=utf-8") !=
        std::string::npos);
  CHECK(content.find("\r\n\r\nall 3 are fine\r\n") != std::string::npos);
  CHECK(content.find("filename=\"nolapse-2026-10.html\"") != std::string::npos);
  CHECK(content.ends_with("\r\n--nolapse-7--\r\n"));
  CHECK(content.find("eHh4eHh4") != std::string::npos);
  for (std::size_t at = 0, before = 0; (at = content.find('\n', at)) != std::string::npos; ++at) {
    CHECK(content[at - 1] == '\r');
    CHECK(at - before <= 999);
    before = at;
  }
}

TEST_CASE("a report whose page cannot be attached comes without it, and says why") {
  const auto deliveries = report_to("email", "");
  REQUIRE(deliveries.size() == 1);
  const std::string content = std::get<MailMessage>(deliveries[0]).content;
  CHECK(content.find("multipart") == std::string::npos);
  CHECK(content.find("it is too large") != std::string::npos);
}

TEST_CASE("the other channels get a report's headline and first lines") {
  const auto hook = report_to("webhook", "x");
  const json body = json::parse(std::get<acme::HttpRequest>(hook.front()).body);
  CHECK(body["messages"][0]["news"] == "report");
  CHECK(body["messages"][0]["severity"] == "info");
  CHECK(body["messages"][0]["subject"] == "2026-10");
  const auto slack = report_to("slack", "x");
  const std::string text = json::parse(std::get<acme::HttpRequest>(slack.front()).body)["text"];
  CHECK(text.find("all 3 certificates are provably renewed\nrenewals 3\n") != std::string::npos);
  const auto ntfy = report_to("ntfy", "x");
  CHECK(std::get<acme::HttpRequest>(ntfy.front()).headers[1].value == "3");
  const auto program = report_to("exec", "x");
  CHECK(std::get<ProcessSpec>(program.front()).argv[1] == "report");
  const auto syslog = report_to("syslog", "x");
  CHECK(std::get<ProcessSpec>(syslog.front()).argv[4] == "daemon.notice");
  CHECK(std::get<ProcessSpec>(syslog.front()).argv[7] ==
        "report of web1: all 3 certificates are provably renewed");
}
