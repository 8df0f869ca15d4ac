#include "agent/core/config_section.h"

#include <algorithm>
#include <array>

#include "agent/core/config_not_yet.h"
#include "agent/core/nearest.h"

namespace nolapse {
namespace {

const char* describe(ConfigNode::Kind kind) {
  switch (kind) {
    case ConfigNode::Kind::string:
      return "a string";
    case ConfigNode::Kind::integer:
      return "a number";
    case ConfigNode::Kind::real:
      return "a number with a fraction";
    case ConfigNode::Kind::boolean:
      return "true or false";
    case ConfigNode::Kind::date:
      return "a date";
    case ConfigNode::Kind::list:
      return "a list";
    case ConfigNode::Kind::table:
      return "a table";
  }
  return "a table";
}

// The settings that stand above every section; written below one they belong to it.
constexpr std::array global_settings = {"state_dir", "contact", "include", "resolver",
                                        "hook_directory"};

bool is_global_setting(const std::string& key) {
  return std::find(global_settings.begin(), global_settings.end(), key) != global_settings.end();
}

}  // namespace

void ConfigProblems::add(const ConfigPlace& place, std::string key, std::string reason,
                         std::string fix) {
  problems_.push_back({place.file, place.line, std::move(key), std::move(reason), std::move(fix)});
}

std::vector<ConfigProblem> ConfigProblems::take(const std::vector<std::string>& files) {
  const auto rank = [&](const ConfigProblem& problem) {
    return std::pair(std::find(files.begin(), files.end(), problem.file) - files.begin(),
                     problem.line);
  };
  std::stable_sort(
      problems_.begin(), problems_.end(),
      [&](const ConfigProblem& a, const ConfigProblem& b) { return rank(a) < rank(b); });
  return std::move(problems_);
}

ConfigSection::ConfigSection(const ConfigNode& table, std::string kind, std::string path,
                             ConfigProblems& problems)
    : table_(table), kind_(std::move(kind)), path_(std::move(path)), problems_(problems) {}

const ConfigNode* ConfigSection::find(const std::string& key) {
  known_.push_back(key);
  return table_.find(key);
}

std::optional<std::string> ConfigSection::text(const std::string& key) {
  const ConfigNode* node = find(key);
  if (node == nullptr || !is_text(*node, key)) return {};
  return node->text;
}

std::optional<bool> ConfigSection::boolean(const std::string& key) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return {};
  if (node->kind == ConfigNode::Kind::boolean) return node->truth;
  wrong_type(*node, key, "true or false", "write " + key + " = true, without quotes");
  return {};
}

std::optional<std::uint16_t> ConfigSection::port(const std::string& key) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return {};
  if (node->kind != ConfigNode::Kind::integer) {
    wrong_type(*node, key, "a number", "write the port without quotes: " + key + " = 80");
    return {};
  }
  if (node->number < 1 || node->number > 65535) {
    problem_at(*node, key, std::to_string(node->number) + " is no port",
               "write a number from 1 to 65535");
    return {};
  }
  return static_cast<std::uint16_t>(node->number);
}

std::optional<unsigned> ConfigSection::number(const std::string& key, unsigned least,
                                              unsigned most) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return {};
  const std::string fix = "write a number from " + std::to_string(least) + " to " +
                          std::to_string(most) + ", without quotes";
  if (node->kind != ConfigNode::Kind::integer) {
    wrong_type(*node, key, "a number", fix);
    return {};
  }
  if (node->number < least || node->number > most) {
    problem_at(
        *node, key,
        std::to_string(node->number) + " is too " + (node->number < least ? "small" : "large"),
        fix);
    return {};
  }
  return static_cast<unsigned>(node->number);
}

std::optional<Duration> ConfigSection::duration(const std::string& key, Duration least,
                                                Duration most, const std::string& range) {
  constexpr const char* form =
      "write one number and one unit, such as \"90s\", \"15m\", \"12h\" "
      "or \"30d\"";
  const ConfigNode* node = find(key);
  if (node == nullptr) return {};
  if (node->kind != ConfigNode::Kind::string) {
    wrong_type(*node, key, "a duration in quotes", form);
    return {};
  }
  const auto value = acme::parse_duration(node->text);
  if (!value) {
    problem_at(*node, key, "\"" + node->text + "\" is no duration", form);
    return {};
  }
  if (*value < least || *value > most) {
    problem_at(*node, key,
               "\"" + node->text + "\" is " + (*value < least ? "too short" : "too long"),
               "write a duration " + range);
    return {};
  }
  return value;
}

