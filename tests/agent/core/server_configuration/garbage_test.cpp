// Configurations as broken disks, editors and attackers leave them: whatever is read, reading ends,
// soon, and tells of it. The cases are made from a fixed seed.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <random>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

struct Sample {
  const char* server;
  const char* text;
};

constexpr std::array<Sample, 6> samples = {{
    {"nginx",
     "http { upstream u { server 10.0.0.1:443; } server { listen 443 ssl; server_name \"a.test\";\n"
     "ssl_certificate /a.pem; location / { set $x https://u; proxy_pass $x; } include *.conf; } }"},
    {"apache",
     "Define A /x\n<IfModule a>\n<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile ${A}/a\\\n"
     "ServerName \"a.test\"\n<Proxy balancer://p>\nBalancerMember https://[::1]:1\n</Proxy>\n"
     "ProxyPass / balancer://p/\n</VirtualHost>\n</IfModule>\nInclude *.conf"},
    {"haproxy",
     "global\nsetenv A b\ncrt-base /c\nfrontend f\nbind [::]:443,:1-2 ssl crt \"${A}/a.pem\"\n"
     "bind :444 ssl crt-list /list\nbackend b\ndefault-server ssl verify none\n"
     "server s fd00::1:443 sni str(a.test) ca-file @system-ca\ncrt-store s\nload crt a key b"},
    {"caddy",
     "{\n storage file_system /s\n}\n(p) {\n tls /a /b\n}\na.test, https://b.test:1 {\n import p\n"
     " respond `x` \"y\\\"\"\n}\nimport *.conf"},
    {"postfix",
     "a = $b\nb = ${a}x\nsmtpd_tls_cert_file = /$(a)/c\nsmtpd_tls_chain_files = /c,\n /d"},
    {"dovecot",
     "ssl_cert = </a\nlocal_name \"a.test\" {\n ssl_cert=<b\n}\n!include_try *.conf\nssl_key = <"},
}};

// A fixed generator; distributions differ between builds, so none is used.
class Choices {
 public:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(engine_()) % limit; }

 private:
  std::mt19937_64 engine_{20261127};
};

std::string damaged(std::string text, Choices& choices) {
  constexpr std::string_view nasty("\0\n\\\"'{}<>;$#=,!:[]()@/*\xff ", 26);
  if (text.empty()) return text;
  switch (choices.below(5)) {
    case 0:
      return text.substr(0, choices.below(text.size() + 1));
    case 1:
      return text.substr(choices.below(text.size()));
    case 2:
      return text + text.substr(choices.below(text.size()));
    default:
      break;
  }
  for (std::size_t count = choices.below(8) + 1; count > 0 && !text.empty(); --count) {
    const char c = nasty[choices.below(nasty.size())];
    const std::size_t at = choices.below(text.size());
    if (choices.below(2) == 0) {
      text[at] = c;
    } else {
      text.insert(at, 1 + choices.below(3), c);
    }
  }
  return text;
}

}  // namespace

TEST_CASE("whatever a damaged configuration holds, reading it ends with an answer") {
  Choices choices;
  std::size_t found = 0;
  for (int round = 0; round < 3000; ++round) {
    const Sample& sample = samples.at(choices.below(samples.size()));
    ConfigFiles files;
    const std::string folder = "/etc/server/";
    const std::string text = damaged(sample.text, choices);
    files.add(folder + "main", text);
    files.add(folder + "a.conf", damaged(text, choices));
    files.add(folder + "b.conf", damaged(samples.at(choices.below(samples.size())).text, choices));
    files.add("/list", damaged("/a.pem [alpn h2] a.test !b\n", choices));
    const ServerConfiguration configuration = read_as(sample.server, files, folder + "main");
    found += configuration.certificates.size();
    for (const ShownCertificate& shown : configuration.certificates) {
      REQUIRE(shown.certificate_file.front() == '/');
    }
  }
  CHECK(found > 1000);
}

TEST_CASE("files that include one another without end, deep nests and floods end in a problem") {
  for (const Sample& sample : samples) {
    CAPTURE(sample.server);
    const auto begin = std::chrono::steady_clock::now();
    for (const char* flood : {"{", "<a>\n", "a {\n", "\"", "x \\\n", "$a ", "[", "((", "}\n"}) {
      std::string text;
      while (text.size() < (1u << 20)) text += flood;
      const ServerConfiguration found = read_text(sample.server, "/etc/server/main", text);
      CHECK(found.problems.size() <= 201);
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
  }
  ConfigFiles files;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    // Ten times the next one: ten to the power of sixty without a limit.
    for (int line = 0; line < 10; ++line) text += "include " + std::to_string(i + 1) + ";\n";
    files.add("/etc/nginx/" + std::to_string(i), text);
  }
  const ServerConfiguration found = read_as("nginx", files, "/etc/nginx/0");
  REQUIRE_FALSE(found.problems.empty());
  CHECK(found.files.size() == 30);
}

}  // namespace nolapse
