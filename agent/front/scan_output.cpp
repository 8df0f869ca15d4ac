#include "agent/front/scan_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "acme/json_read.h"
#include "agent/core/expiry.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

using acme::printable;
using nlohmann::json;

constexpr std::size_t names_shown = 3;
constexpr std::size_t widest_name = 60;

std::string names_of(const acme::Certificate& leaf, bool all) {
  std::string text;
  const auto& names = leaf.subject_alternative_names;
  for (std::size_t i = 0; i < names.size() && (all || i < names_shown); ++i) {
    text += (text.empty() ? "" : ", ") + printable(names[i].value, widest_name);
  }
  if (names.empty()) {
    const std::string& name = leaf.subject_common_name;
    text = name.empty() ? "(no name)" : printable(name, widest_name) + " (no alternative name)";
  }
  if (!all && names.size() > names_shown) {
    text += " and " + std::to_string(names.size() - names_shown) + " more";
  }
  return text;
}

std::string renewed_by(const FoundCertificate& certificate) {
  return certificate.renewed() ? certificate.renewer->who : "nobody";
}

std::string life_of(const acme::Certificate& leaf, Time now) {
  if (now >= leaf.not_after) {
    return "expired " + acme::format_duration(now - leaf.not_after) + " ago";
  }
  return "expires in " + acme::format_duration(leaf.not_after - now);
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

void print(std::ostream& out, const FoundCertificate& certificate, const ScanStyle& style,
           const AlertsConfig& alerts, Time now) {
  const auto& places = certificate.found;
  out << padded(life_of(certificate.leaf, now), 20) << "  " << padded(renewed_by(certificate), 10)
      << "  " << names_of(certificate.leaf, style.verbosity > 0) << "  "
      << printable(places.front().text);
  if (style.verbosity < 1 && places.size() > 1) {
    out << " and " << places.size() - 1 << " more place(s)";
  }
  if (certificate.watched) out << "  (watched)";
  out << '\n';
  for (std::size_t i = 1; style.verbosity > 0 && i < places.size(); ++i) {
    out << "  also: " << printable(places[i].text) << '\n';
  }
  for (const std::string& fault : certificate.faults) out << "  " << printable(fault) << '\n';
  if (certificate.renewer && !certificate.renewed()) {
    out << "  known to " << certificate.renewer->who << " as "
        << printable(certificate.renewer->subject) << ", but "
        << printable(certificate.renewer->idle) << '\n';
  }
  if (certificate.is_late(now, alerts)) {
    out << "  " << certificate.renewer->who << " is to renew it, as "
        << printable(certificate.renewer->subject) << ", and has not: look at its log\n";
  }
}

struct Summary {
  std::size_t unattended = 0;
  std::size_t late = 0;
  std::size_t unwatched = 0;  // of both
  bool urgent = false;
};

bool needs_watching(const FoundCertificate& certificate, const AlertsConfig& alerts, Time now) {
  return !certificate.watched && (!certificate.renewed() || certificate.is_late(now, alerts));
}

Summary summary_of(const std::vector<FoundCertificate>& all, const AlertsConfig& alerts, Time now) {
  Summary summary;
  for (const FoundCertificate& each : all) {
    if (!each.renewed()) ++summary.unattended;
    if (each.is_late(now, alerts)) ++summary.late;
    if (needs_watching(each, alerts, now)) ++summary.unwatched;
    const Urgency urgency = urgency_of(each, now, alerts);
    if (urgency == Urgency::over || urgency == Urgency::near) summary.urgent = true;
  }
  return summary;
}

json object_of(const FoundCertificate& certificate, const AlertsConfig& alerts, Time now) {
  json object = facts_object(&certificate.leaf);
  object["renewed_by"] = renewed_by(certificate);
  object["known_to"] = certificate.renewer ? json(certificate.renewer->who) : json(nullptr);
  object["why_not"] = certificate.renewer && !certificate.renewed()
                          ? json(certificate.renewer->idle)
                          : json(nullptr);
  object["late"] = certificate.is_late(now, alerts);
  object["watched"] = certificate.watched;
  object["faults"] = certificate.faults;
  json found = json::array();
  for (const FoundPlace& place : certificate.found) {
    found.push_back({{"kind", name_of(place.kind)},
                     {"place", place.text},
                     {"file", place.file.empty() ? json(nullptr) : json(place.file)}});
  }
  object["found"] = std::move(found);
  return object;
}

void write_document(std::ostream& out, const std::vector<FoundCertificate>& all,
                    const Inventory& inventory, const AlertsConfig& alerts, Time now) {
  json list = json::array();
  for (const FoundCertificate& each : all) list.push_back(object_of(each, alerts, now));
  out << acme::dump(json{{"schema", 1},
                         {"certificates", std::move(list)},
                         {"problems", inventory.problems()}},
                    2)
      << '\n';
}

void write_text(std::ostream& out, const std::vector<FoundCertificate>& all,
                const Inventory& inventory, const ScanStyle& style, const AlertsConfig& alerts,
                Time now) {
  const Summary summary = summary_of(all, alerts, now);
  for (const FoundCertificate& each : all) print(out, each, style, alerts, now);
  for (const std::string& problem : inventory.problems()) {
    out << "not looked at: " << printable(problem) << '\n';
  }
  out << "found: " << all.size() << " certificate(s), " << summary.unattended
      << " that nobody renews";
  if (summary.late > 0) out << ", " << summary.late << " not renewed in time";
  if (summary.unwatched > 0) {
    out << "; `nolapse scan --watch` prints the [[watch]] sections with which nolapse tells you "
           "before they expire, a [[certificate]] makes it renew them";
  }
  out << '\n';
}

// What a name of a section may hold.
std::string section_name(const acme::Certificate& leaf, std::set<std::string>& taken) {
  const auto& names = leaf.subject_alternative_names;
  std::string name = names.empty() ? leaf.subject_common_name : names.front().value;
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (!plain) c = '-';
  }
  name.erase(0, name.find_first_not_of("-."));
  name = name.substr(0, 50);
  if (name.empty()) name = "certificate";
  std::string free = name;
  for (int i = 2; !taken.insert(free).second; ++i) free = name + "-" + std::to_string(i);
  return free;
}

