// Reading the configuration: what good files mean, where they are looked for, and how several
// files become one configuration.
#include "agent/core/config.h"

#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

constexpr const char* everything = R"(
state_dir      = "state"
contact        = ["mailto:ops@shop.example", "mailto:noc@shop.example"]
resolver       = "[::1]:5353"
hook_directory = "/hooks/"

[[ca]]
name      = "letsencrypt"
directory = "https://acme.example/directory"
staging   = "https://staging.acme.example/directory"
terms_of_service_agreed = true
profile   = "shortlived"
preferred_chain  = "Root X1"
account_key_type = "ecdsa-p384"
proxy     = "http://proxy.example:3128"

[[ca]]
name      = "own"
directory = "https://ca.internal:9000/acme/directory"
terms_of_service_agreed = true
roots        = "/srv/root.pem"
issuer_roots = "root.pem"
eab_key_id   = "kid-1"
eab_hmac_key_file = "/srv/eab.key"

[challenge.web]
type = "http-01"
listen = "0.0.0.0:5002"
validation_port = 5002
[challenge.files]
type = "http-01"
webroot = "/srv/www"

[[certificate]]
name      = "shop"
domains   = ["Shop.Example", "www.shop.example", "192.0.2.7", "2001:DB8:0:0::1"]
challenge = "files"
key       = "rsa-3072"
reuse_key = true
ca        = ["own", "letsencrypt"]
deploy    = ["nginx", "custom"]
endpoints = ["shop.example:443", "10.0.0.7:8443", "[2001:db8::1]:443#www.shop.example"]
renew_before = "20d"
profile   = "tlsserver"
group     = "ssl-cert"

[[certificate]]
name    = "mail"
domains = ["mail.shop.example"]
ca      = "own"
deploy  = "nginx"
endpoints = []

[deploy.nginx]
hook = "nginx"
kind = "nolapse"
[deploy.custom]
hook    = "/hooks/haproxy"
user    = "haproxy"
timeout = "5m"
env     = { HAPROXY_SOCKET = "/run/haproxy.sock", EMPTY = "" }
)";

Config config_of_everything() {
  ConfigFiles files;
  files.add(main_file, everything);
  files.add("/etc/nolapse/root.pem", "-----BEGIN CERTIFICATE-----\n");
  ConfigResult result = load_config(files, main_file);
  for (const auto& problem : result.problems) FAIL_CHECK(problem.text());
  return result.config;
}

TEST_CASE("every global setting and every key of a CA has its value") {
  const Config config = config_of_everything();
  CHECK(config.state_directory == "/etc/nolapse/state");
  CHECK(config.hook_directory == "/hooks");
  CHECK(config.contact ==
        std::vector<std::string>{"mailto:ops@shop.example", "mailto:noc@shop.example"});
  CHECK(config.resolver == "[::1]:5353");
  CHECK(config.files == std::vector<std::string>{main_file});

  REQUIRE(config.cas.size() == 2);
  const CaConfig& first = config.cas[0];
  CHECK(first.name == "letsencrypt");
  CHECK(first.directory == "https://acme.example/directory");
  CHECK(first.staging == "https://staging.acme.example/directory");
  CHECK(first.terms_of_service_agreed);
  CHECK(first.profile == "shortlived");
  CHECK(first.preferred_chain == "Root X1");
  CHECK(first.account_key_type == acme::KeyType::ecdsa_p384);
  CHECK(first.proxy == "http://proxy.example:3128");
  const CaConfig* own = config.find_ca("own");
  REQUIRE(own != nullptr);
  CHECK(own->roots_file == "/srv/root.pem");
  CHECK(own->issuer_roots_file == "/etc/nolapse/root.pem");
  CHECK(own->eab_key_id == "kid-1");
  CHECK(own->eab_hmac_key_file == "/srv/eab.key");
  CHECK(own->account_key_type == acme::KeyType::ecdsa_p256);
  CHECK(config.find_ca("other") == nullptr);
}

TEST_CASE("every key of a challenge and of a deploy target has its value") {
  const Config config = config_of_everything();
  CHECK(config.challenges.at("web").type == "http-01");
  CHECK(config.challenges.at("web").listen == "0.0.0.0:5002");
  CHECK(config.challenges.at("web").webroot.empty());
  CHECK(config.challenges.at("web").validation_port == 5002);
  CHECK(config.challenges.at("files").webroot == "/srv/www");
  CHECK(config.challenges.at("files").listen.empty());
  CHECK(config.challenges.at("files").validation_port == 80);

  CHECK(config.targets.at("nginx").hook == "/hooks/nginx");
  CHECK(config.targets.at("nginx").user.empty());
  CHECK(config.targets.at("nginx").timeout == std::chrono::seconds(60));
  const DeployTarget& custom = config.targets.at("custom");
  CHECK(custom.name == "custom");
  CHECK(custom.hook == "/hooks/haproxy");
  CHECK(custom.user == "haproxy");
  CHECK(custom.timeout == std::chrono::minutes(5));
  CHECK(custom.environment ==
        std::map<std::string, std::string>{{"HAPROXY_SOCKET", "/run/haproxy.sock"}, {"EMPTY", ""}});
}

