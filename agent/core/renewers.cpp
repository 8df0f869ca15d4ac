#include "agent/core/renewers.h"

#include <sstream>

#include "agent/core/config_files.h"
#include "agent/core/daemon_health.h"
#include "agent/core/pem_file.h"
#include "agent/core/store.h"

namespace nolapse {
namespace {

constexpr const char* watch_timer = "nolapse-watch.timer";  // tells, and renews nothing

std::string name_in(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string without_ending(const std::string& name) {
  return name.substr(0, name.rfind('.'));
}

// "KEY = VALUE", "KEY='VALUE'"; empty where the text does not say.
std::string value_of(const std::string& text, const std::string& key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::size_t name_end = line.find_last_not_of(" \t", equals == 0 ? 0 : equals - 1);
    if (name_end == std::string::npos || line.substr(0, name_end + 1) != key) continue;
    const std::string ignored = " \t\r'\"";
    const std::size_t begin = line.find_first_not_of(ignored, equals + 1);
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_last_not_of(ignored) + 1 - begin);
  }
  return {};
}

}  // namespace

Renewers::Renewers(const Files& files, const Config& config, Time now) : files_(files) {
  find_nolapse(config, now);
  find_certbot();
  std::vector<std::string> homes = expand("/home/*");
  for (const char* home : {"/root", "/var/lib/caddy"}) homes.emplace_back(home);
  for (const std::string& home : homes) {
    find_acme_sh(home + "/.acme.sh");
    find_lego(home + "/.lego");
    find_caddy(home + "/.local/share/caddy/certificates");
  }
  for (const char* folder : {"/etc/lego", "/var/lib/lego"}) find_lego(folder);
  for (const char* folder : {"/var/lib/dehydrated/certs", "/etc/dehydrated/certs"}) {
    find_dehydrated(folder);
  }
}

std::vector<std::string> Renewers::expand(const std::string& pattern) {
  auto paths = expand_pattern(files_, pattern);
  if (paths) return std::move(*paths);
  problems_.push_back("who renews what: " + paths.error().message);
  return {};
}

void Renewers::know_folder(const std::string& folder, const Renewer& renewer) {
  if (const auto real = real_path(files_, folder)) folders_.emplace(*real + "/", renewer);
}

void Renewers::know_file(const std::string& file, const Renewer& renewer) {
  if (file.empty() || file.front() != '/') return;
  if (const auto real = real_path(files_, file)) real_files_.emplace(*real, renewer);
  const auto chain = read_certificate_file(files_, file);
  if (chain) fingerprints_.emplace(chain->front().fingerprint_sha256, renewer);
}

const Renewer* Renewers::of_file(const std::string& real) const {
  if (const auto found = real_files_.find(real); found != real_files_.end()) return &found->second;
  // The folder that it lies in, or one further up.
  for (std::size_t slash = real.rfind('/'); slash != std::string::npos && slash > 0;
       slash = real.rfind('/', slash - 1)) {
    const auto found = folders_.find(real.substr(0, slash + 1));
    if (found != folders_.end()) return &found->second;
  }
  return nullptr;
}

const Renewer* Renewers::of_fingerprint(const std::string& fingerprint) const {
  const auto found = fingerprints_.find(fingerprint);
  return found == fingerprints_.end() ? nullptr : &found->second;
}

std::string Renewers::idle_without(const std::string& word) const {
  if (has_timer(word) || has_crontab(word)) return {};
  return "no timer and no crontab runs " + word;
}

bool Renewers::has_timer(const std::string& word) const {
  for (const char* wanted : {"/etc/systemd/system/timers.target.wants/*",
                             "/usr/lib/systemd/system/timers.target.wants/*"}) {
    const auto paths = expand_pattern(files_, wanted);
    for (const std::string& path : paths.value_or(std::vector<std::string>{})) {
      const std::string unit = name_in(path);
      const auto mask = files_.read_link("/etc/systemd/system/" + unit);
      const bool is_masked = mask && *mask == "/dev/null";
      if (unit.find(word) != std::string::npos && unit != watch_timer && !is_masked) return true;
    }
  }
  return false;
}

// Debian's packages bring a crontab beside their timer, which does nothing where systemd runs.
bool Renewers::has_crontab(const std::string& command) const {
  const bool is_systemd = bool(files_.status("/run/systemd/system"));
  for (const char* table :
       {"/etc/crontab", "/etc/cron.d/*", "/etc/cron.hourly/*", "/etc/cron.daily/*",
        "/etc/cron.weekly/*", "/var/spool/cron/crontabs/*", "/var/spool/cron/*"}) {
    const auto paths = expand_pattern(files_, table);
    for (const std::string& path : paths.value_or(std::vector<std::string>{})) {
      std::istringstream lines(files_.read(path).value_or(""));
      for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find_first_not_of(" \t");
        if (first == std::string::npos || line[first] == '#') continue;
        const bool gives_way = is_systemd && line.find("/run/systemd/system") != std::string::npos;
        if (!gives_way && line.find(command) != std::string::npos) return true;
      }
    }
  }
  return false;
}

