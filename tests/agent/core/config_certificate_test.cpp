// What an operator reads when a [[certificate]] is wrong.
#include <doctest/doctest.h>

#include "acme/signing_request.h"
#include "acme/x509.h"
#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

// Line 1 is the header, 2 the name; the text under test begins on line 3.
std::string shop(const std::string& text) {
  return with_ca("[[certificate]]\nname = \"shop\"\n" + text);
}

// As above, with good domains on line 3.
std::string good_shop(const std::string& text) {
  return shop("domains = [\"shop.example\"]\n" + text);
}

TEST_CASE("a certificate has a name that can be a directory, and a CA") {
  const std::string rule =
      "; use 1 to 64 of the characters A-Z a-z 0-9 . _ -, with no dot in front";
  const auto named = [](const std::string& name) {
    return with_ca("[[certificate]]\nname = \"" + name + "\"\ndomains = [\"a.example\"]");
  };
  check_cases({
      {with_ca("[[certificate]]\ndomains = [\"a.example\"]"),
       {":1: certificate[1].name: this [[certificate]] has no name; add name = \"...\"; "
        "directories "
        "and messages are called by it"}},
      {named("../x"), {":2: certificate[1].name: \"../x\" cannot be used as a name" + rule}},
      {named("a b"), {":2: certificate[1].name: \"a b\" cannot be used as a name" + rule}},
      {named(std::string(65, 'a')),
       {":2: certificate[1].name: \"" + std::string(65, 'a') + "\" cannot be used as a name" +
        rule}},
      {named(std::string(64, 'a')), {}},
      {named("A.b_c-9"), {}},
      {named(""), {":2: certificate[1].name: is empty; give it a value, or remove it"}},
      {"[[certificate]]\nname = \"a\"\ndomains = [\"a.example\"]",
       {": ca: there are certificates, and no CA to get them from; add a [[ca]] with name, "
        "directory and terms_of_service_agreed"}},
  });
}

TEST_CASE("domains are names that a CA would take, each once") {
  const std::string wildcard =
      " is a wildcard, which http-01 (challenge \"http-01\") cannot prove; use a challenge of type "
      "\"dns-01\", or list the host names one by one";
  check_cases({
      {shop(""),
       {":1: certificate.shop.domains: this certificate has no domains; add domains = "
        "[\"shop.example\"]"}},
      {shop("domains = []"), {":3: certificate.shop.domains: is empty; name at least one domain"}},
      {shop("domains = \"shop.example\""),
       {":3: certificate.shop.domains: is a string, but must be a list of strings; write domains = "
        "[\"...\", \"...\"]"}},
      {shop("domains = [\n\"a.example\",\n\"a_b.example\",\n\"a..b\",\n7]"),
       {":5: certificate.shop.domains: \"a_b.example\" has the character '_', which no CA accepts "
        "in a host name; correct the name",
        ":6: certificate.shop.domains: \"a..b\" has an empty label; remove the extra dot",
        ":7: certificate.shop.domains: is a number, but must be a string; write it in double "
        "quotes"}},
      {shop("domains = [\"a.example\", \"A.Example\", \"a.example\"]"),
       {":3: certificate.shop.domains: \"a.example\" stands here twice; remove one of them",
        ":3: certificate.shop.domains: \"A.Example\" is the same as \"a.example\"; remove one of "
        "them"}},
      {shop("domains = [\"*.shop.example\",\n\"www.shop.example\", \"a.b.shop.example\"]"),
       {":3: certificate.shop.domains: \"*.shop.example\"" + wildcard,
        ":4: certificate.shop.domains: \"www.shop.example\" is already covered by "
        "\"*.shop.example\"; remove it; CAs refuse both together"}},
  });
}