TEST_CASE("every key of a certificate has its value") {
  const Config config = config_of_everything();
  const CertificateSpec* shop = config.find_certificate("shop");
  REQUIRE(shop != nullptr);
  CHECK(shop->domains == std::vector<acme::Identifier>{{"dns", "shop.example"},
                                                       {"dns", "www.shop.example"},
                                                       {"ip", "192.0.2.7"},
                                                       {"ip", "2001:db8::1"}});
  CHECK(shop->challenges == std::vector<std::string>{"files"});
  CHECK(shop->key_type == acme::KeyType::rsa_3072);
  CHECK(shop->reuse_key);
  CHECK(shop->cas == std::vector<std::string>{"own", "letsencrypt"});
  CHECK(shop->deploy == std::vector<std::string>{"nginx", "custom"});
  CHECK(shop->renew_before == std::chrono::days(20));
  CHECK(shop->profile == "tlsserver");
  CHECK(shop->group == "ssl-cert");
  REQUIRE(shop->endpoints.has_value());
  CHECK(*shop->endpoints ==
        std::vector<Endpoint>{
            {"shop.example:443", "shop.example", 443, "shop.example"},
            {"10.0.0.7:8443", "10.0.0.7", 8443, "shop.example"},
            {"[2001:db8::1]:443#www.shop.example", "2001:db8::1", 443, "www.shop.example"}});

  const CertificateSpec* mail = config.find_certificate("mail");
  REQUIRE(mail != nullptr);
  CHECK(mail->cas == std::vector<std::string>{"own"});
  CHECK(mail->deploy == std::vector<std::string>{"nginx"});
  REQUIRE(mail->endpoints.has_value());
  CHECK(mail->endpoints->empty());
  CHECK(config.find_certificate("other") == nullptr);
}

TEST_CASE("what the file does not say has its default") {
  const Config config =
      config_of(with_ca("[[certificate]]\nname = \"a\"\ndomains = [\"a.example\"]"));
  CHECK(config.state_directory == "/var/lib/nolapse");
  const std::string suffix = "/nolapse/hooks";
  REQUIRE(config.hook_directory.size() > suffix.size());
  CHECK(config.hook_directory.substr(config.hook_directory.size() - suffix.size()) == suffix);
  CHECK(config.hook_directory.front() == '/');
  REQUIRE(config.certificates.size() == 1);
  const CertificateSpec& spec = config.certificates[0];
  CHECK(spec.key_type == acme::KeyType::ecdsa_p256);
  CHECK_FALSE(spec.reuse_key);
  CHECK(spec.cas == std::vector<std::string>{"pebble"});
  CHECK(spec.deploy.empty());
  CHECK_FALSE(spec.endpoints.has_value());
  CHECK_FALSE(spec.renew_before.has_value());
  CHECK(spec.challenges == std::vector<std::string>{"http-01"});
  CHECK(config.challenges.at("http-01").listen == "[::]:80");
  CHECK(config.challenges.at("http-01").validation_port == 80);
}

TEST_CASE("the first challenge by its place in the file is the default, not the first by name") {
  const Config config = config_of(
      with_ca("[challenge.zebra]\ntype = \"http-01\"\n[challenge.ant]\ntype = \"http-01\"\n"
              "[[certificate]]\nname = \"a\"\ndomains = [\"a.example\"]"));
  CHECK(config.certificates[0].challenges == std::vector<std::string>{"zebra"});
  CHECK(config.challenges.at("zebra").listen == "[::]:80");
}

TEST_CASE("the command line's state directory wins over the file's") {
  ConfigFiles files;
  files.add(main_file, "state_dir = \"/from/file\"");
  CHECK(load_config(files, main_file).config.state_directory == "/from/file");
  CHECK(load_config(files, main_file, "/from/flag").config.state_directory == "/from/flag");
}

TEST_CASE("the server name of an endpoint that is an address comes from the certificate") {
  struct Case {
    std::string domains, endpoint, server_name;
  };
  const std::vector<Case> cases = {
      {R"("192.0.2.1", "a.example", "b.example")", "192.0.2.1:443", "a.example"},
      {R"("192.0.2.1", "192.0.2.2")", "192.0.2.2:443", "192.0.2.2"},
      {R"("192.0.2.1", "192.0.2.2")", "[2001:DB8::0]:443", "192.0.2.1"},
      {R"("a.example")", "localhost:443", "localhost"},
      {R"("a.example")", "B.example:443#C.example", "c.example"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.domains);
    const Config config =
        config_of(with_ca("[[certificate]]\nname = \"a\"\ndomains = [" + each.domains +
                          "]\nendpoints = [\"" + each.endpoint + "\"]"));
    const auto& endpoints = config.certificates.at(0).endpoints;
    REQUIRE(endpoints.has_value());
    REQUIRE(endpoints->size() == 1);
    CHECK(endpoints->front().server_name == each.server_name);
    CHECK(endpoints->front().text == each.endpoint);
  }
}