// The daemon says that it runs, or something else runs `nolapse renew`.
void Renewers::find_nolapse(const Config& config, Time now) {
  const Store store(config.state_directory, files_);
  const auto names = store.names();
  if (names.empty()) return;
  const auto heartbeat = files_.read(config.state_directory + "/heartbeat");
  const bool hidden = !heartbeat && heartbeat.error().code == "PERMISSION_DENIED";
  if (hidden) problems_.push_back("who renews what: " + heartbeat.error().message);
  const std::string text = heartbeat.value_or("");
  const auto beat = acme::parse_rfc3339(text.substr(0, text.find('\n')));
  const bool runs = hidden || (beat && now - *beat <= oldest_heartbeat) || has_timer("nolapse") ||
                    has_crontab("nolapse renew");
  for (const std::string& name : names) {
    Renewer renewer{"nolapse", name, {}};
    const bool configured =
        config.files.empty() || config.find_certificate(certificate_of(name)) != nullptr;
    if (!runs) renewer.idle = "its daemon does not run, and no timer and no crontab renews";
    if (!configured) renewer.idle = "its [[certificate]] section is gone";
    know_folder(config.state_directory + "/certificates/" + name, renewer);
    const auto newest = store.newest_generation(name);
    if (newest && *newest) {
      fingerprints_.emplace((*newest)->leaf().fingerprint_sha256, renewer);
    }
  }
}

void Renewers::find_certbot() {
  const auto lineages = expand("/etc/letsencrypt/renewal/*.conf");
  if (lineages.empty()) return;
  const std::string idle = idle_without("certbot");
  for (const std::string& path : lineages) {
    const auto text = files_.read(path);
    if (!text) {
      problems_.push_back("who renews what: " + text.error().message);
      continue;
    }
    const std::string name = without_ending(name_in(path));
    Renewer renewer{"certbot", name, idle};
    if (value_of(*text, "autorenew") == "False") renewer.idle = "autorenew is off in " + path;
    std::string archive = value_of(*text, "archive_dir");
    if (archive.empty()) archive = "/etc/letsencrypt/archive/" + name;
    know_folder(archive, renewer);
    std::string certificate = value_of(*text, "cert");
    if (certificate.empty()) certificate = "/etc/letsencrypt/live/" + name + "/cert.pem";
    know_file(certificate, renewer);
  }
}

void Renewers::find_acme_sh(const std::string& home) {
  for (const std::string& path : expand(home + "/*/*.conf")) {
    const std::string folder = directory_of(path);
    const std::string name = without_ending(name_in(path));
    // Beside csr.conf, which is for OpenSSL.
    if (name_in(folder) != name && name_in(folder) != name + "_ecc") continue;
    const auto text = files_.read(path);
    if (!text) {
      problems_.push_back("who renews what: " + text.error().message);
      continue;
    }
    const Renewer renewer{"acme.sh", name, idle_without("acme.sh")};
    know_folder(folder, renewer);
    know_file(folder + "/" + name + ".cer", renewer);
    // Where `--install-cert` puts them.
    know_file(value_of(*text, "Le_RealCertPath"), renewer);
    know_file(value_of(*text, "Le_RealFullChainPath"), renewer);
  }
}

void Renewers::find_lego(const std::string& folder) {
  for (const std::string& path : expand(folder + "/certificates/*.json")) {
    const Renewer renewer{"lego", without_ending(name_in(path)), idle_without("lego")};
    know_file(without_ending(path) + ".crt", renewer);
    if (const auto real = real_path(files_, without_ending(path) + ".pem")) {
      real_files_.emplace(*real, renewer);
    }
  }
}

void Renewers::find_dehydrated(const std::string& folder) {
  for (const std::string& path : expand(folder + "/*/cert.pem")) {
    const std::string name = name_in(directory_of(path));
    const Renewer renewer{"dehydrated", name, idle_without("dehydrated")};
    know_folder(directory_of(path), renewer);
    know_file(path, renewer);
  }
}

// Caddy itself runs its renewals; where it does not run, it shows nothing either.
void Renewers::find_caddy(const std::string& storage) {
  for (const std::string& path : expand(storage + "/*/*/*.crt")) {
    const Renewer renewer{"caddy", without_ending(name_in(path)), {}};
    know_folder(directory_of(path), renewer);
    know_file(path, renewer);
  }
}

}  // namespace nolapse
