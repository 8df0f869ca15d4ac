// The ways into the DNS that are somebody else's programs: what each is given, and what becomes of
// what it says.
#include <doctest/doctest.h>

#include "tests/agent/solvers/provider_fixture.h"

namespace nolapse {
namespace {

using Variables = std::map<std::string, std::string>;
using Ending = ProcessResult::Ending;

constexpr const char* path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What the program at `path` was run with; it ends as `result` says.
ProcessSpec& program_at(ProviderFixture& fixture, const std::string& at,
                        ProcessResult result = {Ending::exited, 0, "", ""}) {
  static ProcessSpec seen;
  seen = {};
  fixture.fake.processes.add(at, {[result](const ProcessSpec& spec) {
                               seen = spec;
                               return result;
                             }});
  return seen;
}

std::string words(const ProcessSpec& spec) {
  std::string text;
  for (const std::string& word : spec.argv) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST_CASE("exec gives the record as arguments, and more of it in a complete environment") {
  ProviderFixture fixture("exec", {{"program", "/srv/dns"}, {"user", "dns"}, {"timeout", "7"}});
  fixture.challenge.environment = {{"SERVER", "ns1"}, {"NOLAPSE_ZONE", "not this one"}};
  const ProcessSpec& seen = program_at(fixture, "/srv/dns");
  CHECK(fixture.add() == "");
  CHECK(words(seen) == "/srv/dns add _acme-challenge.www.shop.example v4lue");
  CHECK(seen.environment == Variables{{"PATH", path},
                                      {"SERVER", "ns1"},
                                      {"NOLAPSE_DOMAIN", "www.shop.example"},
                                      {"NOLAPSE_RECORD_NAME", "_acme-challenge.www.shop.example"},
                                      {"NOLAPSE_RECORD_VALUE", "v4lue"},
                                      {"NOLAPSE_ZONE", "shop.example"}});
  CHECK(seen.user == "dns");
  CHECK(seen.deadline == std::chrono::seconds(7));
  CHECK(fixture.remove() == "");
  CHECK(words(seen) == "/srv/dns remove _acme-challenge.www.shop.example v4lue");
}

TEST_CASE("a provider's program that fails is quoted with its last words") {
  struct Case {
    ProcessResult result;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{Ending::exited, 3, "out", "first\nno such zone\n"},
       "failed with status 3: first no such zone"},
      {{Ending::exited, 1, "only\nthis\n", ""}, "failed with status 1: this"},
      {{Ending::exited, 75, "", ""}, "failed with status 75; it said nothing"},
      {{Ending::signalled, 9, "", "\x1b[2Jouch"}, "was ended by signal 9:  [2Jouch"},
      {{Ending::timed_out, 0, "", "waiting"}, "did not end within 2m and was killed: waiting"},
  };
  for (const Case& each : cases) {
    ProviderFixture fixture("exec", {{"program", "/srv/dns"}});
    program_at(fixture, "/srv/dns", each.result);
    CHECK(fixture.add() == "DNS_PROVIDER_FAILED: /srv/dns add " + each.message);
  }
}

TEST_CASE("a provider's program that is gone is an error of this host") {
  ProviderFixture fixture("exec", {{"program", "/srv/dns"}});
  CHECK(fixture.add() == "PROCESS_NOT_STARTED: /srv/dns: no such file or directory");
}

const std::map<std::string, std::string> acme_sh = {
    {"script", "/opt/acme.sh/dnsapi/dns_cf.sh"}, {"shim", "/shim"}, {"env_file", "/etc/cf.env"}};

TEST_CASE("acme.sh runs the script through the shim, with what the file exports") {
  ProviderFixture fixture("acme.sh", acme_sh);
  fixture.challenge.environment = {{"CF_Account_ID", "shop"}};
  fixture.fake.files.put("/etc/cf.env",
                         "# for acme.sh\n\n  export CF_Token='s3cret t=oken'\r\n"
                         "CF_Zone_ID=\"z1\"\nCF_Email = \n_x1='a\n");
  const ProcessSpec& seen = program_at(fixture, "/shim");
  CHECK(fixture.add() == "BAD_ENV_FILE: /etc/cf.env:5: is not NAME=VALUE");

  fixture.fake.files.put("/etc/cf.env",
                         "# for acme.sh\n\n  export CF_Token='s3cret t=oken'\r\n"
                         "CF_Zone_ID=\"z1\"\nCF_Email=\n_x1='a\n");
  CHECK(fixture.add() == "");
  CHECK(words(seen) ==
        "/shim /opt/acme.sh/dnsapi/dns_cf.sh add _acme-challenge.www.shop.example v4lue");
  CHECK(seen.environment == Variables{{"PATH", path},
                                      {"CF_Account_ID", "shop"},
                                      {"CF_Token", "s3cret t=oken"},
                                      {"CF_Zone_ID", "z1"},
                                      {"CF_Email", ""},
                                      {"_x1", "'a"}});
  CHECK(fixture.remove() == "");
  CHECK(words(seen) ==
        "/shim /opt/acme.sh/dnsapi/dns_cf.sh rm _acme-challenge.www.shop.example v4lue");
}

TEST_CASE("what an environment file holds is not quoted, not even its mistakes") {
  for (const char* line :
       {"CF_Token s3cret", "=s3cret", "1A=s3cret", "s3cret", "A-B=s3cret", "PATH=s3cret"}) {
    ProviderFixture fixture("acme.sh", acme_sh);
    fixture.fake.files.put("/etc/cf.env", line);
    CHECK(fixture.add() == "BAD_ENV_FILE: /etc/cf.env:1: is not NAME=VALUE");
  }
}

TEST_CASE("a script that prints its secrets does not get them into a message") {
  ProviderFixture fixture("acme.sh", acme_sh);
  fixture.fake.files.put("/etc/cf.env", "CF_Token=s3cret-token\nCF_Email=a@b\n");
  program_at(fixture, "/shim",
             {Ending::exited, 1, "", "s3cret-token is wrong (s3cret-token) for a@b"});
  CHECK(fixture.add() ==
        "DNS_PROVIDER_FAILED: /opt/acme.sh/dnsapi/dns_cf.sh add failed with status 1: *** is wrong "
        "(***) for a@b");
  program_at(fixture, "/shim", {Ending::exited, 1, "s3cret-token", ""});
  CHECK(fixture.add() ==
        "DNS_PROVIDER_FAILED: /opt/acme.sh/dnsapi/dns_cf.sh add failed with status 1: ***");
}

TEST_CASE("a missing environment file stops acme.sh before the script runs") {
  ProviderFixture fixture("acme.sh", acme_sh);
  program_at(fixture, "/shim");
  CHECK(fixture.add().starts_with("FILE_MISSING: /etc/cf.env"));
  CHECK(fixture.fake.processes.started().empty());
}

TEST_CASE("lego-exec calls a program as lego does, in both of its modes") {
  ProviderFixture fixture("lego-exec", {{"program", "/srv/dns"}});
  const ProcessSpec& seen = program_at(fixture, "/srv/dns");
  CHECK(fixture.add() == "");
  CHECK(words(seen) == "/srv/dns present _acme-challenge.www.shop.example. v4lue");
  CHECK(fixture.remove() == "");
  CHECK(words(seen) == "/srv/dns cleanup _acme-challenge.www.shop.example. v4lue");

  fixture.challenge.settings["mode"] = "RAW";
  CHECK(fixture.add() == "");
  CHECK(words(seen) == "/srv/dns present -- www.shop.example t0ken t0ken.thumb");
}

const std::map<std::string, std::string> certbot = {{"auth_hook", "/auth"},
                                                    {"cleanup_hook", "/cleanup"}};

TEST_CASE("certbot-hook speaks certbot's environment, and the second hook learns from the first") {
  ProviderFixture fixture("certbot-hook", certbot);
  Variables expected = {{"PATH", path},
                        {"CERTBOT_DOMAIN", "www.shop.example"},
                        {"CERTBOT_IDENTIFIER", "www.shop.example"},
                        {"CERTBOT_VALIDATION", "v4lue"},
                        {"CERTBOT_ALL_DOMAINS", "www.shop.example"},
                        {"CERTBOT_ALL_IDENTIFIERS", "www.shop.example"},
                        {"CERTBOT_REMAINING_CHALLENGES", "0"}};
  ProcessSpec seen;
  fixture.fake.processes.add("/auth", {[&seen](const ProcessSpec& spec) {
                               seen = spec;
                               return ProcessResult{Ending::exited, 0, " id 17\n", "chat"};
                             }});
  fixture.fake.processes.add("/cleanup", {[&seen](const ProcessSpec& spec) {
                               seen = spec;
                               return ProcessResult{Ending::exited, 0, "", ""};
                             }});
  CHECK(fixture.add() == "");
  CHECK(words(seen) == "/auth");
  CHECK(seen.environment == expected);

  expected["CERTBOT_AUTH_OUTPUT"] = "id 17";
  CHECK(fixture.remove() == "");
  CHECK(words(seen) == "/cleanup");
  CHECK(seen.environment == expected);

  // As after a restart.
  expected["CERTBOT_AUTH_OUTPUT"] = "";
  CHECK(fixture.remove() == "");
  CHECK(seen.environment == expected);
}

TEST_CASE("without a cleanup hook certbot-hook leaves the record alone") {
  ProviderFixture fixture("certbot-hook", {{"auth_hook", "/auth"}});
  CHECK(fixture.remove() == "");
  CHECK(fixture.fake.processes.started().empty());
}

}  // namespace
}  // namespace nolapse
