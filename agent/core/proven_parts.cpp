#include "agent/core/proven_parts.h"

#include "acme/base64url.h"
#include "agent/core/config_files.h"

namespace nolapse {
namespace {

constexpr const char* configuration_part = "the configuration";

void add_file(const Files& files, const std::string& what, const std::string& path,
              ProvenParts& parts) {
  const auto content = files.read(path);
  // A large program is told by its size.
  const auto status = status_through_links(files, path);
  parts[what + " " + path] = content  ? acme::base64url_encode(acme::sha256(*content))
                             : status ? "octets " + std::to_string(status->size)
                                      : "missing";
}

}  // namespace

ProvenParts parts_of(const CertificateSpec& spec, const Config& config, const Files& files) {
  ProvenParts parts{{configuration_part, digest_of(spec, config)}};
  for (const std::string& name : spec.deploy) {
    const auto target = config.targets.find(name);
    if (target == config.targets.end()) continue;
    const std::string& hook = target->second.hook;
    const auto status = status_through_links(files, hook);
    if (!status || status->kind != FileStatus::Kind::directory) {
      add_file(files, "hook", hook, parts);
      continue;
    }
    for (const std::string& each : files.list(hook).value_or(std::vector<std::string>{})) {
      add_file(files, "hook", hook + "/" + each, parts);
    }
  }
  for (const std::string& name : spec.challenges) {
    const auto challenge = config.challenges.find(name);
    if (challenge == config.challenges.end()) continue;
    for (const auto& [key, value] : challenge->second.settings) {
      const bool program = key == "program" || key == "script" || key == "shim" ||
                           key == "auth_hook" || key == "cleanup_hook";
      if (program) add_file(files, key, value, parts);
    }
  }
  return parts;
}

std::string changed_parts(const ProvenParts& before, const ProvenParts& now) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  for (const auto& [what, digest] : now) {
    const auto known = before.find(what);
    if (known == before.end() || known->second != digest) add(what);
  }
  return text;
}

}  // namespace nolapse
