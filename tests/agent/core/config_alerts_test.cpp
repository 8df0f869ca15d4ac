// [alerts] as text: what is accepted, and what each mistake is told.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

const std::string channel = "[[alerts.channel]]\nname = \"it\"\n";

}  // namespace

TEST_CASE("alerts have defaults, and every key of them has a place") {
  const Config empty = config_of("");
  CHECK(empty.alerts.channels.empty());
  CHECK(empty.alerts.repeat == std::chrono::hours(24));
  const Config config = config_of(
      "[alerts]\nreport = \"weekly\"\nexpiry_days = [40, 20, 5]\nrepeat = \"12h\"\n"
      "heartbeat_url = \"https://hc.test/ping\"\n" +
      channel +
      "type = \"email\"\nsmtp = \"smtp://mail.test:587\"\nto = [\"a@x.test\", \"b@x.test\"]\n"
      "timeout = \"10s\"\n[[alerts.channel]]\nname = \"web\"\ntype = \"webhook\"\n"
      "url = \"http://127.0.0.1:8080/x/\"\n");
  CHECK(config.alerts.expiry_days[0] == std::chrono::days(40));
  CHECK(config.alerts.expiry_days[2] == std::chrono::days(5));
  CHECK(config.alerts.repeat == std::chrono::hours(12));
  CHECK(config.alerts.report == ReportPeriod::weekly);
  CHECK(config.alerts.heartbeat_url == "https://hc.test/ping");
  REQUIRE(config.alerts.channels.size() == 2);
  CHECK(config.alerts.channels[0].to == std::vector<std::string>{"a@x.test", "b@x.test"});
  CHECK(config.alerts.channels[0].timeout == std::chrono::seconds(10));
  // The slash may mean something to the other side.
  CHECK(config.alerts.channels[1].settings.at("url") == "http://127.0.0.1:8080/x/");
}

TEST_CASE("what is wrong with an alert channel is told with its line") {
  const std::string days =
      ":2: alerts.expiry_days: must be three numbers of days that get smaller; "
      "write [30, 15, 7]";
  check_cases({
      {"[alerts]\nexpiry_days = [30]", {days}},
      {"[alerts]\nexpiry_days = [7, 15, 30]", {days}},
      {"[alerts]\nexpiry_days = \"30d\"", {days}},
      {"[alerts]\nrepeat = \"1s\"",
       {":2: alerts.repeat: \"1s\" is too short; write a duration from 5m to 7d"}},
      {"alerts = 1",
       {":1: alerts: must be a table; write [alerts], and [[alerts.channel]] below "
        "it"}},
      {channel + "type = \"pigeon\"",
       {":3: alerts.channel.it.type: \"pigeon\" is no way to tell anybody; use one of: email, "
        "webhook, slack, pagerduty, alertmanager, ntfy, exec, syslog"}},
      {channel + "type = \"webhook\"",
       {":1: alerts.channel.it.url: is missing, and webhook needs it; add url = \"...\" as the "
        "README shows"}},
      {channel + "type = \"webhook\"\nurl = \"http://elsewhere.test/x\"",
       {":4: alerts.channel.it.url: \"http://elsewhere.test/x\" is not an https URL; write "
        "https://HOST/PATH; http:// is for this host's own address only"}},
      {channel + "type = \"email\"\nsmtp = \"mail.test\"\nto = \"ops@x.test\"",
       {":4: alerts.channel.it.smtp: \"mail.test\" is no mail server; write "
        "\"smtp://HOST:587\" (STARTTLS) or \"smtps://HOST:465\"; user and password have keys of "
        "their own"}},
      {"[alerts]\nchannel = \"x\"",
       {":2: alerts.channel: must be a list of tables; write each one as [[alerts.channel]]"}},
      {"[alerts]\nchannel = 5",
       {":2: alerts.channel: must be a list of tables; write each one as [[alerts.channel]]"}},
      {"[alerts.channel]\ntype = \"syslog\"",
       {":1: alerts.channel: must be a list of tables; write each one as [[alerts.channel]]"}},
      {channel + "type = \"email\"\nsmtp = \"smtp://mail.test\"\nusername = \"me\"\n"
                 "to = \"ops@x.test\"",
       {":5: alerts.channel.it.username: needs a password; add password_file = "
        "\"/etc/nolapse/smtp.password\", or remove it"}},
      {channel + "type = \"syslog\"\nfacility = \"deamon\"",
       {":4: alerts.channel.it.facility: \"deamon\" is no facility of syslog; did you mean "
        "\"daemon\"? known are: auth, authpriv, cron, daemon, ftp, lpr, mail, news, syslog, user, "
        "uucp, local0, local1, local2, local3, local4, local5, local6, local7"}},
      {channel + "type = \"email\"\nsmtp = \"smtp://mail.test\"\nto = [\"ops\"]",
       {":5: alerts.channel.it.to: \"ops\" is no mail address; write one such as "
        "\"ops@shop.example\""}},
      {channel + "type = \"slack\"\nurl_file = \"/nowhere\"",
       {":4: alerts.channel.it.url_file: /nowhere does not exist; create it, or correct the path"}},
      {channel + "type = \"syslog\"\ncolour = \"red\"",
       {":4: alerts.channel.it.colour: unknown key; remove it; the nearest known key is "
        "\"timeout\""}},
  });
}

TEST_CASE("a mail server has a host, and a port from 1 to 65535 or its own") {
  const auto problems_with = [](const std::string& url) {
    return channel + "type = \"email\"\nto = \"ops@x.test\"\nsmtp = \"" + url + "\"";
  };
  for (const char* url :
       {"smtp://mail.test", "smtps://mail.test:465", "smtp://192.0.2.1:25",
        "smtp://[2001:db8::1]:587", "smtp://[2001:db8::1]", "smtp://m.test:25/"}) {
    CAPTURE(url);
    CHECK(config_of(problems_with(url)).alerts.channels.size() == 1);
  }
  for (const char* url : {"smtp://mail.test:99999", "smtp://:587", "smtp://mail.test:x", "smtp://",
                          "smtp://me@mail.test", "http://mail.test", "smtp://mail.test:0"}) {
    CAPTURE(url);
    check_cases({{problems_with(url),
                  {":5: alerts.channel.it.smtp: \"" + std::string(url) +
                   "\" is no mail server; write \"smtp://HOST:587\" (STARTTLS) or "
                   "\"smtps://HOST:465\"; user and password have keys of their own"}}});
  }
}

}  // namespace nolapse
