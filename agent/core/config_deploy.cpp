// [deploy.NAME]: where certificates go and which hook takes them there. The hook is looked at
// here, because the night of the first renewal is the wrong moment to learn that it is missing.
#include <algorithm>

#include "agent/core/config_files.h"
#include "agent/core/config_not_yet.h"
#include "agent/core/config_parts.h"

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

std::string read_hook(ConfigSection& section, const ConfigContext& context) {
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
  } else {
    check_executable(section, "hook", path, context);
  }
  return path;
}

void read_kind(ConfigSection& section) {
  const auto kind = section.text("kind");
  if (!kind || *kind == "nolapse") return;
  if (is_not_yet_supported("deploy", "kind", *kind)) {
    section.problem("kind", "hooks of \"" + *kind + "\" are not supported by this version",
                    "wrap the hook in one that speaks nolapse's convention, and remove kind");
  } else {
    section.problem("kind", "\"" + *kind + "\" is no kind of hook", "write \"nolapse\"");
  }
}

}  // namespace

void read_deploy_target(const ConfigNode& table, ConfigContext& context) {
  ConfigSection section(table, "deploy", "deploy." + table.key, context.problems);
  if (!define_name(section, table.key, "", context)) return;
  DeployTarget target;
  target.name = table.key;
  target.hook = read_hook(section, context);
  read_kind(section);
  target.user = read_user(section);
  target.timeout =
      section.duration("timeout", std::chrono::seconds(1), std::chrono::hours(1), "from 1s to 1h")
          .value_or(target.timeout);
  read_environment(section, target.environment);
  section.refuse_unknown_keys();
  context.config.targets.emplace(target.name, target);
}

}  // namespace nolapse
