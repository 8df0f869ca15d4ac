// The readers of the global settings and of the kinds of sections, and what they share.
// Definitions are read before the certificates that refer to them, whatever file or line they stand
// in. A section with problems is still a definition: one mistake gives one message, not one more at
// every place that refers to it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/core/config_section.h"

namespace nolapse {

struct ConfigContext {
  const Files& files;
  ConfigUse use = ConfigUse::work;
  ConfigProblems problems = {};
  Config config = {};
  // Section word ("ca") to the names defined and where.
  std::map<std::string, std::map<std::string, ConfigPlace>> defined = {};
  std::string first_challenge = {};
  // False when a file could not be read: then a missing definition may well stand there.
  bool complete = true;
};

// The settings that only the main file may hold. Gives the files that it includes.
std::vector<std::string> read_settings(ConfigSection& top, ConfigContext& context);
void refuse_settings(ConfigSection& top, const std::string& main_file);

// Part of the settings.
void read_daemon(ConfigSection& top, ConfigContext& context);

// Part of the settings.
void read_alerts(ConfigSection& top, ConfigContext& context);

// Part of [challenge.NAME]: `provider` and what that one needs.
void read_dns_provider(ConfigSection& section, ChallengeConfig& challenge,
                       const ConfigContext& context);

// Part of [[ca]].
void read_rate_limits(ConfigSection& section, RateLimits& limits);

void read_ca(const ConfigNode& table, int number, ConfigContext& context);
void read_challenge(const ConfigNode& table, ConfigContext& context);
void read_deploy_target(const ConfigNode& table, ConfigContext& context);
void read_certificate(const ConfigNode& table, int number, ConfigContext& context);
void read_watch(const ConfigNode& table, int number, ConfigContext& context);

// Reads the `name` of a [[ca]] or [[certificate]], the `number`th of its file, defines it and
// renames the section after it. Empty when there is no usable name or another has it.
std::string read_name(ConfigSection& section, int number, ConfigContext& context);
// For sections named in their header: [challenge.NAME]. False when the name is not usable.
bool define_name(ConfigSection& section, const std::string& name, const std::string& key,
                 ConfigContext& context);

std::vector<std::string> defined_names(const ConfigContext& context, const std::string& kind);
// Is `node`'s text the name of a `kind` ("ca")? Reports it when not.
bool check_reference(ConfigSection& section, const ConfigNode& node, const std::string& key,
                     const std::string& kind, const ConfigContext& context);

// The path that a key names, resolved against the file's directory.
std::string read_path(ConfigSection& section, const std::string& key);
// The path of a file that the user who runs nolapse may read. What it holds is for others to judge.
std::string read_readable_file(ConfigSection& section, const std::string& key,
                               const ConfigContext& context);
// https, or http to this host; without user name and password.
std::string read_service_url(ConfigSection& section, const std::string& key);
// The absolute path of a program that this user may run.
std::string read_program(ConfigSection& section, const std::string& key,
                         const ConfigContext& context);
// Is it a program that this user may run? Reports it when not. Of one that somebody else will run
// only what this user can see is judged.
enum class RunBy { this_user, somebody_else };
void check_executable(ConfigSection& section, const std::string& key, const std::string& path,
                      const ConfigContext& context, RunBy run_by = RunBy::this_user);
// `env`: what a program's environment gets besides nolapse's own variables.
void read_environment(ConfigSection& section, std::map<std::string, std::string>& environment);
// `user`: whom a program runs as; empty: whoever runs nolapse.
std::string read_user(ConfigSection& section);
// `proxy`: the URL of one, without secrets in it.
std::string read_proxy(ConfigSection& section);
// A key type by name, or nothing after having reported a wrong one.
std::optional<acme::KeyType> read_key_type(ConfigSection& section, const std::string& key);
std::optional<acme::KeyType> key_type_of(ConfigSection& section, const ConfigNode& node,
                                         const std::string& key);

}  // namespace nolapse
