// The sender of a reply is whoever guessed a port and an id. The question must come back unchanged
// and a record counts only when its owner is the name asked for or the end of a CNAME chain from
// there: anything else in the packet is somebody's wish.
#include "agent/world/dns_message.h"

#include <algorithm>

#include "acme/identifier.h"
#include "agent/world/dns_ldns.h"

namespace nolapse {
namespace {

ldns_rr_type record_type(DnsType type) {
  switch (type) {
    case DnsType::a:
      return LDNS_RR_TYPE_A;
    case DnsType::aaaa:
      return LDNS_RR_TYPE_AAAA;
    case DnsType::cname:
      return LDNS_RR_TYPE_CNAME;
    case DnsType::ns:
      return LDNS_RR_TYPE_NS;
    case DnsType::soa:
      return LDNS_RR_TYPE_SOA;
    case DnsType::txt:
      return LDNS_RR_TYPE_TXT;
    case DnsType::caa:
      return LDNS_RR_TYPE_CAA;
  }
  return LDNS_RR_TYPE_A;
}

bool same_name(const ldns_rdf* left, const ldns_rdf* right) {
  return left != nullptr && right != nullptr && ldns_dname_compare(left, right) == 0;
}

bool is_error_reply(const ldns_pkt* packet) {
  const auto code = ldns_pkt_get_rcode(packet);
  return code != LDNS_RCODE_NOERROR && code != LDNS_RCODE_NXDOMAIN;
}

// Servers that refuse or fail may leave the question out; they give no data either.
bool answers(const ldns_pkt* packet, const DnsQuestion& question, const ldns_rdf* name) {
  if (!ldns_pkt_qr(packet)) return false;
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  if (ldns_rr_list_rr_count(questions) == 0) return is_error_reply(packet);
  if (ldns_rr_list_rr_count(questions) != 1) return false;
  const ldns_rr* asked = ldns_rr_list_rr(questions, 0);
  return same_name(ldns_rr_owner(asked), name) &&
         ldns_rr_get_type(asked) == record_type(question.type) &&
         ldns_rr_get_class(asked) == LDNS_RR_CLASS_IN;
}

const ldns_rdf* only_data(const ldns_rr* record) {
  return ldns_rr_rd_count(record) == 1 ? ldns_rr_rdf(record, 0) : nullptr;
}

// The names that mean the question: itself, and what CNAME records lead to from there.
std::vector<const ldns_rdf*> reachable_names(const ldns_rr_list* records, const ldns_rdf* start) {
  constexpr std::size_t longest_chain = 16;
  std::vector<const ldns_rdf*> names = {start};
  for (std::size_t i = 0; i < names.size() && i < longest_chain; ++i) {
    for (std::size_t k = 0; k < ldns_rr_list_rr_count(records); ++k) {
      const ldns_rr* record = ldns_rr_list_rr(records, k);
      if (ldns_rr_get_type(record) != LDNS_RR_TYPE_CNAME) continue;
      const ldns_rdf* target = only_data(record);
      if (target == nullptr || !same_name(ldns_rr_owner(record), names[i])) continue;
      names.push_back(target);
      break;  // a name has one CNAME
    }
  }
  return names;
}

std::string raw(const ldns_rdf* data, std::size_t skip = 0) {
  const auto* octets = reinterpret_cast<const char*>(ldns_rdf_data(data));
  return ldns_rdf_size(data) < skip ? std::string()
                                    : std::string(octets + skip, ldns_rdf_size(data) - skip);
}

std::string text_of(const ldns_rdf* data) {
  const std::unique_ptr<char, decltype(&std::free)> text(ldns_rdf2str(data), &std::free);
  return text ? text.get() : std::string();
}

std::string name_text(const ldns_rdf* name) {
  std::string text = text_of(name);
  if (text.ends_with('.')) text.pop_back();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Empty for what a record of that type cannot be.
std::string value_of(const ldns_rr* record) {
  const std::size_t count = ldns_rr_rd_count(record);
  if (count == 0) return {};
  const ldns_rdf* first = ldns_rr_rdf(record, 0);
  switch (ldns_rr_get_type(record)) {
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_AAAA:
      return acme::canonical_address(text_of(first));
    case LDNS_RR_TYPE_TXT: {
      std::string joined;
      for (std::size_t i = 0; i < count; ++i) joined += raw(ldns_rr_rdf(record, i), 1);
      return joined;
    }
    case LDNS_RR_TYPE_CAA:  // the tag stands behind its length, the value reaches to the end
      if (count != 3) return {};
      return std::to_string(ldns_rdf2native_int8(first)) + " " + raw(ldns_rr_rdf(record, 1), 1) +
             " " + raw(ldns_rr_rdf(record, 2));
    default:
      return name_text(first);
  }
}

std::vector<std::string> values_in(const ldns_rr_list* records,
                                   const std::vector<const ldns_rdf*>& names, ldns_rr_type type) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    const ldns_rr* record = ldns_rr_list_rr(records, i);
    if (ldns_rr_get_type(record) != type) continue;
    const bool wanted = std::any_of(names.begin(), names.end(), [&](const ldns_rdf* name) {
      return same_name(ldns_rr_owner(record), name);
    });
    std::string value = wanted ? value_of(record) : std::string();
    if (!value.empty()) values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
    if (!good || ++label > 63) return false;
  }
  return label > 0;
}

std::string name_of_response_code(int code) {
  switch (code) {
    case LDNS_RCODE_NOERROR:
      return "NOERROR";
    case LDNS_RCODE_FORMERR:
      return "FORMERR";
    case LDNS_RCODE_SERVFAIL:
      return "SERVFAIL";
    case LDNS_RCODE_NXDOMAIN:
      return "NXDOMAIN";
    case LDNS_RCODE_NOTIMPL:
      return "NOTIMP";
    case LDNS_RCODE_REFUSED:
      return "REFUSED";
    case LDNS_RCODE_NOTAUTH:
      return "NOTAUTH";
    case LDNS_RCODE_NOTZONE:
      return "NOTZONE";
    default:
      return "response code " + std::to_string(code);
  }
}

const char* name_of(DnsType type) {
  switch (type) {
    case DnsType::a:
      return "A";
    case DnsType::aaaa:
      return "AAAA";
    case DnsType::cname:
      return "CNAME";
    case DnsType::ns:
      return "NS";
    case DnsType::soa:
      return "SOA";
    case DnsType::txt:
      return "TXT";
    case DnsType::caa:
      return "CAA";
  }
  return "A";
}

std::optional<std::string> encode_question(const DnsQuestion& question, std::uint16_t id) {
  Name name = ldns_name(question.name);
  if (!name) return std::nullopt;
  const std::uint16_t flags = question.recursive ? LDNS_RD : 0;
  const Packet packet(
      ldns_pkt_query_new(name.get(), record_type(question.type), LDNS_RR_CLASS_IN, flags));
  if (!packet) return std::nullopt;
  name.release();  // the packet's now
  ldns_pkt_set_id(packet.get(), id);
  ldns_pkt_set_cd(packet.get(), question.checking_disabled);
  return wire(packet.get());
}

std::optional<DnsReply> decode_reply(std::string_view octets, const DnsQuestion& question,
                                     std::uint16_t id) {
  const Name name = ldns_name(question.name);
  const Packet packet = parse_packet(octets);
  if (!packet || !name || ldns_pkt_id(packet.get()) != id ||
      !answers(packet.get(), question, name.get())) {
    return std::nullopt;
  }
  const ldns_rr_list* records = ldns_pkt_answer(packet.get());
  auto names = reachable_names(records, name.get());
  DnsReply reply;
  reply.response_code = ldns_pkt_get_rcode(packet.get());
  reply.truncated = ldns_pkt_tc(packet.get());
  reply.authoritative = ldns_pkt_aa(packet.get());
  reply.name = name_text(names.back());
  if (question.type == DnsType::cname) names.resize(1);
  reply.values = values_in(records, names, record_type(question.type));
  return reply;
}

}  // namespace nolapse
