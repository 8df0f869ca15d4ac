// Questions and answers in DNS wire format, both ways. ldns does the coding; what may be believed
// of an answer is decided here. [RFC 1035 §4]
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

struct DnsQuestion {
  std::string name;  // without a trailing dot
  DnsType type = DnsType::a;
  bool recursive = true;           // asks a resolver; else a name server for what it knows itself
  bool checking_disabled = false;  // by DNSSEC
};

struct DnsReply {
  int response_code = 0;  // 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
  bool truncated = false;
  bool authoritative = false;
  std::string name;  // the end of the CNAME chain
  // As DnsAnswer has them, and only those that the question leads to through the CNAME records
  // beside them.
  std::vector<std::string> values;
};

// Letters, digits, hyphens and underscores in labels of 1 to 63, at most 253 octets altogether.
bool is_host_name(std::string_view name);
// "SERVFAIL", or the number.
std::string name_of_response_code(int code);
const char* name_of(DnsType type);

// A query without EDNS: answers fit into 512 octets nearly always, TCP is there for the rest, and
// old middleboxes have nothing to trip over. Nothing for what is no host name.
std::optional<std::string> encode_question(const DnsQuestion& question, std::uint16_t id);

// Nothing when the octets are no answer to exactly this question.
std::optional<DnsReply> decode_reply(std::string_view octets, const DnsQuestion& question,
                                     std::uint16_t id);

}  // namespace nolapse