std::optional<std::vector<const ConfigNode*>> ConfigSection::texts(const std::string& key,
                                                                   bool or_one) {
  const ConfigNode* node = find(key);
  if (node == nullptr) return {};
  std::vector<const ConfigNode*> good;
  if (or_one && node->kind == ConfigNode::Kind::string) {
    if (!is_text(*node, key)) return {};
    good.push_back(node);
    return good;
  }
  if (node->kind != ConfigNode::Kind::list) {
    wrong_type(*node, key, "a list of strings", "write " + key + " = [\"...\", \"...\"]");
    return {};
  }
  for (const ConfigNode& item : node->children) {
    if (!is_text(item, key)) continue;
    const bool repeated = std::any_of(good.begin(), good.end(), [&](const ConfigNode* other) {
      return other->text == item.text;
    });
    if (repeated) {
      problem_at(item, key, "\"" + item.text + "\" stands here twice", "remove one of them");
    } else {
      good.push_back(&item);
    }
  }
  return good;
}

void ConfigSection::problem(const std::string& key, std::string reason, std::string fix) {
  const ConfigNode* node = table_.find(key);
  problem_at(node != nullptr ? *node : table_, key, std::move(reason), std::move(fix));
}

void ConfigSection::problem_at(const ConfigNode& node, const std::string& key, std::string reason,
                               std::string fix) {
  problems_.add(node.place, path_of(key), std::move(reason), std::move(fix));
}

void ConfigSection::problem_at(const ConfigNode& node, const std::string& key, const Error& error,
                               std::string fix) {
  const std::size_t semicolon = error.message.rfind("; ");
  if (semicolon != std::string::npos) fix = error.message.substr(semicolon + 2);
  problem_at(node, key, error.message.substr(0, semicolon), std::move(fix));
}

void ConfigSection::not_supported(const ConfigNode& node, const std::string& key,
                                  const std::string& what, std::string fix) {
  problem_at(node, key, what + (what.empty() ? "" : " is ") + "not supported by this version",
             std::move(fix));
}

void ConfigSection::refuse_unknown_keys() {
  for (const ConfigNode& child : table_.children) {
    const std::string& key = child.key;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    if (is_not_yet_supported(kind_, key)) {
      not_supported(child, key, "", "remove it");
      continue;
    }
    if (!kind_.empty() && is_global_setting(key)) {
      problem_at(child, key, "unknown key",
                 "it is a global setting: move it above the first [section] of the main file");
      continue;
    }
    const Nearest guess = nearest(key, known_);
    problem_at(child, key, "unknown key",
               guess.likely ? "did you mean \"" + guess.word + "\"?"
                            : "remove it; the nearest known key is \"" + guess.word + "\"");
  }
}

std::string ConfigSection::path_of(const std::string& key) const {
  if (key.empty()) return path_;
  return path_.empty() ? key : path_ + "." + key;
}

bool ConfigSection::is_text(const ConfigNode& node, const std::string& key) {
  if (node.kind != ConfigNode::Kind::string) {
    wrong_type(node, key, "a string", "write it in double quotes");
    return false;
  }
  if (node.text.empty()) {
    problem_at(node, key, "is empty", "give it a value, or remove it");
    return false;
  }
  if (has_control_characters(node.text)) {
    problem_at(node, key, "holds a control character or line break", "write it on one line");
    return false;
  }
  return true;
}

void ConfigSection::wrong_type(const ConfigNode& node, const std::string& key,
                               const std::string& wanted, std::string fix) {
  problem_at(node, key, std::string("is ") + describe(node.kind) + ", but must be " + wanted,
             std::move(fix));
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet < 0x20 || octet == 0x7f;
  });
}

bool is_valid_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string suggest(const std::string& written, const std::vector<std::string>& known) {
  const Nearest guess = nearest(written, known);
  return (guess.likely ? "did you mean \"" + guess.word + "\"? known are: " : "use one of: ") +
         list_words(known);
}

}  // namespace nolapse