std::string toml_text(const std::string& text) {
  return '"' + acme::printable(text) + '"';
}

// It can stand in a basic string as it is.
bool is_plain(const std::string& text) {
  return !text.empty() && text.find_first_of("\"\\") == std::string::npos &&
         acme::printable(text) == text;
}

}  // namespace

int write_inventory(std::ostream& out, const ScanStyle& style, const Inventory& inventory,
                    const AlertsConfig& alerts, Time now) {
  const auto all = inventory.certificates(now);
  if (style.json) {
    write_document(out, all, inventory, alerts, now);
  } else {
    write_text(out, all, inventory, style, alerts, now);
  }
  if (summary_of(all, alerts, now).urgent) return exit_status::failed;
  return inventory.problems().empty() ? exit_status::ok : exit_status::undecided;
}

void write_watch_sections(std::ostream& out, const Inventory& inventory, const Config& config,
                          Time now) {
  std::set<std::string> taken;
  for (const CertificateSpec& spec : config.certificates) taken.insert({spec.name, spec.family});
  for (const WatchSpec& watch : config.watches) taken.insert(watch.name);
  for (const FoundCertificate& each : inventory.certificates(now)) {
    if (!needs_watching(each, config.alerts, now)) continue;
    // A file says all, whoever may connect; several places hold the same certificate.
    std::string files;
    std::string endpoints;
    for (const FoundPlace& place : each.found) {
      if (is_plain(place.file) && files.find(toml_text(place.file)) == std::string::npos) {
        files += (files.empty() ? "" : ", ") + toml_text(place.file);
      }
      if (is_plain(place.endpoint) &&
          endpoints.find(toml_text(place.endpoint)) == std::string::npos) {
        endpoints += (endpoints.empty() ? "" : ", ") + toml_text(place.endpoint);
      }
    }
    out << "# " << names_of(each.leaf, false) << ", " << describe_expiry(each.leaf, now) << "; "
        << printable(each.found.front().text) << '\n';
    if (files.empty() && endpoints.empty()) {
      out << "# it has no name that it could be asked for, so it cannot be watched\n\n";
      continue;
    }
    out << "[[watch]]\nname = " << toml_text(section_name(each.leaf, taken)) << '\n';
    if (!endpoints.empty()) out << "endpoints = [" << endpoints << "]\n";
    if (!files.empty()) out << "files = [" << files << "]\n";
    out << '\n';
  }
}

}  // namespace nolapse
