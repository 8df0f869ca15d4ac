#include "agent/world/starttls.h"

#include <algorithm>
#include <cctype>

#include "acme/json_read.h"

namespace nolapse {
namespace {

// No server has more to say before TLS.
constexpr std::size_t longest_line = 4096;
constexpr std::size_t most_unread = 16384;

StartTls::Step say(std::string text) {
  return {std::move(text), false, {}};
}

StartTls::Step fault(const std::string& what, const std::string& line = {}) {
  return {{}, false, line.empty() ? what : what + ": " + acme::printable(line, 200)};
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return text;
}

}  // namespace

StartTls::Step StartTls::begin() {
  if (protocol_ == "ldap") {
    // LDAPMessage { 1, ExtendedRequest { requestName 1.3.6.1.4.1.1466.20037 } }
    return say(
        "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
        "1.3.6.1.4.1.1466.20037");
  }
  if (protocol_ == "postgres") return say(std::string("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8));
  if (protocol_ == "smtp" || protocol_ == "imap" || protocol_ == "pop3") return {};
  return fault("nolapse knows no STARTTLS for \"" + protocol_ + "\"");
}

StartTls::Step StartTls::receive(std::string_view octets) {
  heard_ += octets;
  if (heard_.size() > most_unread) return fault("the server says more than it should before TLS");
  if (protocol_ == "ldap") return ldap();
  if (protocol_ == "postgres") return postgres();
  Step all;
  for (std::size_t end = heard_.find('\n'); end != std::string::npos; end = heard_.find('\n')) {
    std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    Step step = receive_line(line);
    all.send += step.send;
    if (!step.fault.empty()) return step;
    // What came in the clear must not be taken for something said under TLS. [RFC 3207 §4.2]
    if (step.ready && !heard_.empty()) return fault("the server went on talking in the clear");
    all.ready = step.ready;
  }
  if (heard_.size() > longest_line) return fault("the server says more than it should before TLS");
  return all;
}

StartTls::Step StartTls::receive_line(const std::string& line) {
  if (protocol_ == "smtp") return smtp(line);
  return protocol_ == "imap" ? imap(line) : pop3(line);
}

// "250-STARTTLS" and so on; the last line of an answer has a space behind its number.
StartTls::Step StartTls::smtp(const std::string& line) {
  const bool last = line.size() < 4 || line[3] != '-';
  if (stage_ == Stage::greeting) {
    if (!line.starts_with("220")) return fault("no SMTP greeting", line);
    if (!last) return {};
    stage_ = Stage::greeted;
    return say("EHLO nolapse\r\n");
  }
  if (stage_ == Stage::greeted) {
    if (!line.starts_with("250")) return fault("EHLO was refused", line);
    if (line.size() > 4 && upper(line.substr(4)).starts_with("STARTTLS")) offered_ = true;
    if (!last) return {};
    if (!offered_) return fault("the server does not offer STARTTLS");
    stage_ = Stage::asked;
    return say("STARTTLS\r\n");
  }
  if (!line.starts_with("220")) return fault("STARTTLS was refused", line);
  return {{}, last, {}};
}

StartTls::Step StartTls::imap(const std::string& line) {
  if (stage_ == Stage::greeting) {
    if (!upper(line).starts_with("* OK")) return fault("no IMAP greeting", line);
    stage_ = Stage::asked;
    return say("n1 STARTTLS\r\n");
  }
  if (line.starts_with("* ")) return {};
  if (!upper(line).starts_with("N1 OK")) return fault("STARTTLS was refused", line);
  return {{}, true, {}};
}

StartTls::Step StartTls::pop3(const std::string& line) {
  if (!line.starts_with("+OK")) {
    return fault(stage_ == Stage::greeting ? "no POP3 greeting" : "STLS was refused", line);
  }
  if (stage_ == Stage::asked) return {{}, true, {}};
  stage_ = Stage::asked;
  return say("STLS\r\n");
}

// LDAPMessage { messageID, ExtendedResponse { resultCode ENUMERATED … } }: short enough for lengths
// of one octet; what is longer is a refusal with a long text.
StartTls::Step StartTls::ldap() {
  constexpr unsigned char sequence = 0x30;
  constexpr unsigned char extended_response = 0x78;
  const auto octet = [this](std::size_t at) { return static_cast<unsigned char>(heard_[at]); };
  if (heard_.empty()) return {};
  if (octet(0) != sequence) return fault("what answers there does not speak LDAP");
  if (heard_.size() < 10) return {};
  std::size_t at = 2;
  if (octet(1) > 0x80) at += octet(1) & 0x7fU;  // the length's own length
  at += 3;                                      // messageID, which is 1
  if (heard_.size() < at + 2) return {};
  if (octet(at) != extended_response) return fault("what answers there does not speak LDAP");
  at += octet(at + 1) > 0x80 ? 2U + (octet(at + 1) & 0x7fU) : 2U;
  if (heard_.size() < at + 3) return {};
  if (octet(at + 2) == 0) return {{}, true, {}};
  return fault("StartTLS was refused with the LDAP result " + std::to_string(octet(at + 2)));
}

StartTls::Step StartTls::postgres() {
  if (heard_.empty()) return {};
  if (heard_ == "S") return {{}, true, {}};
  if (heard_ == "N") return fault("the server has TLS switched off");
  return fault("what answers there does not speak PostgreSQL's protocol");
}

}  // namespace nolapse
