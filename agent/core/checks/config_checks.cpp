// The configuration as it stands on the disk now, and who may read and write what belongs to it.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/config_files.h"

namespace nolapse {
namespace {

Finding finding(const char* code, std::string subject, FindingSeverity severity,
                std::string summary, std::string evidence, std::string fix) {
  return {code,           {}, std::move(subject), severity, std::move(summary), std::move(evidence),
          std::move(fix), {}};
}

// What is missing of hooks and programs is their own checks' to say.
bool is_about_a_tool(const ConfigProblem& problem) {
  return problem.key.ends_with(".hook") || problem.key.ends_with(".program") ||
         problem.key.ends_with(".script") || problem.key.ends_with("_hook") ||
         problem.key.ends_with(".shim");
}

std::vector<Finding> check_file(const CheckContext& context, const CheckSubject&) {
  std::vector<Finding> findings;
  if (!context.config_on_disk) return findings;
  for (const ConfigProblem& problem : context.config_on_disk->problems()) {
    if (is_about_a_tool(problem)) continue;
    findings.push_back(finding(
        "CONFIG_BROKEN", problem.file + ":" + std::to_string(problem.line), FindingSeverity::error,
        "the configuration on the disk cannot be used", problem.text(),
        "correct it, then: nolapse config check && systemctl reload nolapse"));
  }
  return findings;
}

std::vector<Finding> check_in_force(const CheckContext& context, const CheckSubject&) {
  const bool known = context.daemon && !context.daemon->configuration.empty();
  if (!known || !context.config_on_disk) return {};
  if (context.config_on_disk->digest() == context.daemon->configuration) return {};
  return {finding("CONFIG_NOT_TAKEN_UP", {}, FindingSeverity::warning,
                  "the daemon runs with an older configuration than the one on the disk",
                  context.config.files.front() + " or a file that it includes was changed",
                  "nolapse config check && systemctl reload nolapse")};
}

template <class Uses>
bool used_by_any(const Config& config, Uses uses) {
  return std::any_of(config.certificates.begin(), config.certificates.end(), uses);
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Finding> check_unused(const CheckContext& context, const CheckSubject&) {
  const Config& config = context.config;
  std::vector<Finding> findings;
  const auto unused = [&](const std::string& what, const std::string& key) {
    findings.push_back(finding("CONFIG_UNUSED", what, FindingSeverity::warning,
                               "no certificate uses the " + what + " of the configuration",
                               "it stands in [" + key + "] and is named nowhere",
                               "name it in a certificate, or remove the section"));
  };
  for (const CaConfig& ca : config.cas) {
    if (!used_by_any(config, [&](const auto& spec) { return has(spec.cas, ca.name); })) {
      unused("CA " + ca.name, "[ca]");
    }
  }
  for (const auto& [name, challenge] : config.challenges) {
    if (!used_by_any(config,
                     [&, &key = name](const auto& spec) { return has(spec.challenges, key); })) {
      unused("challenge " + name, "challenge." + name);
    }
  }
  std::vector<std::string> told;
  for (const auto& [name, target] : config.targets) {
    if (has(told, target.section) ||
        used_by_any(config, [&, &key = name](const auto& spec) { return has(spec.deploy, key); })) {
      continue;
    }
    told.push_back(target.section);
    unused("target " + target.section, "deploy." + target.section);
  }
  return findings;
}

// ---- access

constexpr unsigned others_write = 0002;
constexpr unsigned others_read = 0004;

std::vector<Finding> check_writable(const CheckContext& context, const CheckSubject&) {
  std::vector<std::string> paths = context.config.files;
  for (const std::string& file : context.config.files) {
    const std::string folder = directory_of(file);
    if (!has(paths, folder)) paths.push_back(folder);
  }
  for (const auto& [name, target] : context.config.targets) paths.push_back(target.hook);
  std::vector<Finding> findings;
  for (const std::string& path : paths) {
    const auto status = status_through_links(context.world.files, path);
    if (!status && is_denied(status.error())) {
      findings.push_back(
          not_known("CONFIG_WRITABLE", "nobody knows who may change " + path, status.error()));
      findings.back().subject = path;
    }
    if (!status || (status->mode & others_write) == 0 || (status->mode & 01000) != 0) continue;
    findings.push_back(finding("CONFIG_WRITABLE", path, FindingSeverity::error,
                               "anybody on this host may change " + path,
                               "its mode lets others write", "chmod o-w " + path));
  }
  return findings;
}

// A folder above that nobody may enter keeps what is below, whoever may read that.
bool is_shut_away(const CheckContext& context, const std::string& path) {
  for (std::string folder = directory_of(path); folder.size() > 1; folder = directory_of(folder)) {
    const auto above = status_through_links(context.world.files, folder);
    if (above && (above->mode & 0001) == 0) return true;
  }
  return false;
}

void look_at_secret(const CheckContext& context, const std::string& path, const std::string& what,
                    std::vector<Finding>& findings) {
  if (path.empty()) return;
  const auto status = status_through_links(context.world.files, path);
  const bool closed = status ? (status->mode & others_read) == 0 : !is_denied(status.error());
  if (closed || is_shut_away(context, path)) return;
  if (!status) {
    findings.push_back(
        not_known("SECRET_EXPOSED", "nobody knows who may read " + what, status.error()));
    findings.back().subject = path;
    return;
  }
  findings.push_back(finding("SECRET_EXPOSED", path, FindingSeverity::warning,
                             "anybody on this host may read " + what, path,
                             "chmod o= " + path + ", and replace the secret"));
}

std::vector<Finding> check_key(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  std::vector<Finding> findings;
  const auto newest = newest_of(context, spec);
  const std::string folder = context.config.state_directory + "/certificates/" + spec.name;
  if (!newest && !is_shut_away(context, folder + "/1/privkey.pem")) {
    findings.push_back(not_known("SECRET_EXPOSED",
                                 "nobody knows who may read the private key of " + spec.name,
                                 newest.error()));
    findings.back().subject = folder;
  }
  if (!newest || *newest == nullptr || !(*newest)->has_key) return findings;
  look_at_secret(context, (*newest)->directory + "/privkey.pem", "the private key of " + spec.name,
                 findings);
  return findings;
}

std::vector<Finding> check_secrets(const CheckContext& context, const CheckSubject&) {
  std::vector<Finding> findings;
  const Config& config = context.config;
  for (const CaConfig& ca : config.cas) {
    look_at_secret(context, ca.eab_hmac_key_file, "the external account's key of CA " + ca.name,
                   findings);
    look_at_secret(context, config.state_directory + "/accounts/" + ca.name + "/key.pem",
                   "the account key for CA " + ca.name, findings);
  }
  for (const auto& [name, challenge] : config.challenges) {
    for (const auto& [key, value] : challenge.settings) {
      if (!key.ends_with("_file")) continue;
      look_at_secret(context, value, "the secret of challenge " + name, findings);
    }
  }
  for (const std::string& name : context.orphans) {
    const auto& generation = context.statuses.at(name).generation;
    if (!generation || !generation->has_key) continue;
    look_at_secret(context, generation->directory + "/privkey.pem", "the private key of " + name,
                   findings);
  }
  return findings;
}

// Empty: it is not in this file, as where groups come from a directory service.
std::string number_of_group(const Files& files, const std::string& group) {
  const std::string text = "\n" + files.read("/etc/group").value_or(std::string());
  const std::size_t begin = text.find("\n" + group + ":");
  if (begin == std::string::npos) return {};
  const std::string line = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
  const std::size_t password = line.find(':') + 1;
  const std::size_t number = line.find(':', password);
  if (number == std::string::npos) return {};
  return line.substr(number + 1, line.find(':', number + 1) - number - 1);
}

// `group` promises a service that it can read the key; a folder above may break that promise.
std::vector<Finding> check_group_access(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  if (spec.group.empty()) return {};
  const auto newest = newest_of(context, spec);
  if (newest && (*newest == nullptr || !(*newest)->has_key)) return {};
  const std::string directory = newest ? (*newest)->directory : std::string();
  const std::string key = directory + "/privkey.pem";
  const auto status = newest ? context.world.files.status(key) : fail(newest.error());
  if (!status) {
    return {not_known(
        "KEY_NOT_READABLE",
        spec.name + ": nobody knows whether the group " + spec.group + " can read its key",
        status.error())};
  }
  std::string closed;
  if ((status->mode & 0040) == 0) closed = key;
  for (std::string folder = directory; folder.size() > 1 && closed.empty();
       folder = directory_of(folder)) {
    const auto above = status_through_links(context.world.files, folder);
    if (!above) continue;
    const bool by_group = (above->mode & 0010) != 0 && above->group == status->group;
    if (!by_group && (above->mode & 0001) == 0) closed = folder;
  }
  const std::string number = number_of_group(context.world.files, spec.group);
  if (closed.empty() && !number.empty() && status->group != number) {
    return {finding(
        "KEY_NOT_READABLE", {}, FindingSeverity::error,
        spec.name + ": the group " + spec.group + " cannot read its key",
        key + " belongs to group " + status->group + ", and " + spec.group + " is " + number,
        "chgrp " + spec.group + " " + key + "; the next look of the daemon does it, too")};
  }
  if (closed.empty()) return {};
  return {finding("KEY_NOT_READABLE", {}, FindingSeverity::error,
                  spec.name + ": the group " + spec.group + " cannot read its key",
                  closed + " is closed to it",
                  "chmod o+x " + closed + " (the keys keep their own mode), or use a deploy hook")};
}

// ---- the status page

bool is_loopback(const std::string& listen) {
  return listen.starts_with("127.") || listen.starts_with("[::1]");
}

// Names, addresses and what CAs and hooks said are no secrets, and nobody else's business either.
std::vector<Finding> check_status_listen(const CheckContext& context, const CheckSubject&) {
  const std::string& listen = context.config.daemon.status_listen;
  if (listen.empty() || is_loopback(listen)) return {};
  return {finding("STATUS_PAGE_PUBLIC", {}, FindingSeverity::warning,
                  "the status page can be read by whoever reaches " + listen,
                  "status_listen is no loopback address, and there is no password",
                  "set status_listen = \"127.0.0.1:9180\" and let a web server with a password "
                  "pass requests on, then: systemctl reload nolapse")};
}

std::vector<Finding> check_status_page(const CheckContext& context, const CheckSubject&) {
  if (!context.daemon || context.daemon->status_page_fault.empty()) return {};
  return {finding("STATUS_PAGE_CLOSED", {}, FindingSeverity::warning,
                  "the status page cannot be opened, so that nobody sees it and no metrics",
                  context.daemon->status_page_fault,
                  "free the port, or set another status_listen and systemctl reload nolapse")};
}

std::vector<CodePage> pages() {
  return {
      {"CONFIG_BROKEN", "the configuration file on the disk cannot be used",
       "It was changed and not checked. A running daemon goes on with the old one until it "
       "restarts; then it cannot.",
       "nolapse config check", "Correct what it names, then systemctl reload nolapse."},
      {"CONFIG_NOT_TAKEN_UP", "the daemon runs with an older configuration",
       "A file was changed, added or removed, and nobody told the daemon.",
       "nolapse status (it names what the daemon does not know)", "systemctl reload nolapse"},
      {"CONFIG_UNUSED", "a CA, challenge or target that no certificate uses",
       "A name was mistyped where it should be used, or the section is left over.",
       "grep -rn NAME /etc/nolapse", "Name it in a certificate, or remove it."},
      {"CONFIG_WRITABLE", "others may change the configuration or a hook",
       "A file or a folder above is writable for everybody: they may have any command run.",
       "ls -ld FILE", "chmod o-w FILE, and look whether it was changed."},
      {"SECRET_EXPOSED", "others may read a private key or a credential",
       "The file was made with a wide umask, or copied.", "ls -l FILE",
       "chmod o= FILE. Who could read it may have: replace it."},
      {"KEY_NOT_READABLE", "the group that should read a key cannot",
       "The key or a folder above it is closed to the group; the service falls back to nothing, or "
       "to a self-signed certificate.",
       "namei -l STATE_DIR/live/NAME/privkey.pem; sudo -u USER cat the key",
       "Open the folder for passing (chmod o+x), or let a deploy hook install the key."},
      {"STATUS_PAGE_PUBLIC", "the status page can be read from other machines",
       "status_listen is an address that others may reach. The page shows names, addresses and "
       "what "
       "CAs and hooks said; it changes nothing.",
       "ss -ltnp | grep nolapse",
       "Let it listen on 127.0.0.1, or limit who reaches it and silence "
       "this: nolapse alert silence STATUS_PAGE_PUBLIC --for 90d --why 'the firewall limits it'."},
      {"STATUS_PAGE_CLOSED", "the status page cannot be opened",
       "Another process has the port, or the address is not of this host.",
       "ss -ltnp; journalctl -u nolapse",
       "Free the port (the page opens by itself then), or change status_listen."},
  };
}

}  // namespace

CheckFamily config_checks() {
  const auto on_host = [](const char* code, PlainCheck run) {
    return plain_check({code}, CheckDepth::cheap, CheckScope::host, std::move(run));
  };
  return {
      pages(),
      {on_host("CONFIG_BROKEN", check_file), on_host("CONFIG_NOT_TAKEN_UP", check_in_force),
       on_host("CONFIG_UNUSED", check_unused), on_host("CONFIG_WRITABLE", check_writable),
       on_host("SECRET_EXPOSED", check_secrets), on_host("STATUS_PAGE_PUBLIC", check_status_listen),
       on_host("STATUS_PAGE_CLOSED", check_status_page),
       plain_check({"SECRET_EXPOSED"}, CheckDepth::cheap, CheckScope::certificate, check_key),
       plain_check({"KEY_NOT_READABLE"}, CheckDepth::cheap, CheckScope::certificate,
                   check_group_access)}};
}

}  // namespace nolapse
