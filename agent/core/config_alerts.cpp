// [alerts] and its channels: who is told, when, and by which way. What each way needs is a row of
// keys. Stands in the main file only.
#include <algorithm>
#include <array>
#include <string_view>

#include "agent/core/config_endpoint.h"
#include "agent/core/config_parts.h"
#include "agent/core/nearest.h"

namespace nolapse {
namespace {

enum class Value {
  text,
  file,  // a secret, readable by nolapse
  url,
  program,
  smtp,  // "smtp://HOST:PORT"
  facility,
  roots,
};

struct ChannelKey {
  std::string_view type;
  std::string_view key;
  Value value = Value::text;
  bool required = false;
};

constexpr std::array channel_keys = {
    ChannelKey{"email", "smtp", Value::smtp, true},
    ChannelKey{"email", "from"},  // default: nolapse@ this host
    ChannelKey{"email", "username"},
    ChannelKey{"email", "password_file", Value::file},
    ChannelKey{"email", "roots", Value::roots},
    ChannelKey{"webhook", "url", Value::url, true},
    ChannelKey{"webhook", "token_file", Value::file},
    ChannelKey{"webhook", "roots", Value::roots},
    ChannelKey{"slack", "url_file", Value::file, true},  // whoever has the URL may write
    ChannelKey{"slack", "roots", Value::roots},
    ChannelKey{"pagerduty", "routing_key_file", Value::file, true},
    ChannelKey{"pagerduty", "url", Value::url},  // default: PagerDuty's
    ChannelKey{"pagerduty", "roots", Value::roots},
    ChannelKey{"alertmanager", "url", Value::url, true},
    ChannelKey{"alertmanager", "token_file", Value::file},
    ChannelKey{"alertmanager", "roots", Value::roots},
    ChannelKey{"ntfy", "url", Value::url, true},
    ChannelKey{"ntfy", "token_file", Value::file},
    ChannelKey{"ntfy", "roots", Value::roots},
    ChannelKey{"exec", "program", Value::program, true},
    ChannelKey{"syslog", "facility", Value::facility},
};

const std::vector<std::string> channel_types = {"email",        "webhook", "slack", "pagerduty",
                                                "alertmanager", "ntfy",    "exec",  "syslog"};

// Those that a program may log to.
const std::vector<std::string> facilities = {"auth",   "authpriv", "cron",   "daemon", "ftp",
                                             "lpr",    "mail",     "news",   "syslog", "user",
                                             "uucp",   "local0",   "local1", "local2", "local3",
                                             "local4", "local5",   "local6", "local7"};

// Without a port the one of its scheme is meant.
bool is_mail_server(const std::string& url) {
  const bool tls = url.starts_with("smtps://");
  if (!tls && !url.starts_with("smtp://")) return false;
  std::string place = url.substr(url.find("://") + 3);
  while (place.ends_with('/')) place.pop_back();
  const bool has_port = place.find(':', place.rfind(']') + 1) != std::string::npos;
  return parse_host_port(has_port ? place : place + ":25").has_value();
}

std::string read_facility(ConfigSection& section) {
  const auto facility = section.text("facility");
  if (!facility) return {};
  if (std::find(facilities.begin(), facilities.end(), *facility) == facilities.end()) {
    section.problem("facility", "\"" + *facility + "\" is no facility of syslog",
                    suggest(*facility, facilities));
  }
  return *facility;
}

// One without the other is silently not used.
void check_login(ConfigSection& section, const ConfigNode& table) {
  const bool name = table.find("username") != nullptr;
  const bool password = table.find("password_file") != nullptr;
  if (name == password) return;
  section.problem(name ? "username" : "password_file",
                  name ? "needs a password" : "needs a user name",
                  name ? "add password_file = \"/etc/nolapse/smtp.password\", or remove it"
                       : "add username = \"...\", or remove it");
}

std::string read_smtp(ConfigSection& section) {
  const std::string url = section.text("smtp").value_or("");
  if (url.empty()) return {};
  if (!is_mail_server(url)) {
    section.problem("smtp", "\"" + url + "\" is no mail server",
                    "write \"smtp://HOST:587\" (STARTTLS) or \"smtps://HOST:465\"; user and "
                    "password have keys of their own");
  }
  return url;
}

std::string read_value(ConfigSection& section, const ChannelKey& key,
                       const ConfigContext& context) {
  const std::string name(key.key);
  switch (key.value) {
    case Value::file:
    case Value::roots:
      return read_readable_file(section, name, context);
    case Value::url:
      return read_service_url(section, name);
    case Value::program:
      return read_program(section, name, context);
    case Value::smtp:
      return read_smtp(section);
    case Value::facility:
      return read_facility(section);
    case Value::text:
      break;
  }
  return section.text(name).value_or("");
}

void read_recipients(ConfigSection& section, AlertChannel& channel) {
  const auto recipients = section.texts("to", true);
  if (!recipients) {
    if (section.table().find("to") == nullptr) {
      section.problem("to", "is missing, and email needs it", "add to = [\"ops@shop.example\"]");
    }
    return;
  }
  for (const ConfigNode* recipient : *recipients) {
    const std::size_t at = recipient->text.find('@');
    if (at == std::string::npos || at == 0 || at + 1 == recipient->text.size() ||
        recipient->text.find_first_of(" <>,\r\n") != std::string::npos) {
      section.problem_at(*recipient, "to", "\"" + recipient->text + "\" is no mail address",
                         "write one such as \"ops@shop.example\"");
    }
    channel.to.push_back(recipient->text);
  }
}

void read_channel(const ConfigNode& table, int number, ConfigContext& context) {
  ConfigSection section(table, "channel", "alerts.channel." + std::to_string(number),
                        context.problems);
  AlertChannel channel;
  channel.name = read_name(section, number, context);
  if (!channel.name.empty()) section.rename("alerts.channel." + channel.name);
  const auto type = section.text("type");
  if (!type) {
    if (table.find("type") == nullptr) {
      section.problem("type", "this channel does not say what it is",
                      "add type = \"email\", or another of " + list_words(channel_types));
    }
    return;
  }
  channel.type = *type;
  if (std::find(channel_types.begin(), channel_types.end(), *type) == channel_types.end()) {
    section.problem("type", "\"" + *type + "\" is no way to tell anybody",
                    suggest(*type, channel_types));
    return;
  }
  for (const ChannelKey& key : channel_keys) {
    if (key.type != *type) continue;
    const std::string name(key.key);
    std::string value = read_value(section, key, context);
    if (!value.empty()) channel.settings.emplace(name, std::move(value));
    if (key.required && table.find(name) == nullptr) {
      section.problem(name, "is missing, and " + *type + " needs it",
                      "add " + name + " = \"...\" as the README shows");
    }
  }
  if (*type == "email") {
    read_recipients(section, channel);
    check_login(section, table);
  }
  channel.timeout =
      section.duration("timeout", std::chrono::seconds(1), std::chrono::minutes(5), "from 1s to 5m")
          .value_or(channel.timeout);
  section.refuse_unknown_keys();
  context.config.alerts.channels.push_back(std::move(channel));
}

void read_expiry_days(ConfigSection& section, AlertsConfig& alerts) {
  const ConfigNode* list = section.find("expiry_days");
  if (list == nullptr) return;
  bool good = list->kind == ConfigNode::Kind::list && list->children.size() == 3;
  std::int64_t before = 1000;
  for (std::size_t i = 0; good && i < 3; ++i) {
    const ConfigNode& item = list->children[i];
    good = item.kind == ConfigNode::Kind::integer && item.number >= 1 && item.number < before;
    before = item.number;
    if (good) alerts.expiry_days[i] = std::chrono::hours(24 * item.number);
  }
  if (good) return;
  section.problem_at(*list, "expiry_days", "must be three numbers of days that get smaller",
                     "write [30, 15, 7]");
}

void read_report_period(ConfigSection& section, AlertsConfig& alerts) {
  const auto period = section.text("report");
  if (!period) return;
  if (*period == "monthly") {
    alerts.report = ReportPeriod::monthly;
  } else if (*period == "weekly") {
    alerts.report = ReportPeriod::weekly;
  } else if (*period == "never") {
    alerts.report = ReportPeriod::never;
  } else {
    section.problem("report", "\"" + *period + "\" is not how often a report can come",
                    suggest(*period, {"monthly", "weekly", "never"}));
  }
}

void read_channels(ConfigSection& section, ConfigContext& context) {
  const ConfigNode* channels = section.find("channel");
  if (channels == nullptr) return;
  const std::string fix = "write each one as [[alerts.channel]]";
  if (channels->kind != ConfigNode::Kind::list) {
    section.problem_at(*channels, "channel", "must be a list of tables", fix);
    return;
  }
  int number = 0;
  for (const ConfigNode& channel : channels->children) {
    if (channel.kind != ConfigNode::Kind::table) {
      section.problem_at(channel, "channel", "holds something else than a table", fix);
      continue;
    }
    read_channel(channel, ++number, context);
  }
}

}  // namespace

void read_alerts(ConfigSection& top, ConfigContext& context) {
  const ConfigNode* table = top.find("alerts");
  if (table == nullptr) return;
  if (table->kind != ConfigNode::Kind::table) {
    top.problem("alerts", "must be a table", "write [alerts], and [[alerts.channel]] below it");
    return;
  }
  ConfigSection section(*table, "alerts", "alerts", context.problems);
  AlertsConfig& alerts = context.config.alerts;
  read_expiry_days(section, alerts);
  alerts.repeat =
      section
          .duration("repeat", std::chrono::minutes(5), std::chrono::hours(24 * 7), "from 5m to 7d")
          .value_or(alerts.repeat);
  read_report_period(section, alerts);
  alerts.heartbeat_url = read_service_url(section, "heartbeat_url");
  read_channels(section, context);
  section.refuse_unknown_keys();
}

}  // namespace nolapse
