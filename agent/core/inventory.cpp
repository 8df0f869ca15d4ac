#include "agent/core/inventory.h"

#include <algorithm>
#include <array>

#include "acme/x509_authority.h"
#include "agent/core/config_files.h"
#include "agent/core/pem_file.h"

namespace nolapse {
namespace {

constexpr int deepest_folder = 12;
constexpr std::size_t most_files = 50000;
constexpr std::uint64_t largest_file = 1u << 20;  // of a certificate among unknown files

bool has_certificate_ending(const std::string& path) {
  constexpr std::array<std::string_view, 4> endings = {".pem", ".crt", ".cer", ".cert"};
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
    return path.size() > ending.size() &&
           path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
  });
}

bool is_watched(const FoundPlace& place, const Config& config) {
  return std::any_of(config.watches.begin(), config.watches.end(), [&](const WatchSpec& watch) {
    const auto& files = watch.files;
    const bool file = std::find(files.begin(), files.end(), place.file) != files.end();
    return file || std::any_of(watch.endpoints.begin(), watch.endpoints.end(),
                               [&](const Endpoint& each) { return each.text == place.endpoint; });
  });
}

// A [[watch]] needs a name to ask an address for.
std::string endpoint_for_watch(const Endpoint& endpoint, const acme::Certificate& leaf) {
  if (!endpoint.server_name.empty()) return endpoint.text;
  for (const acme::Identifier& name : leaf.subject_alternative_names) {
    if (name.type == "dns" && name.value.front() != '*') return endpoint.text + "#" + name.value;
  }
  return {};
}

}  // namespace

const char* name_of(FoundPlace::Kind kind) {
  switch (kind) {
    case FoundPlace::Kind::server:
      return "server";
    case FoundPlace::Kind::endpoint:
      return "endpoint";
    case FoundPlace::Kind::file:
      break;
  }
  return "file";
}

bool FoundCertificate::is_late(Time now, const AlertsConfig& alerts) const {
  const Duration lifetime = leaf.not_after - leaf.not_before;
  return renewed() && leaf.not_after - now <= std::min(alerts.expiry_days[1], lifetime / 6);
}

Urgency urgency_of(const FoundCertificate& certificate, Time now, const AlertsConfig& alerts) {
  const Duration left = certificate.leaf.not_after - now;
  if (!certificate.faults.empty() || left <= Duration{0}) return Urgency::over;
  if (certificate.is_late(now, alerts)) return Urgency::near;
  if (certificate.renewed()) return Urgency::attended;
  return left <= alerts.expiry_days.front() ? Urgency::near : Urgency::unattended;
}

Inventory::Inventory(const Files& files, const Config& config, Time now)
    : files_(files), config_(config), renewers_(files, config, now) {
  problems_ = renewers_.problems();
}

FoundCertificate& Inventory::found(const acme::Certificate& leaf, FoundPlace place) {
  FoundCertificate& certificate = by_fingerprint_[leaf.fingerprint_sha256];
  if (certificate.found.empty()) {
    certificate.leaf = leaf;
    certificate.leaf.der.clear();
    certificate.leaf.public_key_der.clear();
  }
  if (is_watched(place, config_)) certificate.watched = true;
  attribute(certificate, place.file);
  const bool known = std::any_of(certificate.found.begin(), certificate.found.end(),
                                 [&](const FoundPlace& other) { return other.text == place.text; });
  if (!known) certificate.found.push_back(std::move(place));
  return certificate;
}

// One that renews it is better than one that once did.
void Inventory::attribute(FoundCertificate& certificate, const std::string& file) const {
  const auto take = [&](const Renewer* renewer) {
    if (renewer == nullptr || certificate.renewed()) return;
    if (!certificate.renewer || renewer->renews()) certificate.renewer = *renewer;
  };
  take(renewers_.of_fingerprint(certificate.leaf.fingerprint_sha256));
  if (file.empty()) return;
  if (const auto real = real_path(files_, file)) take(renewers_.of_file(*real));
}

// ---- servers

void Inventory::add_server_configuration(const ServerConfiguration& configuration) {
  for (const ShownCertificate& shown : configuration.certificates) add_shown(shown);
  problems_.insert(problems_.end(), configuration.problems.begin(), configuration.problems.end());
  files_read_ += configuration.files.size();
}

void Inventory::add_shown(const ShownCertificate& shown) {
  const std::string where = shown.place.text();
  const auto chain = read_certificate_file(files_, shown.certificate_file);
  if (!chain) {
    problems_.push_back(where + ": " + chain.error().message);
    return;
  }
  ++files_read_;
  const acme::Certificate& leaf = chain->front();
  const std::string public_key = leaf.public_key_der;
  FoundCertificate& certificate =
      found(leaf, {FoundPlace::Kind::server, where, shown.certificate_file, {}});
  check_pair(certificate, shown, public_key);
}

