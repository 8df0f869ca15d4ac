// What Dovecot's configuration says of certificates, of both its generations.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/dovecot/dovecot.conf";

struct Case {
  std::string text;
  Lines lines;
};

}  // namespace

TEST_CASE("certificates are found by name, address and protocol, in both generations' words") {
  const std::string at = "/etc/dovecot/dovecot.conf:";
  const std::vector<Case> cases = {
      {"ssl = yes\nssl_cert = </a.pem\nssl_key = </a.key\n", {at + "2 /a.pem key=/a.key"}},
      {"ssl_cert=< /a.pem\nssl_key=</a.pem # both\n", {at + "1 /a.pem"}},
      {"ssl_server_cert_file = /a.pem\nssl_server_key_file = /a.key\n",
       {at + "1 /a.pem key=/a.key"}},
      {"ssl_cert = </r.pem\nssl_alt_cert = </e.pem\nssl_alt_key = </e.key\n",
       {at + "1 /r.pem", at + "2 /e.pem key=/e.key"}},
      {"ssl_cert = </a.pem\nssl_key = </a.key\n"
       "local_name \"mail.b.test\" {\n  ssl_cert = </b.pem\n  ssl_key = </b.key\n}\n"
       "local 192.0.2.1 {\n protocol imap {\n  ssl_cert = </c.pem\n }\n}\n",
       {at + "1 /a.pem key=/a.key", at + "4 /b.pem key=/b.key names=mail.b.test",
        at + "9 /c.pem key=/a.key"}},
      {"ssl = no\nssl_cert = </a.pem\n", {}},
      {"service imap-login {\n inet_listener imaps {\n  port = 993\n }\n}\nssl_cert =\n", {}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = read_text("dovecot", main_path, each.text);
    CHECK(certificates_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("Dovecot's includes are read from the folder of the file that says them") {
  ConfigFiles files;
  files.add(main_path, "!include conf.d/*.conf\n!include_try local.conf\n!include gone.conf\n");
  files.add("/etc/dovecot/conf.d/10-ssl.conf", "ssl_cert = <private/a.pem\n!include_try x.conf\n");
  const ServerConfiguration found = read_as("dovecot", files, main_path);
  CHECK(certificates_in(found) ==
        Lines{"/etc/dovecot/conf.d/10-ssl.conf:1 /etc/dovecot/conf.d/private/a.pem"});
  CHECK(found.problems ==
        Lines{"/etc/dovecot/dovecot.conf:3: /etc/dovecot/gone.conf: no such file or directory"});
}

TEST_CASE("what of Dovecot's configuration cannot be understood is told") {
  const std::string at = "/etc/dovecot/dovecot.conf";
  CHECK(read_text("dovecot", main_path, "ssl_cert = $other\n").problems ==
        Lines{at + ":1: its value is no file; what it stands for is not read"});
  CHECK(read_text("dovecot", main_path, "protocol imap {\n").problems ==
        Lines{at + ": a { is never closed"});
  CHECK(read_text("dovecot", main_path, "}\n").problems ==
        Lines{at + ":1: a } without a {; what follows may be misread"});
}

}  // namespace nolapse