std::string certificate(const std::string& name) {
  return "[[certificate]]\nname = \"" + name + "\"\ndomains = [\"" + name + ".example\"]\n";
}

TEST_CASE("conf.d/*.toml is included by default, sorted, with references across files") {
  ConfigFiles files;
  files.add(main_file, with_ca(""));
  files.add("/etc/nolapse/conf.d/20-b.toml",
            "[deploy.web]\nhook = \"/hooks/nginx\"\n" + certificate("b"));
  files.add("/etc/nolapse/conf.d/10-a.toml", certificate("a") + "deploy = \"web\"");
  files.add("/etc/nolapse/conf.d/30-c.toml~", certificate("c"));
  files.add("/etc/nolapse/conf.d/.hidden.toml", certificate("d"));
  CHECK(problems_in(files).empty());
  const Config config = load_config(files, main_file).config;
  CHECK(config.files == std::vector<std::string>{main_file, "/etc/nolapse/conf.d/10-a.toml",
                                                 "/etc/nolapse/conf.d/20-b.toml"});
  REQUIRE(config.certificates.size() == 2);
  CHECK(config.certificates[0].name == "a");
  CHECK(config.certificates[1].name == "b");
}

TEST_CASE("include takes literal names, wildcards in directories, and each file once") {
  ConfigFiles files;
  files.add(main_file, with_ca("include = [\"extra.toml\", \"sites/*/n?lapse.toml\", \"*.toml\", "
                               "\"none/*.toml\"]"));
  files.add("/etc/nolapse/extra.toml", certificate("extra"));
  files.add("/etc/nolapse/sites/b/nolapse.toml", certificate("b"));
  files.add("/etc/nolapse/sites/a/nolapse.toml", certificate("a"));
  files.add("/etc/nolapse/sites/README", "");
  files.add("/etc/nolapse/conf.d/unused.toml", certificate("unused"));
  CHECK(problems_in(files).empty());
  CHECK(load_config(files, main_file).config.files ==
        std::vector<std::string>{main_file, "/etc/nolapse/extra.toml",
                                 "/etc/nolapse/sites/a/nolapse.toml",
                                 "/etc/nolapse/sites/b/nolapse.toml"});
}

TEST_CASE("a relative path in an included file is relative to that file") {
  ConfigFiles files;
  files.add(main_file, "");
  files.add("/etc/nolapse/conf.d/own.toml", with_ca("") + "roots = \"own.pem\"");
  files.add("/etc/nolapse/conf.d/own.pem", "-----BEGIN CERTIFICATE-----\n");
  CHECK(problems_in(files).empty());
  CHECK(load_config(files, main_file).config.cas[0].roots_file == "/etc/nolapse/conf.d/own.pem");
}

TEST_CASE("hooks and web roots are found through symbolic links") {
  ConfigFiles files;
  files.add(main_file,
            "hook_directory = \"/hooks\"\n[deploy.a]\nhook = \"web\"\n"
            "[challenge.b]\ntype = \"http-01\"\nwebroot = \"/var/www\"");
  files.add_link("/hooks/web", "nginx");
  files.add_link("/var/www", "/srv/www");
  CHECK(problems_in(files).empty());
  CHECK(load_config(files, main_file).config.targets.at("a").hook == "/hooks/web");
  files.add_link("/hooks/web", "/hooks/web");
  CHECK(problems_in(files) ==
        std::vector<std::string>{"/etc/nolapse/nolapse.toml:3: deploy.a.hook: /hooks/web is a loop "
                                 "of symbolic links; name a program that nolapse may run"});
}

TEST_CASE("a look needs no file that only work needs, and all that it does need") {
  const std::string text =
      "hook_directory = \"/hooks\"\n"
      "[challenge.web]\ntype = \"http-01\"\nwebroot = \"/srv/www\"\n"
      "[deploy.web]\nhook = \"nginx\"\n[deploy.own]\nhook = \"/opt/hook\"\n"
      "[[ca]]\nname = \"ca\"\ndirectory = \"https://ca.test/dir\"\n"
      "terms_of_service_agreed = true\nroots = \"/srv/root.pem\"\n"
      "eab_key_id = \"id\"\neab_hmac_key_file = \"/srv/eab.key\"\n";
  const auto problems = [](const ConfigFiles& files, ConfigUse use) {
    return load_config(files, main_file, {}, use).problems.size();
  };
  ConfigFiles files;
  files.add(main_file, text);
  for (const char* path :
       {"/srv/www", "/hooks/nginx", "/opt/hook", "/srv/root.pem", "/srv/eab.key"}) {
    files.deny(path);
  }
  CHECK(problems(files, ConfigUse::work) == 5);
  CHECK(problems(files, ConfigUse::look) == 0);
  const auto read = load_config(files, main_file, {}, ConfigUse::look).config;
  CHECK(read.targets.at("own").hook == "/opt/hook");
  CHECK(read.cas.front().eab_hmac_key_file == "/srv/eab.key");
  files.deny(main_file);
  CHECK(problems(files, ConfigUse::look) == 1);
}

}  // namespace
}  // namespace nolapse