TEST_CASE("82: what no public CA issues for is refused where only public ones are asked") {
  const std::string le =
      "\n[[ca]]\nname = \"le\"\ndirectory = \"https://acme-v02.api.letsencrypt.org/directory\"\n"
      "terms_of_service_agreed = true\n";
  const auto of = [&](const std::string& name, const std::string& ca) {
    const std::string way = name.starts_with("*.") ? "type = \"dns-01\"\nprovider = \"rfc2136\"\n"
                                                     "server = \"192.0.2.53:53\"\n"
                                                   : "type = \"http-01\"\nlisten = \"[::]:80\"\n";
    return problems_of("[[certificate]]\nname = \"shop\"\ndomains = [\"" + name +
                       "\"]\nca = " + ca + "\n[challenge.way]\n" + way + with_ca(le));
  };
  struct Row {
    const char* name;
    const char* why;  // empty: it may be asked for
  };
  for (const Row& row : {Row{"co.uk", "is a public suffix"},
                         Row{"*.co.uk", "is a public suffix"},
                         Row{"com", "is a single word"},
                         Row{"intranet", "is a single word"},
                         Row{"localhost", "is below a name that is reserved"},
                         Row{"printer.local", "is below a name that is reserved"},
                         Row{"a.home.arpa", "is below a name that is reserved"},
                         Row{"192.168.0.1", "is an address that is not reached"},
                         Row{"10.0.0.1", "is an address that is not reached"},
                         Row{"127.0.0.1", "is an address that is not reached"},
                         Row{"::1", "is an address that is not reached"},
                         Row{"fe80::1", "is an address that is not reached"},
                         Row{"::ffff:10.0.0.1", "is an address that is not reached"},
                         Row{"2002:a00:1::1", "is an address that is not reached"},
                         Row{"shop.co.uk", ""},
                         Row{"*.shop.co.uk", ""},
                         Row{"shop.example", ""},
                         Row{"mylocal.shop.de", ""},
                         Row{"shop.github.io", ""},
                         Row{"github.io", ""},
                         Row{"8.8.8.8", ""},
                         Row{"172.32.0.1", ""},
                         Row{"2606:4700::1", ""}}) {
    CAPTURE(row.name);
    const auto problems = of(row.name, "\"le\"");
    std::string said;
    for (const std::string& problem : problems) said += problem + "\n";
    CAPTURE(said);
    CHECK(problems.size() == (*row.why == '\0' ? 0 : 1));
    CHECK(said.find(row.why) != std::string::npos);
    // A private CA may issue for it, as the first or as the fallback.
    CHECK(of(row.name, "\"pebble\"").empty());
    CHECK(of(row.name, "[\"le\", \"pebble\"]").empty());
  }
  for (const char* name : {"0x7f.1", "127.0x0", "a.8", "1.2.3.4.5"}) {
    CAPTURE(name);
    CHECK(of(name, "\"pebble\"").size() == 1);
  }
}

TEST_CASE("a hundred names fit into a certificate, and one more does not") {
  std::string names = "domains = [\"n0.example\"";
  for (int i = 1; i < 100; ++i) names += ", \"n" + std::to_string(i) + ".example\"";
  check_cases({
      {shop(names + "]"), {}},
      {shop(names + ", \"n100.example\"]"),
       {":3: certificate.shop.domains: has 101 names, and CAs take at most 100 in one certificate; "
        "split them into several [[certificate]]"}},
  });
}

TEST_CASE("what a certificate refers to is defined, or the defined ones are listed") {
  const std::string target = "\n[deploy.nginx]\nhook = \"/hooks/nginx\"";
  check_cases({
      {good_shop("ca = \"peble\""),
       {":4: certificate.shop.ca: no CA is named \"peble\"; did you mean \"pebble\"? known are: "
        "pebble"}},
      {good_shop("ca = [\"pebble\",\n\"zerossl\", \"pebble\"]"),
       {":5: certificate.shop.ca: \"pebble\" stands here twice; remove one of them",
        ":5: certificate.shop.ca: no CA is named \"zerossl\"; use one of: pebble"}},
      {good_shop("ca = []"),
       {":4: certificate.shop.ca: is empty, so that nobody could issue this certificate; name a "
        "CA, "
        "or remove the key to use all of them"}},
      {good_shop("challenge = \"web\""),
       {":4: certificate.shop.challenge: no challenge is named \"web\"; use one of: http-01"}},
      {good_shop("challenge = \"web\"\n[challenge.www]\ntype = \"http-01\""),
       {":4: certificate.shop.challenge: no challenge is named \"web\"; use one of: www"}},
      {good_shop("challenge = \"http-01\""), {}},
      {good_shop("deploy = [\"ngnix\"]" + target),
       {":4: certificate.shop.deploy: no deploy target is named \"ngnix\"; did you mean \"nginx\"? "
        "known "
        "are: nginx"}},
      {good_shop("deploy = \"nginx\""),
       {":4: certificate.shop.deploy: no deploy target is named \"nginx\"; add [deploy.nginx]"}},
      {good_shop("deploy = 5"),
       {":4: certificate.shop.deploy: is a number, but must be a list of strings; write deploy = "
        "[\"...\", \"...\"]"}},
  });
}

