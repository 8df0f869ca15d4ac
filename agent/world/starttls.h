// The dialogue before TLS begins, on protocols that begin in the clear; octets in, octets out.
//
//   smtp      greeting, EHLO, STARTTLS              [RFC 3207]
//   imap      greeting, STARTTLS                    [RFC 9051 §6.2.1]
//   pop3      greeting, STLS                        [RFC 2595 §4]
//   ldap      the extended request StartTLS         [RFC 4511 §4.14]
//   postgres  SSLRequest                            [PostgreSQL, "Frontend/Backend Protocol"]
#pragma once

#include <string>
#include <string_view>

namespace nolapse {

class StartTls {
 public:
  // An unknown protocol is a fault of the first step.
  explicit StartTls(std::string protocol) : protocol_(std::move(protocol)) {}

  struct Step {
    std::string send;    // before anything else
    bool ready = false;  // TLS may begin
    std::string fault;   // why it never will
  };
  Step begin();
  // All that the server has said since, in pieces of any size.
  Step receive(std::string_view octets);

 private:
  Step receive_line(const std::string& line);
  Step smtp(const std::string& line);
  Step imap(const std::string& line);
  Step pop3(const std::string& line);
  Step ldap();
  Step postgres();

  const std::string protocol_;
  std::string heard_;  // not yet understood
  enum class Stage { greeting, greeted, asked, ready };
  Stage stage_ = Stage::greeting;
  bool offered_ = false;  // smtp: STARTTLS stood in the answer to EHLO
};

}  // namespace nolapse
