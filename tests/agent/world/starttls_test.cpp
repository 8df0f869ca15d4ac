// The dialogue before TLS, as servers of each kind lead it.
#include "agent/world/starttls.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace nolapse;

namespace {

// What came of a dialogue: "<said>" for what was sent, then "ready", "…" or the fault.
std::string dialogue(const std::string& protocol, const std::vector<std::string>& server) {
  StartTls client(protocol);
  StartTls::Step step = client.begin();
  std::string said = step.send;
  for (const std::string& words : server) {
    if (!step.fault.empty() || step.ready) break;
    step = client.receive(words);
    said += step.send;
  }
  return "<" + said + "> " + (!step.fault.empty() ? step.fault : step.ready ? "ready" : "…");
}

const std::string ldap_request =
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
    "1.3.6.1.4.1.1466.20037";
const std::string postgres_request("\0\0\0\x08\x04\xd2\x16\x2f", 8);

std::string ldap_response(unsigned char result) {
  std::string response("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01", 9);
  response += static_cast<char>(result);
  return response + std::string("\x04\0\x04\0", 4);
}

}  // namespace

TEST_CASE("each protocol's dialogue ends where TLS begins") {
  struct Row {
    const char* protocol;
    std::vector<std::string> server;
    std::string result;
  };
  const Row rows[] = {
      {"smtp",
       {"220-mail.test ESMTP\r\n220 ready\r\n",
        "250-mail.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n", "220 go ahead\r\n"},
       "<EHLO nolapse\r\nSTARTTLS\r\n> ready"},
      {"smtp",
       {"220 a\r\n", "250 starttls\r\n", "220 go\r\n"},
       "<EHLO nolapse\r\nSTARTTLS\r\n> ready"},
      {"smtp", {"22", "0 a\r", "\n"}, "<EHLO nolapse\r\n> …"},
      {"smtp", {"554 no\r\n"}, "<> no SMTP greeting: 554 no"},
      {"smtp",
       {"220 a\r\n", "250-a\r\n250 SIZE\r\n"},
       "<EHLO nolapse\r\n> the server does not offer STARTTLS"},
      {"smtp",
       {"220 a\r\n", "250-a\r\n250-STARTTLS\r\n250 SIZE\r\n", "454 not now\r\n"},
       "<EHLO nolapse\r\nSTARTTLS\r\n> STARTTLS was refused: 454 not now"},
      {"smtp",
       {"220 a\r\n", "250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"},
       "<EHLO nolapse\r\nSTARTTLS\r\n> the server went on talking in the clear"},
      {"imap",
       {"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", "* BYE soon\r\nn1 OK begin\r\n"},
       "<n1 STARTTLS\r\n> ready"},
      {"imap",
       {"* OK hi\r\n", "n1 BAD unknown\r\n"},
       "<n1 STARTTLS\r\n> STARTTLS was refused: n1 BAD unknown"},
      {"pop3", {"+OK hi\r\n", "+OK begin\r\n"}, "<STLS\r\n> ready"},
      {"pop3", {"+OK hi\r\n", "-ERR no\r\n"}, "<STLS\r\n> STLS was refused: -ERR no"},
      {"pop3", {"* OK hi\r\n"}, "<> no POP3 greeting: * OK hi"},
      {"ldap", {ldap_response(0)}, "<" + ldap_request + "> ready"},
      {"ldap",
       {ldap_response(0).substr(0, 4), ldap_response(0).substr(4)},
       "<" + ldap_request + "> ready"},
      {"ldap",
       {ldap_response(52)},
       "<" + ldap_request + "> StartTLS was refused with the LDAP result 52"},
      {"ldap",
       {"HTTP/1.1 400 Bad Request"},
       "<" + ldap_request + "> what answers there does not speak LDAP"},
      {"postgres", {"S"}, "<" + postgres_request + "> ready"},
      {"postgres", {"N"}, "<" + postgres_request + "> the server has TLS switched off"},
      {"postgres",
       {"E"},
       "<" + postgres_request + "> what answers there does not speak PostgreSQL's protocol"},
      {"ftp", {}, "<> nolapse knows no STARTTLS for \"ftp\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.protocol);
    CHECK(dialogue(row.protocol, row.server) == row.result);
  }
}

TEST_CASE("a server that never stops talking is not listened to for ever") {
  CHECK(dialogue("smtp", {std::string(5000, 'x')}) ==
        "<> the server says more than it should before TLS");
  StartTls client("imap");
  client.begin();
  client.receive("* OK hi\r\n");
  StartTls::Step step;
  for (int i = 0; i < 100 && step.fault.empty(); ++i) step = client.receive(std::string(300, '*'));
  CHECK_FALSE(step.fault.empty());
}
