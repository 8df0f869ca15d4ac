// One endpoint: all its addresses, the worst of them, and what its page says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/diagnosis_faults.h"

namespace nolapse {

struct JudgedAddress {
  const SeenAddress* seen;
  std::optional<Fault> fault;
};

struct Judged {
  const SeenEndpoint* endpoint;
  std::vector<JudgedAddress> addresses;
  std::optional<Fault> fault;            // the worst of all
  const SeenAddress* culprit = nullptr;  // whose that is; nothing: the name has no address
  std::size_t bad = 0;
};

Judged judge(const SeenEndpoint& endpoint, Time now);

// What a visitor sees of the page although the handshake is fine; empty: it is fine, too.
std::string page_trouble(const SeenAddress& seen);
// The first address whose page fails; nothing: none does.
const SeenAddress* failing_page(const SeenEndpoint& endpoint);

void add_lines(const Judged& judged, std::vector<DiagnosedAddress>& lines);

// The certificate's fault weighs most, then what nobody knows.
int rank(Cause cause);

}  // namespace nolapse
