// [challenge.NAME] of the DNS: each way into a zone has keys of its own, and what they name is
// looked at before the night on which it is needed.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

const std::string zone = "[challenge.zone]\ntype = \"dns-01\"\n";

std::string by(const std::string& provider, const std::string& keys = "") {
  return zone + "provider = \"" + provider + "\"\n" + keys;
}

TEST_CASE("each way into the DNS takes the keys that the README lists") {
  ConfigFiles files;
  files.add("/opt/dns_cf.sh", "dns_cf_add() {");
  const std::string process = "user = \"dns\"\ntimeout = \"5m\"\nenv = { A = \"b\" }\n";
  const std::string http = "roots = \"/srv/root.pem\"\nproxy = \"http://proxy.example:3128\"\n";
  const std::string token = "token_file = \"/srv/eab.key\"\napi = \"https://own.example/v1/\"\n";
  for (const std::string& text : {
           by("rfc2136",
              "server = \"192.0.2.53:53\"\ntsig_key_file = \"/srv/eab.key\"\n"
              "zone = \"shop.example\"\n"),
           by("exec", "program = \"/hooks/nginx\"\n" + process),
           by("acme.sh",
              "script = \"/opt/dns_cf.sh\"\nenv_file = \"/srv/eab.key\"\n"
              "shim = \"/hooks/nginx\"\n" +
                  process),
           by("lego-exec", "program = \"/hooks/nginx\"\nmode = \"RAW\"\n" + process),
           by("certbot-hook",
              "auth_hook = \"/hooks/nginx\"\ncleanup_hook = \"/hooks/nginx\"\n" + process),
           by("httpreq",
              "endpoint = \"http://[::1]:80/x\"\nusername = \"shop\"\n"
              "password_file = \"/srv/eab.key\"\nmode = \"RAW\"\n" +
                  http),
           by("acme-dns",
              "credentials_file = \"/srv/eab.key\"\napi = \"https://own.example\"\n" + http),
           by("cloudflare", token + http),
           by("digitalocean", token + http),
           by("hetzner", token + http),
           by("gandi", token + http),
           by("desec", token + http),
           by("route53",
              "access_key_id = \"AKID\"\nsecret_access_key_file = \"/srv/eab.key\"\n"
              "session_token_file = \"/srv/eab.key\"\napi = \"https://own.example\"\n" +
                  http),
       }) {
    CAPTURE(text);
    files.add(main_file, with_ca(text));
    CHECK(problems_in(files).empty());
  }
}

TEST_CASE("what a way into the DNS is given arrives there") {
  const Config config =
      config_of(with_ca(by("exec",
                           "program = \"/hooks/nginx\"\ntimeout = \"2m\"\nuser = \"dns\"\n"
                           "env = { A = \"b\" }\n")));
  const ChallengeConfig& challenge = config.challenges.at("zone");
  CHECK(challenge.provider == "exec");
  CHECK(challenge.settings == std::map<std::string, std::string>{{"program", "/hooks/nginx"},
                                                                 {"timeout", "120"},
                                                                 {"user", "dns"}});
  CHECK(challenge.environment == std::map<std::string, std::string>{{"A", "b"}});
  const Config http = config_of(
      with_ca(by("gandi", "token_file = \"/srv/eab.key\"\napi = \"https://a.example//\"")));
  CHECK(http.challenges.at("zone").settings.at("api") == "https://a.example");
}

TEST_CASE("a mistake on the way into the DNS is named with its fix") {
  const std::string at = ": challenge.zone.";
  const std::string plain =
      "; write https://HOST/PATH; http:// is for this host's own address only";
  check_cases({
      {with_ca(by("exce")),
       {":3" + at +
        "provider: \"exce\" is no way into the DNS; did you mean \"exec\"? known are: rfc2136, "
        "exec, lego-exec, httpreq, acme.sh, certbot-hook, acme-dns, cloudflare, digitalocean, "
        "hetzner, gandi, desec, route53"}},
      {with_ca(by("exec")),
       {":1" + at +
        "program: is missing, and exec needs it; add program = \"...\" as the README shows"}},
      {with_ca(by("exec", "program = \"nginx\"")),
       {":4" + at +
        "program: \"nginx\" is not an absolute path; write the program's path, which begins with "
        "/; no shell reads it, so options need a script of their own"}},
      {with_ca(by("exec", "program = \"/hooks/lib.sh\"")),
       {":4" + at + "program: /hooks/lib.sh is not executable; run: chmod +x /hooks/lib.sh"}},
      {with_ca(by("exec", "program = \"/hooks/none\"")),
       {":4" + at + "program: /hooks/none does not exist; create it, or correct the path"}},
      {with_ca(by("exec", "program = \"/hooks/nginx\"\ntoken_file = \"/srv/eab.key\"")),
       {":5" + at + "token_file: unknown key; remove it; the nearest known key is \"type\""}},
      {with_ca(by("acme.sh", "script = \"/hooks/nginx\"")),
       {":4" + at +
        "script: \"nginx\" is no name of an acme.sh DNS script; name a script such as "
        "/opt/acme.sh/dnsapi/dns_cf.sh"}},
      {with_ca(by("lego-exec", "program = \"/hooks/nginx\"\nmode = \"raw\"")),
       {":5" + at +
        "mode: \"raw\" is no mode of lego's; write \"RAW\", or remove it for the default"}},
      {with_ca(by("httpreq", "endpoint = \"http://dns.example\"")),
       {":4" + at + "endpoint: \"http://dns.example\" is not an https URL" + plain}},
      {with_ca(by("httpreq", "endpoint = \"http://127.0.0.1.example\"")),
       {":4" + at + "endpoint: \"http://127.0.0.1.example\" is not an https URL" + plain}},
      {with_ca(by("httpreq", "endpoint = \"https://user:pass@dns.example\"")),
       {":4" + at +
        "endpoint: holds a user name or password, and secrets are never in this file; write it "
        "without them"}},
      {with_ca(by("cloudflare", "token_file = \"/nowhere\"")),
       {":4" + at + "token_file: /nowhere does not exist; create it, or correct the path"}},
  });
}

TEST_CASE("a secret's file that is empty is named before the night on which it is needed") {
  ConfigFiles files;
  for (const std::string content : {"", " \n"}) {
    files.add("/srv/empty", content);
    files.add(main_file, with_ca(by("cloudflare", "token_file = \"/srv/empty\"")));
    const auto problems = problems_in(files);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].find("zone.token_file: /srv/empty is empty; write into it") !=
          std::string::npos);
  }
}

}  // namespace
}  // namespace nolapse