TEST_CASE("a definition with a mistake of its own is reported once, not where it is used") {
  check_cases({
      {good_shop("deploy = \"web\"\nchallenge = \"c\"\n[deploy.web]\n[challenge.c]"),
       {":6: deploy.web.hook: this target has no hook; add hook = \"NAME\"",
        ":7: challenge.c.type: this challenge has no type; add type = \"http-01\", "
        "\"tls-alpn-01\", \"dns-01\", \"dns-account-01\" or \"dns-persist-01\""}},
  });
}

TEST_CASE("a certificate's other keys are checked") {
  check_cases({
      {good_shop("key = \"rsa\""),
       {":4: certificate.shop.key: \"rsa\" is no key type; use one of: ecdsa-p256, ecdsa-p384, "
        "rsa-2048, rsa-3072, rsa-4096"}},
      {good_shop("key = [\"ecdsa-p256\", \"rsa-2048\"]"), {}},
      {good_shop("key = [\"ecdsa-p256\",\n\"ecdsa-p384\", \"rsa\"]"),
       {":5: certificate.shop.key: \"ecdsa-p384\" is of the same kind as another one, and a server "
        "shows a client only one of them; name one ECDSA and one RSA type",
        ":5: certificate.shop.key: \"rsa\" is no key type; use one of: ecdsa-p256, ecdsa-p384, "
        "rsa-2048, rsa-3072, rsa-4096"}},
      {good_shop("key = []"), {":4: certificate.shop.key: is empty; name a key type"}},
      {good_shop("key = [\"ecdsa-p256\", \"rsa-2048\"]") +
           "[[certificate]]\nname = \"shop.rsa-2048\"\ndomains = [\"b.example\"]\n",
       {":10: certificate[2].name: there is already a certificate named \"shop.rsa-2048\" at "
        "/etc/nolapse/nolapse.toml:1; rename or remove one of them"}},
      {good_shop("key_file = \"/srv/root.pem\""),
       {":4: certificate.shop.key_file: /srv/root.pem: not an unencrypted private key in PEM "
        "form; name a private key in PEM form, not encrypted, that nolapse may read"}},
      {good_shop("key = \"rsa-2048\"\nkey_file = \"/srv/shop.key\""),
       {":5: certificate.shop.key_file: stands beside key or reuse_key, and the file decides about "
        "both; remove those, or remove key_file to have nolapse make the keys",
        ":5: certificate.shop.key_file: /srv/shop.key: no such file or directory; name a private "
        "key in PEM form, not encrypted, that nolapse may read"}},
      {good_shop("must_staple = true\nlifetime = \"7d\""), {}},
      {good_shop("lifetime = \"1m\""),
       {":4: certificate.shop.lifetime: \"1m\" is too short; write a duration from 5m to 398d"}},
      {good_shop("reuse_key = 1"),
       {":4: certificate.shop.reuse_key: is a number, but must be true or false; write reuse_key = "
        "true, without quotes"}},
      {good_shop("renew_before = \"0d\""),
       {":4: certificate.shop.renew_before: \"0d\" is too short; write a duration from 1s to "
        "3650d"}},
      {good_shop("renew_before = \"30 days\""),
       {":4: certificate.shop.renew_before: \"30 days\" is no duration; write one number and one "
        "unit, such as \"90s\", \"15m\", \"12h\" or \"30d\""}},
      {good_shop("group = \"ssl:cert\""),
       {":4: certificate.shop.group: \"ssl:cert\" is no group name; write the name of one group of "
        "this host"}},
      {good_shop("domain = \"x\""),
       {":4: certificate.shop.domain: unknown key; did you mean \"domains\"?"}},
  });
}

