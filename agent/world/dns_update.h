// A dynamic update in wire format and what the server said to it. Signed by a shared key where
// there is one; then an answer counts only with the server's own signature. [RFC 2136, RFC 8945]
#pragma once

#include <map>

#include "agent/world/dns_message.h"

namespace nolapse {

class UpdateMessage {
 public:
  explicit UpdateMessage(DnsUpdate update) : update_(std::move(update)) {}

  // Nothing where a name is none, or the value is too long. Signed by the wall clock.
  std::optional<std::string> encode(std::uint16_t id);
  // Nothing when the octets are no answer to the message of that id, or are not signed as they
  // should be. `name` says why, where the signature was not accepted: BADSIG, BADKEY, BADTIME.
  std::optional<DnsReply> decode(std::string_view octets, std::uint16_t id) const;

  const DnsUpdate& update() const { return update_; }

 private:
  const DnsUpdate update_;
  std::map<std::uint16_t, std::string> codes_;  // message authentication codes as sent, by id
};

}  // namespace nolapse
