// [deploy.NAME]: where certificates go and which hook takes them there. The hook is looked at
// here, because the night of the first renewal is the wrong moment to learn that it is missing.
#include <algorithm>

#include "agent/core/config_files.h"
#include "agent/core/config_parts.h"
#include "agent/core/deployment_rules.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

std::vector<std::string> hooks_in(const Files& files, const std::string& directory) {
  std::vector<std::string> hooks;
  const auto names = files.list(directory);
  if (!names) return hooks;
  for (const std::string& name : *names) {
    const auto status = status_through_links(files, directory + "/" + name);
    if (status && status->kind == FileStatus::Kind::file && status->executable) {
      hooks.push_back(name);
    }
  }
  return hooks;
}

void missing_hook(ConfigSection& section, const std::string& written, const std::string& path,
                  const ConfigContext& context) {
  if (written.front() == '/') {
    section.problem("hook", path + " does not exist", "create it, or correct the path");
    return;
  }
  const std::string& directory = context.config.hook_directory;
  const auto hooks = hooks_in(context.files, directory);
  section.problem("hook", "there is no hook \"" + written + "\" in " + directory,
                  hooks.empty() ? "write an absolute path, or set hook_directory to where the "
                                  "hooks are installed"
                                : suggest(written, hooks));
}

// A program, or for certbot's kind also the folder in which such programs lie.
bool is_hook_folder(const FileStatus& status, HookKind kind) {
  return kind == HookKind::certbot && status.kind == FileStatus::Kind::directory;
}

// The hook service judges what it runs, whatever this user may. Where it does not listen, what this
// user cannot run cannot be run at all.
RunBy runner_of(const DeployTarget& target, const ConfigContext& context) {
  if (target.user.empty()) return RunBy::this_user;
  const auto socket = context.files.status(context.config.hook_socket);
  return socket && socket->kind == FileStatus::Kind::other ? RunBy::somebody_else
                                                           : RunBy::this_user;
}

std::string read_hook(ConfigSection& section, const DeployTarget& target,
                      const ConfigContext& context) {
  const auto hook = section.text("hook");
  if (!hook) {
    if (section.table().find("hook") == nullptr) {
      section.problem("hook", "this target has no hook", "add hook = \"NAME\"");
    }
    return {};
  }
  if (hook->front() != '/' && !is_valid_name(*hook)) {
    section.problem(
        "hook", "\"" + *hook + "\" is neither a hook's name nor an absolute path",
        "write a name in " + context.config.hook_directory + ", or a path that begins with /");
    return {};
  }
  const std::string path = resolve_path(context.config.hook_directory, *hook);
  if (context.use == ConfigUse::look) return path;
  const auto status = status_through_links(context.files, path);
  if (!status && status.error().code == "FILE_MISSING") {
    missing_hook(section, *hook, path, context);
  } else if (status && is_hook_folder(*status, target.kind)) {
    return path;
  } else if (target.kind == HookKind::acme_sh) {
    // It is read by the shim and need not be executable itself.
  } else {
    check_executable(section, "hook", path, context, runner_of(target, context));
  }
  return path;
}

HookKind read_kind(ConfigSection& section) {
  const auto word = section.text("kind");
  if (!word) return HookKind::nolapse;
  const auto kind = parse_hook_kind(*word);
  if (!kind) {
    section.problem("kind", "\"" + *word + "\" is no kind of hook",
                    suggest(*word, {"nolapse", "certbot", "dehydrated", "acme.sh"}));
  }
  return kind.value_or(HookKind::nolapse);
}

std::optional<DailyWindow> read_window(ConfigSection& section) {
  const auto text = section.text("window");
  if (!text) return {};
  const auto window = parse_window(*text);
  if (!window) {
    section.problem("window", "\"" + *text + "\" is no part of a day",
                    "write two times of day, such as \"02:00-05:00\"");
  }
  return window;
}

// One target for each host. Names of hosts become file names.
std::vector<DeployTarget> targets_of(ConfigSection& section, const DeployTarget& target) {
  const auto hosts = section.texts("hosts", false);
  if (!hosts) return {target};
  std::vector<DeployTarget> targets;
  for (const ConfigNode* host : *hosts) {
    if (!is_valid_name(host->text)) {
      section.problem_at(*host, "hosts", "\"" + host->text + "\" is no name of a host", name_rule);
      continue;
    }
    targets.push_back(target);
    targets.back().host = host->text;
    targets.back().name = target.section + "@" + host->text;
  }
  if (hosts->empty()) section.problem("hosts", "the list is empty", "name a host, or remove hosts");
  return targets;
}

}  // namespace

void read_deploy_target(const ConfigNode& table, ConfigContext& context) {
  ConfigSection section(table, "deploy", "deploy." + table.key, context.problems);
  if (!define_name(section, table.key, "", context)) return;
  DeployTarget target;
  target.name = table.key;
  target.section = table.key;
  target.kind = read_kind(section);
  target.user = read_user(section);
  target.hook = read_hook(section, target, context);
  if (target.kind == HookKind::acme_sh) target.shim = read_path(section, "shim");
  target.window = read_window(section);
  target.parallel = section.number("parallel", 1, 64).value_or(target.parallel);
  target.timeout =
      section.duration("timeout", std::chrono::seconds(1), std::chrono::hours(1), "from 1s to 1h")
          .value_or(target.timeout);
  read_environment(section, target.environment);
  const auto targets = targets_of(section, target);
  section.refuse_unknown_keys();
  for (const DeployTarget& each : targets) context.config.targets.emplace(each.name, each);
}

}  // namespace nolapse
