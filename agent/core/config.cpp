// Two passes over all files: first the sections are collected as written, then definitions are
// read before the certificates that refer to them. A problem never ends the work; only a file that
// cannot be parsed is left out, and references that it might define are then not complained about.
#include "agent/core/config.h"

#include <algorithm>
#include <deque>

#include "agent/core/config_files.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

// The sections of all files, still as written.
struct Sections {
  struct Numbered {
    const ConfigNode* table;
    int number;  // among those of its kind in its file
  };
  std::vector<Numbered> cas;
  std::vector<Numbered> certificates;
  std::vector<const ConfigNode*> challenges;
  std::vector<const ConfigNode*> targets;
  std::vector<Numbered> watches;
};

// Control characters from a broken file must not reach a terminal or split a log line.
std::string visible(const std::string& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    if (has_control_characters({&c, 1})) {
      const auto octet = static_cast<unsigned char>(c);
      result += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    } else {
      result += c;
    }
  }
  return result;
}

void report_unreadable(const std::string& file, bool main_file, const Error& error,
                       ConfigProblems& problems) {
  const std::string other =
      main_file ? "name another with `nolapse --config FILE` or $NOLAPSE_CONFIG" : "remove it";
  if (error.code == "FILE_MISSING" && !main_file) {
    problems.add({file, 0}, "", "is a symbolic link to nothing",
                 "correct its target, or remove it");
  } else if (error.code == "FILE_MISSING") {
    problems.add({file, 0}, "", "there is no configuration file here", "create it, or " + other);
  } else if (error.code == "PERMISSION_DENIED") {
    problems.add({file, 0}, "", "permission denied to the user who runs nolapse",
                 "run nolapse as root or as the file's owner, or " + other);
  } else {
    problems.add({file, 0}, "", error.message, "put a readable file here, or " + other);
  }
}

// Nothing when the file has been reported.
std::optional<ConfigNode> read_document(const std::string& file, ConfigContext& context) {
  const bool main_file = context.config.files.empty();
  context.config.files.push_back(file);
  const auto text = context.files.read(file);
  if (text) {
    auto document = parse_config(file, *text);
    if (document) return std::move(*document);
    context.problems.add(document.error());
  } else {
    report_unreadable(file, main_file, text.error(), context.problems);
  }
  context.complete = false;
  return {};
}

void collect_list(ConfigSection& top, const std::string& kind,
                  std::vector<Sections::Numbered>& into) {
  const ConfigNode* list = top.find(kind);
  if (list == nullptr) return;
  const std::string fix = "write each one as [[" + kind + "]] with name = \"...\"";
  if (list->kind != ConfigNode::Kind::list) {
    top.problem_at(*list, kind, "must be a list of tables", fix);
    return;
  }
  int number = 0;
  for (const ConfigNode& item : list->children) {
    ++number;
    if (item.kind == ConfigNode::Kind::table) {
      into.push_back({&item, number});
    } else {
      top.problem_at(item, kind, "holds something else than a table", fix);
    }
  }
}

void collect_tables(ConfigSection& top, const std::string& kind,
                    std::vector<const ConfigNode*>& into) {
  const ConfigNode* table = top.find(kind);
  if (table == nullptr) return;
  const std::string fix = "write each one as [" + kind + ".NAME]";
  if (table->kind != ConfigNode::Kind::table) {
    top.problem_at(*table, kind, "must be a table of named tables", fix);
    return;
  }
  for (const ConfigNode& child : table->children) {
    if (child.kind == ConfigNode::Kind::table) {
      into.push_back(&child);
    } else {
      top.problem_at(child, kind + "." + child.key, "stands outside a named section", fix);
    }
  }
}

void collect_sections(ConfigSection& top, Sections& sections) {
  collect_list(top, "ca", sections.cas);
  collect_tables(top, "challenge", sections.challenges);
  collect_list(top, "certificate", sections.certificates);
  collect_tables(top, "deploy", sections.targets);
  collect_list(top, "watch", sections.watches);
  top.refuse_unknown_keys();
}