TEST_CASE("a signing request of the operator's names what the configuration names") {
  const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p384);
  const auto request_for = [&](const std::vector<acme::Identifier>& names) {
    return acme::to_pem(acme::SigningRequest{*acme::make_signing_request(*key, names), {}, {}, {}});
  };
  ConfigFiles files;
  files.add("/srv/shop.csr", request_for({{"dns", "shop.example"}}));
  files.add("/srv/other.csr", request_for({{"dns", "a.example"}, {"dns", "b.example"}}));
  files.add("/srv/shop.key", key->to_pem());
  files.add("/srv/other.key", acme::PrivateKey::generate(acme::KeyType::ecdsa_p256)->to_pem());
  const auto problems = [&](const std::string& text) {
    files.add(main_file, good_shop(text));
    std::string joined;
    for (const std::string& problem : problems_in(files)) {
      joined += problem.substr(std::string(main_file).size()) + "\n";
    }
    return joined;
  };
  const std::string at = ": certificate.shop.";
  CHECK(problems("csr_file = \"/srv/shop.csr\"") == "");
  CHECK(problems("csr_file = \"/srv/shop.csr\"\nkey_file = \"/srv/shop.key\"\ngroup = \"x\"") ==
        "");
  CHECK(load_config(files, main_file).config.certificates[0].key_type == acme::KeyType::ecdsa_p384);
  CHECK(problems("csr_file = \"/srv/none.csr\"") ==
        ":4" + at +
            "csr_file: /srv/none.csr: no such file or directory; name a certificate "
            "signing request in PEM form\n");
  CHECK(problems("csr_file = \"/srv/shop.key\"") ==
        ":4" + at +
            "csr_file: /srv/shop.key: it holds a PRIVATE KEY, no certificate signing "
            "request; make one with: openssl req -new -key KEY -subj / -addext "
            "subjectAltName=DNS:NAME\n");
  CHECK(problems("csr_file = \"/srv/other.csr\"") ==
        ":4" + at +
            "csr_file: /srv/other.csr: it names a.example, b.example, and domains does "
            "not; it does not name shop.example, and domains does; make them the same\n");
  CHECK(problems("csr_file = \"/srv/shop.csr\"\nkey_file = \"/srv/other.key\"") ==
        ":5" + at +
            "key_file: /srv/other.key is not the key of /srv/shop.csr; name the key that "
            "the request was made with, or remove key_file\n");
  CHECK(problems("csr_file = \"/srv/shop.csr\"\nkey = \"rsa-2048\"") ==
        ":4" + at +
            "csr_file: stands beside key or reuse_key, and the file decides about both; "
            "remove those, or remove csr_file to have nolapse make the keys\n");
  CHECK(problems("csr_file = \"/srv/shop.csr\"\nmust_staple = true\ngroup = \"x\"") ==
        ":5" + at +
            "must_staple: stands beside csr_file, and that request decides about it; "
            "remove it, and put the extension (tlsfeature = status_request) into the file\n"
            ":6" +
            at +
            "group: is to read the private key, and with csr_file alone there is none; "
            "remove it, or add key_file\n");
  // Whoever only looks needs none of it.
  files.deny("/srv/none.csr");
  files.add(main_file, good_shop("csr_file = \"/srv/none.csr\""));
  CHECK(load_config(files, main_file, {}, ConfigUse::look).problems.empty());
}

