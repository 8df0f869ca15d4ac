// What main.cf and master.cf say of certificates, as Postfix reads them.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/postfix/main.cf";

struct Case {
  std::string text;
  Lines lines;
};

}  // namespace

TEST_CASE("the certificates of main.cf are found, with variables and continued lines") {
  const std::string at = "/etc/postfix/main.cf:";
  const std::vector<Case> cases = {
      {"smtpd_tls_cert_file=/a.pem\nsmtpd_tls_key_file = /a.key\n", {at + "1 /a.pem key=/a.key"}},
      {"smtpd_tls_cert_file = /both.pem\nsmtpd_tls_key_file = $smtpd_tls_cert_file\n",
       {at + "1 /both.pem"}},
      {"dir = /etc/ssl\n# a comment\nsmtpd_tls_cert_file =\n   # another\n  ${dir}/a.pem\n"
       "smtpd_tls_eccert_file = $(dir)/e.pem\nsmtpd_tls_eckey_file = $dir/e.key\n",
       {at + "3 /etc/ssl/a.pem", at + "6 /etc/ssl/e.pem key=/etc/ssl/e.key"}},
      {"smtpd_tls_cert_file = /old.pem\nsmtpd_tls_cert_file = /new.pem\n", {at + "2 /new.pem"}},
      {"smtpd_tls_cert_file = /unused.pem\nsmtpd_tls_chain_files =\n /r.pem,\n /e.pem\n",
       {at + "2 /r.pem", at + "2 /e.pem"}},
      {"smtpd_tls_cert_file = none\n", {}},
      {"a = $b\nb = $a\nsmtpd_tls_cert_file = /x$a/y.pem\n", {at + "3 /x/y.pem"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = read_text("postfix", main_path, each.text);
    CHECK(certificates_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("master.cf says where the certificates are shown, and which service has its own") {
  ConfigFiles files;
  files.add(main_path, "smtpd_tls_cert_file = /a.pem\n");
  files.add("/etc/postfix/master.cf",
            "smtp      inet  n       -       y       -       -       smtpd\n"
            "pickup    unix  n       -       y       60      1       pickup\n"
            "submission inet n - y - - smtpd\n  -o syslog_name=x\n"
            "  -o { smtpd_tls_cert_file = /sub.pem }\n"
            "#smtps inet n - y - - smtpd\n"
            "10.0.0.1:465 inet n - y - - smtpd\n"
            "127.0.0.1:10025 inet n - y - - smtpd -o smtpd_tls_security_level=none\n");
  const ServerConfiguration found = read_as("postfix", files, main_path);
  CHECK(certificates_in(found) == Lines{"/etc/postfix/master.cf:3 /sub.pem listens=587",
                                        "/etc/postfix/main.cf:1 /a.pem listens=25,10.0.0.1:465"});
  CHECK(found.problems == Lines{});
}

TEST_CASE("what Postfix looks up for each name is said not to be read") {
  const ServerConfiguration found =
      read_text("postfix", main_path, "tls_server_sni_maps = hash:/etc/postfix/sni\n");
  CHECK(found.problems ==
        Lines{"/etc/postfix/main.cf:1: the certificates of tls_server_sni_maps are not read; look "
              "at them by name, as endpoints"});
}

}  // namespace nolapse