// Without any [challenge.X] the simplest way there is: a listener of our own on the port where
// the CA connects.
void add_default_challenge(ConfigContext& context) {
  if (!context.first_challenge.empty()) return;
  ChallengeConfig challenge;
  challenge.name = "http-01";
  challenge.type = "http-01";
  challenge.listen = "[::]:80";
  context.first_challenge = challenge.name;
  context.defined["challenge"].emplace(challenge.name, ConfigPlace{});
  context.config.challenges.emplace(challenge.name, challenge);
}

void read_sections(const Sections& sections, ConfigContext& context) {
  for (const auto& [table, number] : sections.cas) read_ca(*table, number, context);
  for (const ConfigNode* table : sections.challenges) read_challenge(*table, context);
  for (const ConfigNode* table : sections.targets) read_deploy_target(*table, context);
  add_default_challenge(context);
  for (const auto& [table, number] : sections.certificates) {
    read_certificate(*table, number, context);
  }
  for (const auto& [table, number] : sections.watches) read_watch(*table, number, context);
  if (context.complete && sections.cas.empty() && !sections.certificates.empty()) {
    context.problems.add({context.config.files.front(), 0}, "ca",
                         "there are certificates, and no CA to get them from",
                         "add a [[ca]] with name, directory and terms_of_service_agreed");
  }
}

void read_files(const std::string& main_file, ConfigContext& context) {
  const auto main_document = read_document(main_file, context);
  if (!main_document) return;
  ConfigSection main_top(*main_document, "", "", context.problems);
  const auto included = read_settings(main_top, context);
  Sections sections;
  collect_sections(main_top, sections);

  std::deque<ConfigNode> documents;  // the sections point into them
  for (const std::string& file : included) {
    auto document = read_document(file, context);
    if (!document) continue;
    documents.push_back(std::move(*document));
    ConfigSection top(documents.back(), "", "", context.problems);
    refuse_settings(top, main_file);
    collect_sections(top, sections);
  }
  read_sections(sections, context);
}

}  // namespace

const CaConfig* Config::find_ca(const std::string& name) const {
  const auto found =
      std::find_if(cas.begin(), cas.end(), [&](const CaConfig& ca) { return ca.name == name; });
  return found == cas.end() ? nullptr : &*found;
}

const CaConfig* Config::find_issuer(const std::string& name, const std::string& directory) const {
  const CaConfig* named = find_ca(name);
  if (named != nullptr && named->directory == directory) return named;
  const auto found = std::find_if(cas.begin(), cas.end(), [&](const CaConfig& ca) {
    return ca.directory == directory && !directory.empty();
  });
  return found == cas.end() ? named : &*found;
}

const CertificateSpec* Config::find_certificate(const std::string& name) const {
  const auto found = std::find_if(certificates.begin(), certificates.end(),
                                  [&](const CertificateSpec& spec) { return spec.name == name; });
  return found == certificates.end() ? nullptr : &*found;
}

std::vector<std::string> Config::with_families(const std::vector<std::string>& names) const {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    all.push_back(name);
    for (const CertificateSpec& spec : certificates) {
      if (spec.family == name && spec.name != name) all.push_back(spec.name);
    }
  }
  return all;
}

std::string ConfigProblem::text() const {
  std::string result = file;
  if (line != 0) result += ":" + std::to_string(line);
  result += ": ";
  if (!key.empty()) result += key + ": ";
  return visible(result + reason + "; " + fix);
}

ConfigResult load_config(const Files& files, const std::string& path,
                         const std::string& state_directory, ConfigUse use) {
  ConfigContext context{files, use};
  context.config.hook_directory = NOLAPSE_HOOK_DIRECTORY;
  read_files(resolve_path(".", path), context);
  if (!state_directory.empty()) context.config.state_directory = state_directory;
  ConfigResult result;
  result.problems = context.problems.take(context.config.files);
  result.config = std::move(context.config);
  return result;
}

}  // namespace nolapse
