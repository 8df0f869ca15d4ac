// The sender of a reply is whoever guessed a port and an id. The question must come back unchanged
// and a record counts only when its owner is the name asked for or the end of a CNAME chain from
// there: anything else in the packet is somebody's wish.
#include "agent/world/dns_message.h"

#include <ldns/ldns.h>

#include <cstdlib>
#include <memory>

#include "acme/identifier.h"

namespace nolapse {
namespace {

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

struct FreeName {
  void operator()(ldns_rdf* name) const { ldns_rdf_deep_free(name); }
};
using Name = std::unique_ptr<ldns_rdf, FreeName>;

ldns_rr_type record_type(DnsQuestion::Type type) {
  return type == DnsQuestion::Type::a ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
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
  if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != question.id) return false;
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

std::vector<std::string> addresses_in(const ldns_rr_list* records, const ldns_rdf* start,
                                      ldns_rr_type type) {
  const auto names = reachable_names(records, start);
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(records); ++i) {
    const ldns_rr* record = ldns_rr_list_rr(records, i);
    const ldns_rdf* data = only_data(record);
    if (ldns_rr_get_type(record) != type || data == nullptr) continue;
    bool wanted = false;
    for (const ldns_rdf* name : names) wanted = wanted || same_name(ldns_rr_owner(record), name);
    if (!wanted) continue;
    const std::unique_ptr<char, decltype(&std::free)> text(ldns_rdf2str(data), &std::free);
    std::string address = text ? acme::canonical_address(text.get()) : std::string();
    if (!address.empty()) addresses.push_back(std::move(address));
  }
  return addresses;
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
    default:
      return "response code " + std::to_string(code);
  }
}

const char* name_of(DnsQuestion::Type type) {
  return type == DnsQuestion::Type::a ? "A" : "AAAA";
}

std::optional<std::string> encode_question(const DnsQuestion& question) {
  if (!is_host_name(question.name)) return std::nullopt;
  ldns_rdf* const name = ldns_dname_new_frm_str((question.name + ".").c_str());
  if (name == nullptr) return std::nullopt;
  const Packet packet(
      ldns_pkt_query_new(name, record_type(question.type), LDNS_RR_CLASS_IN, LDNS_RD));
  if (!packet) {
    ldns_rdf_deep_free(name);
    return std::nullopt;
  }
  ldns_pkt_set_id(packet.get(), question.id);
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&data, packet.get(), &size) != LDNS_STATUS_OK) return std::nullopt;
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(data, &std::free);
  return std::string(reinterpret_cast<const char*>(data), size);
}

std::optional<DnsReply> decode_reply(std::string_view octets, const DnsQuestion& question) {
  const Name name(ldns_dname_new_frm_str((question.name + ".").c_str()));
  ldns_pkt* parsed = nullptr;
  const auto status =
      ldns_wire2pkt(&parsed, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
  const Packet packet(status == LDNS_STATUS_OK ? parsed : nullptr);
  if (!packet || !name || !answers(packet.get(), question, name.get())) return std::nullopt;
  DnsReply reply;
  reply.response_code = ldns_pkt_get_rcode(packet.get());
  reply.truncated = ldns_pkt_tc(packet.get());
  reply.addresses =
      addresses_in(ldns_pkt_answer(packet.get()), name.get(), record_type(question.type));
  return reply;
}

}  // namespace nolapse