void Inventory::check_pair(FoundCertificate& certificate, const ShownCertificate& shown,
                           const std::string& public_key_der) {
  const std::string& file = shown.key_file.empty() ? shown.certificate_file : shown.key_file;
  const auto real = real_path(files_, file);
  const auto content = real ? files_.read(*real) : Result<std::string>(fail(real.error()));
  if (!content) {
    // That a key is not for everybody is as it should be.
    if (content.error().code != "PERMISSION_DENIED") {
      problems_.push_back(shown.place.text() + ": " + content.error().message);
    }
    return;
  }
  const PemFile key = parse_pem_file(*content);
  if (key.public_key_der.empty() || key.public_key_der == public_key_der) return;
  const std::string fault = "the key in " + file + " is not that of the certificate in " +
                            shown.certificate_file + " (" + shown.place.text() + ")";
  auto& faults = certificate.faults;
  if (std::find(faults.begin(), faults.end(), fault) == faults.end()) faults.push_back(fault);
}

// ---- files

void Inventory::add_path(const std::string& path) {
  const auto status = status_through_links(files_, path);
  if (!status) {
    problems_.push_back(status.error().message);
  } else if (status->kind == FileStatus::Kind::directory) {
    // A link that is named is followed; those below it need not be.
    add_folder(real_path(files_, path).value_or(path), 0);
  } else {
    add_file(path, true);
  }
}

void Inventory::add_folder(const std::string& path, int depth) {
  if (depth > deepest_folder) {
    problems_.push_back(path + ": deeper than " + std::to_string(deepest_folder) +
                        " folders, and not looked at");
    return;
  }
  const auto names = files_.list(path);
  if (!names) {
    problems_.push_back(names.error().message);
    return;
  }
  for (const std::string& name : *names) {
    const std::string child = (path == "/" ? "" : path) + "/" + name;
    if (++looked_at_ > most_files) {
      if (looked_at_ == most_files + 1) {
        problems_.push_back("there are more than " + std::to_string(most_files) +
                            " files; those from " + child + " on are not looked at");
      }
      return;
    }
    const auto status = files_.status(child);
    if (!status) {
      problems_.push_back(status.error().message);
    } else if (status->kind == FileStatus::Kind::directory) {
      add_folder(child, depth + 1);
    } else if (status->kind == FileStatus::Kind::symlink) {
      // Of links only those to files are followed: folders may be circles.
      const auto target = status_through_links(files_, child);
      const bool is_file = target && target->kind == FileStatus::Kind::file;
      if (is_file && target->size <= largest_file) add_file(child, false);
    } else if (status->kind == FileStatus::Kind::file && status->size <= largest_file) {
      add_file(child, false);
    }
  }
}

void Inventory::add_file(const std::string& path, bool named) {
  const auto real = real_path(files_, path);
  const auto content = real ? files_.read(*real) : Result<std::string>(fail(real.error()));
  const bool tell = named || has_certificate_ending(path);
  if (!content) {
    if (tell) problems_.push_back(content.error().message);
    return;
  }
  ++files_read_;
  const bool begins_with_one = content->rfind("-----BEGIN CERTIFICATE-----", 0) == 0;
  if (!tell && !begins_with_one) return;
  PemFile file = parse_pem_file(*content);
  if (file.certificates.empty()) {
    if (auto der = acme::parse_certificate(*content)) file.certificates.push_back(std::move(*der));
  }
  if (named && file.certificates.empty()) {
    problems_.push_back(path + ": " +
                        (file.has_key ? "it holds a key only" : "it holds no certificate"));
  }
  for (const std::string& why : file.broken) problems_.push_back(path + ": " + why);
  for (const acme::Certificate& certificate : file.certificates) {
    // Authorities are not for servers to show; who asks for one by name gets it. What openssl
    // signs with its own key calls itself one, and has names.
    const bool only_one = named && file.certificates.size() == 1;
    const bool nameless = certificate.subject_alternative_names.empty();
    if (!only_one && nameless && acme::is_authority(certificate.der)) continue;
    found(certificate, {FoundPlace::Kind::file, path, path, {}});
  }
}

// ---- endpoints

void Inventory::add_reply(const Endpoint& endpoint, const std::string& address,
                          const ProbeReply& reply, bool told_to_look) {
  const bool same = address.empty() || address == endpoint.host;
  const std::string where = same ? endpoint.text : endpoint.text + " at " + address;
  if (reply.outcome != ProbeReply::Outcome::handshake) {
    if (told_to_look) problems_.push_back(where + ": " + reply.detail);
    return;
  }
  const auto leaf = acme::parse_certificate(reply.chain_der.empty() ? "" : reply.chain_der.front());
  if (!leaf) {
    problems_.push_back(where + ": it serves something that is no X.509 certificate");
    return;
  }
  found(*leaf, {FoundPlace::Kind::endpoint, where, {}, endpoint_for_watch(endpoint, *leaf)});
}

std::vector<FoundCertificate> Inventory::certificates(Time now) const {
  std::vector<FoundCertificate> all;
  for (const auto& [fingerprint, certificate] : by_fingerprint_) all.push_back(certificate);
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    const Urgency first = urgency_of(a, now, config_.alerts);
    const Urgency second = urgency_of(b, now, config_.alerts);
    return std::tie(first, a.leaf.not_after) < std::tie(second, b.leaf.not_after);
  });
  return all;
}

}  // namespace nolapse