TEST_CASE("a standby wants a second CA that is really another") {
  const auto second = [](const std::string& directory, const std::string& keys) {
    return good_shop(keys + "\n[[ca]]\nname = \"other\"\ndirectory = \"" + directory +
                     "\"\nterms_of_service_agreed = true");
  };
  const std::string other = "https://other.example/directory";
  const std::string problem =
      ":4: certificate.shop.standby: a standby is from another CA, and this certificate has only "
      "one; add a second [[ca]] and let `ca` list both, or remove standby";
  check_cases({
      {second(other, "standby = true"), {}},
      {second(other, "standby = true\nca = [\"other\", \"pebble\"]"), {}},
      {good_shop("standby = false"), {}},
      {good_shop("standby = true"), {problem}},
      {second(other, "standby = true\nca = \"pebble\""), {problem}},
      {second(config_of(good_shop("")).cas.front().directory, "standby = true"), {problem}},
      // One mistake, one message.
      {second(other, "standby = true\nca = [\"pebble\", \"othre\"]"),
       {":5: certificate.shop.ca: no CA is named \"othre\"; did you mean \"other\"? known are: "
        "other, pebble"}},
      {good_shop("standby = 1"),
       {":4: certificate.shop.standby: is a number, but must be true or false; write standby = "
        "true, without quotes"}},
  });
  CHECK(config_of(second(other, "standby = true")).certificates[0].standby);
}

TEST_CASE("an endpoint is ADDRESS:PORT and perhaps #SNI") {
  const auto at = [](const std::string& text) {
    return good_shop("endpoints = [\"" + text + "\"]");
  };
  const std::string key = ":4: certificate.shop.endpoints: ";
  const std::string form =
      "; write ADDRESS:PORT, with an IPv6 address in brackets, such as \"192.0.2.1:443\" or "
      "\"[2001:db8::1]:443\"";
  check_cases({
      {at("shop.example"), {key + "\"shop.example\" has no port" + form}},
      {at("shop.example:https"),
       {key + "\"shop.example:https\" has no port from 1 to 65535 at its end" + form}},
      {at("shop.example:+443"),
       {key + "\"shop.example:+443\" has no port from 1 to 65535 at its end" + form}},
      {at("2001:db8::1:443"),
       {key + "\"2001:db8::1:443\" has an IPv6 address without brackets; write "
              "\"[2001:db8::1]:443\""}},
      {at("[shop.example]:443"),
       {key + "\"[shop.example]:443\" has brackets around something else than an IPv6 address" +
        form}},
      {at("*.shop.example:443"),
       {key + "\"*.shop.example:443\" is a wildcard, to which nobody can connect; write one host "
              "name or address"}},
      {at("https://shop.example:443"),
       {key +
        "\"https://shop.example:443\" has neither an address nor a host name before the "
        "port" +
        form}},
      {at("192.0.2.1:443#192.0.2.1"),
       {key + "\"192.0.2.1:443#192.0.2.1\" has no host name after the #; write the name that a "
              "client asks for, such as #shop.example"}},
      {at("192.0.2.1:443#"),
       {key + "\"192.0.2.1:443#\" has no host name after the #; write the name that a client asks "
              "for, such as #shop.example"}},
      {at("192.0.2.1:443#*.shop.example"),
       {key + "\"192.0.2.1:443#*.shop.example\" has no host name after the #; write the name that "
              "a client asks for, such as #shop.example"}},
      {at("shop.example:25!smtps"),
       {key + "\"shop.example:25!smtps\" does not end with a protocol that has STARTTLS; write one "
              "of !smtp, !imap, !pop3, !ldap, !postgres behind it"}},
      {good_shop("endpoints = \"a:1\""),
       {key + "is a string, but must be a list of strings; write endpoints = [\"...\", \"...\"]"}},
      {shop("domains = [\"*.a.example\"]\nchallenge = \"zone\"\nendpoints = [\"192.0.2.1:443\"]\n"
            "[challenge.zone]\ntype = \"dns-01\""),
       {":5: certificate.shop.endpoints: \"192.0.2.1:443\" does not say which name to ask for, and "
        "the certificate has only wildcards; append #NAME with a name that the wildcard covers",
        ":6: challenge.zone.provider: this challenge does not say how to reach the zone; add "
        "provider = \"rfc2136\", or another of those in the README"}},
  });
}

}  // namespace
}  // namespace nolapse
