#include "agent/core/diagnosis_endpoint.h"

#include <algorithm>

#include "acme/json_read.h"
#include "agent/core/diagnosis_disk.h"

namespace nolapse {
namespace {

Fault lookup_fault(const SeenEndpoint& endpoint) {
  const bool missing = endpoint.lookup_code == "NAME_NOT_FOUND";
  return {missing ? "NO_SUCH_NAME" : "DNS_FAILS", Cause::other,
          (missing ? "has no address: " : "cannot be looked up: ") +
              acme::printable(endpoint.lookup_detail, 300)};
}

// A host without IPv6 finds each AAAA record unreachable; that is nobody's fault there.
bool is_out_of_reach_only(const JudgedAddress& judged) {
  return judged.fault && judged.fault->code == "TCP_UNREACHABLE";
}

}  // namespace

int rank(Cause cause) {
  return cause == Cause::certificate ? 2 : cause == Cause::unknown ? 1 : 0;
}

Judged judge(const SeenEndpoint& endpoint, Time now) {
  Judged judged{&endpoint, {}, {}};
  if (!endpoint.lookup_code.empty()) {
    judged.fault = lookup_fault(endpoint);
    return judged;
  }
  for (const SeenAddress& seen : endpoint.addresses) {
    auto fault = fault_of(endpoint, seen, now);
    if (fault) fault = explained_by_disk(endpoint, seen, std::move(*fault), now);
    judged.addresses.push_back({&seen, std::move(fault)});
  }
  const bool some_good = std::any_of(judged.addresses.begin(), judged.addresses.end(),
                                     [](const JudgedAddress& each) { return !each.fault; });
  for (const JudgedAddress& each : judged.addresses) {
    if (!each.fault || (some_good && is_out_of_reach_only(each))) continue;
    ++judged.bad;
    if (judged.fault && rank(judged.fault->cause) >= rank(each.fault->cause)) continue;
    judged.fault = each.fault;
    judged.culprit = each.seen;
  }
  return judged;
}

std::string page_trouble(const SeenAddress& seen) {
  if (!seen.http || seen.http->code == "BODY_TOO_LONG") return {};
  if (seen.http->status >= 500) return "answers HTTP " + std::to_string(seen.http->status);
  if (seen.http->status > 0) return {};
  return "gives no HTTP response (" + acme::printable(seen.http->detail, 200) + ")";
}

const SeenAddress* failing_page(const SeenEndpoint& endpoint) {
  const auto found =
      std::find_if(endpoint.addresses.begin(), endpoint.addresses.end(),
                   [](const SeenAddress& seen) { return !page_trouble(seen).empty(); });
  return found == endpoint.addresses.end() ? nullptr : &*found;
}

namespace {

DiagnosedAddress line_for(const Judged& judged, const JudgedAddress* address) {
  DiagnosedAddress line;
  line.role = judged.endpoint->role;
  line.endpoint = judged.endpoint->endpoint.text;
  const auto& fault = address != nullptr ? address->fault : judged.fault;
  line.ok = !fault;
  if (fault) {
    line.code = fault->code;
    line.detail = fault->what;
  }
  if (address == nullptr) return line;
  const SeenAddress& seen = *address->seen;
  line.address = seen.address;
  if (!seen.chain.empty()) {
    line.fingerprint_sha256 = seen.chain.front().fingerprint_sha256;
    line.not_after = seen.chain.front().not_after;
  }
  if (!fault) {
    line.detail = seen.chain.empty()
                      ? "answers, without TLS"
                      : "serves " + describe_leaf(seen.chain.front()) + ", valid until " +
                            acme::format_rfc3339(seen.chain.front().not_after);
  }
  if (seen.http && !fault) {
    line.http_status = seen.http->status;
    const std::string trouble = page_trouble(seen);
    if (!trouble.empty()) {
      line.detail += "; " + trouble;
    } else if (seen.http->status > 0) {
      line.detail += "; HTTP " + std::to_string(seen.http->status);
    }
  }
  return line;
}

}  // namespace

void add_lines(const Judged& judged, std::vector<DiagnosedAddress>& lines) {
  if (judged.addresses.empty()) lines.push_back(line_for(judged, nullptr));
  for (const JudgedAddress& each : judged.addresses) lines.push_back(line_for(judged, &each));
}

}  // namespace nolapse
