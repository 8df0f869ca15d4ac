#include "agent/world/dns_update.h"

#include "acme/base64url.h"
#include "agent/world/dns_ldns.h"

namespace nolapse {
namespace {

using Records = std::unique_ptr<ldns_rr_list, decltype(&ldns_rr_list_deep_free)>;

constexpr std::size_t longest_string = 255;  // [RFC 1035 §3.3.14]
constexpr std::uint16_t fudge_seconds = 300;

// To be added, or with class NONE and no time to live: to be removed. [RFC 2136 §2.5.1, §2.5.4]
ldns_rr* change(const DnsUpdate& update, Name owner) {
  ldns_rr* const record = ldns_rr_new();
  ldns_rr_set_owner(record, owner.release());
  ldns_rr_set_type(record, LDNS_RR_TYPE_TXT);
  ldns_rr_set_class(record, update.add ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(update.time_to_live);
  ldns_rr_set_ttl(record, update.add ? static_cast<std::uint32_t>(seconds.count()) : 0);
  std::string content(1, static_cast<char>(update.value.size()));
  content += update.value;
  ldns_rr_push_rdf(record,
                   ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, content.size(), content.data()));
  return record;
}

struct TsigText {
  std::string name, secret, algorithm;

  // As ldns takes them.
  explicit TsigText(const TsigKey& key)
      : name(key.name + "."), secret(base64(key.secret)), algorithm(key.algorithm + ".") {}

 private:
  static std::string base64(const std::string& octets) {
    std::string text = acme::base64url_encode(octets);
    for (char& c : text) {
      if (c == '-') c = '+';
      if (c == '_') c = '/';
    }
    while (text.size() % 4 != 0) text += '=';
    return text;
  }
};

constexpr std::size_t code_field = 3;  // in the TSIG record [RFC 8945 §4.2]
constexpr std::size_t error_field = 5;

const char* tsig_error(const ldns_rr* tsig) {
  if (tsig == nullptr || ldns_rr_rd_count(tsig) <= error_field) return "";
  switch (ldns_rdf2native_int16(ldns_rr_rdf(tsig, error_field))) {
    case 16:
      return "BADSIG: the secret is not the server's";
    case 17:
      return "BADKEY: the server has no such key";
    case 18:
      return "BADTIME: this machine's clock and the server's differ";
    default:
      return "";
  }
}

}  // namespace

std::optional<std::string> UpdateMessage::encode(std::uint16_t id) {
  Name zone = ldns_name(update_.zone);
  Name owner = ldns_name(update_.name);
  if (!zone || !owner || update_.value.size() > longest_string) return std::nullopt;
  // ldns loses memory over one that it does not know.
  if (update_.key && update_.key->algorithm != "hmac-sha256" &&
      update_.key->algorithm != "hmac-sha512") {
    return std::nullopt;
  }
  const Records changes(ldns_rr_list_new(), ldns_rr_list_deep_free);
  ldns_rr_list_push_rr(changes.get(), change(update_, std::move(owner)));
  const Packet packet(
      ldns_update_pkt_new(zone.get(), LDNS_RR_CLASS_IN, nullptr, changes.get(), nullptr));
  if (!packet) return std::nullopt;
  zone.release();  // the packet's now
  ldns_pkt_set_id(packet.get(), id);
  if (update_.key) {
    const TsigText key(*update_.key);
    if (ldns_pkt_tsig_sign(packet.get(), key.name.c_str(), key.secret.c_str(), fudge_seconds,
                           key.algorithm.c_str(), nullptr) != LDNS_STATUS_OK) {
      return std::nullopt;
    }
    const ldns_rdf* code = ldns_rr_rdf(ldns_pkt_tsig(packet.get()), code_field);
    codes_[id] =
        std::string(reinterpret_cast<const char*>(ldns_rdf_data(code)), ldns_rdf_size(code));
  }
  return wire(packet.get());
}

std::optional<DnsReply> UpdateMessage::decode(std::string_view octets, std::uint16_t id) const {
  const Packet packet = parse_packet(octets);
  if (!packet || !ldns_pkt_qr(packet.get()) || ldns_pkt_id(packet.get()) != id ||
      ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_UPDATE) {
    return std::nullopt;
  }
  DnsReply reply;
  reply.response_code = ldns_pkt_get_rcode(packet.get());
  reply.name = tsig_error(ldns_pkt_tsig(packet.get()));
  // A refusal may come unsigned: the server may not have the key. [RFC 8945 §5.3.2]
  if (!update_.key || reply.response_code != LDNS_RCODE_NOERROR) return reply;
  const TsigText key(*update_.key);
  const std::string& sent = codes_.at(id);
  const Name code(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, sent.size(), sent.data()));
  const bool genuine =
      ldns_pkt_tsig(packet.get()) != nullptr &&
      ldns_pkt_tsig_verify(packet.get(), reinterpret_cast<const std::uint8_t*>(octets.data()),
                           octets.size(), key.name.c_str(), key.secret.c_str(), code.get());
  if (!genuine) return std::nullopt;
  return reply;
}

}  // namespace nolapse
