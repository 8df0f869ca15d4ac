#include "agent/front/diagnosis_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

const char* name_of(Cause cause) {
  switch (cause) {
    case Cause::certificate:
      return "certificate";
    case Cause::other:
      return "not_certificate";
    case Cause::unknown:
      return "unknown";
  }
  return "unknown";
}

const char* sentence(Cause cause) {
  switch (cause) {
    case Cause::certificate:
      return "The certificate IS the cause: ";
    case Cause::other:
      return "NOT the certificate: ";
    case Cause::unknown:
      return "UNDECIDED: ";
  }
  return "UNDECIDED: ";
}

const char* name_of(SeenEndpoint::Role role) {
  switch (role) {
    case SeenEndpoint::Role::asked:
      return "asked";
    case SeenEndpoint::Role::declared:
      return "declared";
    case SeenEndpoint::Role::hop:
      return "hop";
    case SeenEndpoint::Role::known:
      return "known";
  }
  return "known";
}

int exit_status_of(Cause cause) {
  if (cause == Cause::certificate) return exit_status::failed;
  return cause == Cause::unknown ? exit_status::undecided : exit_status::ok;
}

json object_of(const DiagnosedAddress& address) {
  return {{"endpoint", address.endpoint},
          {"address", text_or_null(address.address)},
          {"role", name_of(address.role)},
          {"ok", address.ok},
          {"code", text_or_null(address.code)},
          {"fingerprint_sha256", text_or_null(address.fingerprint_sha256)},
          {"not_after", time_or_null(address.not_after)},
          {"http_status", address.http_status > 0 ? json(address.http_status) : json(nullptr)},
          {"detail", address.detail}};
}

json object_of(const Diagnosis& diagnosis) {
  json endpoints = json::array();
  for (const DiagnosedAddress& each : diagnosis.addresses) endpoints.push_back(object_of(each));
  json timeline = json::array();
  for (const TimelineEntry& each : diagnosis.timeline) {
    timeline.push_back({{"at", acme::format_rfc3339(each.at)}, {"what", each.what}});
  }
  return {{"target", diagnosis.target},
          {"verdict", name_of(diagnosis.cause)},
          {"code", diagnosis.code},
          {"summary", diagnosis.summary},
          {"why", diagnosis.why},
          {"fix", text_or_null(diagnosis.fix)},
          {"endpoints", std::move(endpoints)},
          {"timeline", std::move(timeline)}};
}

void print(std::ostream& out, const Diagnosis& diagnosis) {
  out << sentence(diagnosis.cause) << acme::printable(diagnosis.summary, 1000) << '\n';
  out << "  code: " << diagnosis.code << '\n';
  for (const std::string& each : diagnosis.why) out << "  why:  " << acme::printable(each) << '\n';
  if (!diagnosis.fix.empty()) out << "  fix:  " << acme::printable(diagnosis.fix) << '\n';
  for (const TimelineEntry& each : diagnosis.timeline) {
    out << "  " << acme::format_rfc3339(each.at) << "  " << acme::printable(each.what) << '\n';
  }
  for (const DiagnosedAddress& each : diagnosis.addresses) {
    out << "  " << (each.ok ? "ok   " : "BAD  ") << each.endpoint;
    if (!each.address.empty()) out << " at " << each.address;
    out << "  " << acme::printable(each.detail, 600) << '\n';
  }
}

void print_brief(std::ostream& out, const Diagnosis& diagnosis) {
  out << sentence(diagnosis.cause) << acme::printable(diagnosis.summary, 400) << '\n';
  if (!diagnosis.fix.empty()) out << "  fix:  " << acme::printable(diagnosis.fix) << '\n';
}

// Of several, the worst, with the rest behind it.
json document_of(const std::vector<Diagnosis>& diagnoses) {
  const Cause worst = worst_cause(diagnoses);
  const auto first = std::find_if(diagnoses.begin(), diagnoses.end(),
                                  [&](const Diagnosis& each) { return each.cause == worst; });
  json document = object_of(first != diagnoses.end() ? *first : Diagnosis{});
  document["schema"] = 1;
  if (diagnoses.size() == 1) return document;
  json targets = json::array();
  for (const Diagnosis& each : diagnoses) targets.push_back(object_of(each));
  document["targets"] = std::move(targets);
  return document;
}

}  // namespace

int write_diagnoses(std::ostream& out, const std::vector<Diagnosis>& diagnoses, bool as_json,
                    bool brief) {
  const int status = exit_status_of(worst_cause(diagnoses));
  if (as_json) {
    out << acme::dump(document_of(diagnoses), 2) << '\n';
    return status;
  }
  if (!brief) {
    for (const Diagnosis& each : diagnoses) {
      if (&each != &diagnoses.front()) out << '\n';
      print(out, each);
    }
    return status;
  }
  for (const Cause cause : {Cause::certificate, Cause::unknown, Cause::other}) {
    for (const Diagnosis& each : diagnoses) {
      if (each.cause == cause) print_brief(out, each);
    }
  }
  return status;
}

}  // namespace nolapse
