// What an operator reads when a [[ca]], a [challenge.X] or a [deploy.X] is wrong.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

const std::string ca = with_ca("");  // its next line is 6

TEST_CASE("a CA needs a name, an https directory and the agreement to its terms") {
  const std::string form =
      "; write the CA's directory URL, such as \"https://ca.example/directory\"";
  const std::string terms =
      "ca.x.terms_of_service_agreed: the CA's terms of service are not agreed to; read them, then "
      "write terms_of_service_agreed = true";
  const std::string x = "[[ca]]\nname = \"x\"\n";
  const std::string agreed = "terms_of_service_agreed = true\n";
  check_cases({
      {"[[ca]]\n",
       {":1: ca[1].name: this [[ca]] has no name; add name = \"...\"; directories and messages are "
        "called by it",
        ":1: ca[1].directory: this CA has no directory URL; add directory = \"https://...\" from "
        "the CA's documentation",
        ":1: ca[1].terms_of_service_agreed: the CA's terms of service are not agreed to; read "
        "them, then write terms_of_service_agreed = true"}},
      {x + "directory = \"https://a.example/\"\nterms_of_service_agreed = false", {":4: " + terms}},
      {x + "directory = \"https://a.example/\"\nterms_of_service_agreed = \"yes\"",
       {":4: ca.x.terms_of_service_agreed: is a string, but must be true or false; write "
        "terms_of_service_agreed = true, without quotes"}},
      {x + agreed + "directory = \"http://a.example/\"",
       {":4: ca.x.directory: \"http://a.example/\" is not an https URL" + form}},
      {x + agreed + "directory = \"https:///dir\"",
       {":4: ca.x.directory: \"https:///dir\" is not a usable URL" + form}},
      {x + agreed + "directory = \"https://me@a.example/dir\"",
       {":4: ca.x.directory: \"https://me@a.example/dir\" is not a usable URL" + form}},
      {x + agreed + "directory = \"https://a.example/d ir\"",
       {":4: ca.x.directory: \"https://a.example/d ir\" is not a usable URL" + form}},
      {ca + "staging = \"staging\"",
       {":6: ca.pebble.staging: \"staging\" is not an https URL" + form}},
      {"[[ca]]\nname = \".x\"\ndirectory = \"https://a.example/\"\n" + agreed,
       {":2: ca[1].name: \".x\" cannot be used as a name; use 1 to 64 of the characters A-Z a-z "
        "0-9 . _ -, with no dot in front"}},
  });
}

TEST_CASE("the files that a CA names are opened, and never quoted") {
  check_cases({
      {ca + "roots = \"/nowhere.pem\"",
       {":6: ca.pebble.roots: /nowhere.pem does not exist; create it, or correct the path"}},
      {ca + "issuer_roots = \"/srv\"",
       {":6: ca.pebble.issuer_roots: /srv: is a directory; name a readable file"}},
      {ca + "roots = \"/srv/eab.key\"",
       {":6: ca.pebble.roots: /srv/eab.key holds no certificate in PEM form; convert it with: "
        "openssl x509 -in FILE -out FILE.pem"}},
      {ca + "eab_key_id = \"k\"",
       {":6: ca.pebble.eab_key_id: needs eab_hmac_key_file beside it; add the other one; the CA "
        "hands out both"}},
      {ca + "eab_hmac_key_file = \"/srv/eab.key\"",
       {":6: ca.pebble.eab_hmac_key_file: needs eab_key_id beside it; add the other one; the CA "
        "hands out both"}},
      {ca + "eab_key_id = \"k\"\neab_hmac_key_file = \"/srv/root.pem\"",
       {":7: ca.pebble.eab_hmac_key_file: /srv/root.pem holds no HMAC key in base64url form; put "
        "the key into it as the CA shows it, and nothing else"}},
  });
  ConfigFiles files;
  files.add(main_file, ca + "eab_key_id = \"k\"\neab_hmac_key_file = \"/srv/eab.key\"");
  CHECK(problems_in(files).empty());
  files.deny("/srv/eab.key");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/nolapse.toml:7: ca.pebble.eab_hmac_key_file: /srv/eab.key may not be "
            "read by the user who runs nolapse; give that user permission to read it, or run "
            "nolapse as its owner"});
}

TEST_CASE("a CA's key type and proxy are known words") {
  const std::string types = "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096";
  const std::string form = "; write http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT";
  check_cases({
      {ca + "account_key_type = \"rsa-2084\"",
       {":6: ca.pebble.account_key_type: \"rsa-2084\" is no key type; did you mean \"rsa-2048\"? "
        "known are: " +
        types}},
      {ca + "account_key_type = \"ed25519\"",
       {":6: ca.pebble.account_key_type: \"ed25519\" is no key type; use one of: " + types}},
      {ca + "proxy = \"proxy:3128\"",
       {":6: ca.pebble.proxy: \"proxy:3128\" is not a proxy URL" + form}},
      {ca + "proxy = \"socks5://proxy:1080\"",
       {":6: ca.pebble.proxy: \"socks5://proxy:1080\" is not a proxy URL" + form}},
      {ca + "proxy = \"http://me:secret@proxy:3128\"",
       {":6: ca.pebble.proxy: holds a user name or password, and secrets are never in this file; "
        "write it without, and let the proxy admit this host by its address"}},
      {ca + "proxy = \"socks5h://[::1]:1080\"", {}},
  });
}

TEST_CASE("a challenge listens at an address or writes to an existing directory") {
  const std::string web = "[challenge.web]\ntype = \"http-01\"\n";
  const std::string form = "; write ADDRESS:PORT; \"[::]:80\" listens on every address";
  const std::string types =
      "\"http-01\", \"tls-alpn-01\", \"dns-01\", \"dns-account-01\" or \"dns-persist-01\"";
  check_cases({
      {"[challenge.web]\n",
       {":1: challenge.web.type: this challenge has no type; add type = " + types}},
      {"[challenge.web]\ntype = \"http\"",
       {":2: challenge.web.type: \"http\" is no challenge type; write " + types}},
      {web + "listen = \"80\"", {":3: challenge.web.listen: \"80\" has no port" + form}},
      {web + "listen = \":80\"",
       {":3: challenge.web.listen: \":80\" has no address before the port" + form}},
      {web + "listen = \"*:80\"",
       {":3: challenge.web.listen: \"*:80\" has neither an address nor a host name before the "
        "port" +
        form}},
      {web + "listen = \"0.0.0.0:0\"",
       {":3: challenge.web.listen: \"0.0.0.0:0\" has no port from 1 to 65535 at its end" + form}},
      {web + "listen = \"0.0.0.0:65536\"",
       {":3: challenge.web.listen: \"0.0.0.0:65536\" has no port from 1 to 65535 at its end" +
        form}},
      {web + "listen = \":::80\"",
       {":3: challenge.web.listen: \":::80\" has an IPv6 address without brackets" + form}},
      {web + "listen = \"[127.0.0.1]:80\"",
       {":3: challenge.web.listen: \"[127.0.0.1]:80\" has brackets around something else than an "
        "IPv6 address" +
        form}},
      {web + "listen = \"localhost:80\"",
       {":3: challenge.web.listen: \"localhost:80\" has a name where the address belongs; write an "
        "address of this host, or \"[::]:80\" for all of them"}},
      {web + "webroot = \"/nowhere\"",
       {":3: challenge.web.webroot: /nowhere does not exist; create it, or name the directory from "
        "which the web server serves files"}},
      {web + "webroot = \"/srv/root.pem\"",
       {":3: challenge.web.webroot: /srv/root.pem is not a directory; name the directory from "
        "which the web server serves files"}},
      {web + "webroot = \"/srv/www\"\nlisten = \"[::]:80\"",
       {":3: challenge.web.webroot: stands beside listen, and only one of them can answer; remove "
        "webroot, or remove listen when a web server has the port"}},
      {web + "validation_port = 0",
       {":3: challenge.web.validation_port: 0 is no port; write a number from 1 to 65535"}},
      {web + "validation_port = \"80\"",
       {":3: challenge.web.validation_port: is a string, but must be a number; write the port "
        "without quotes: validation_port = 80"}},
  });
}

TEST_CASE("tls-alpn-01 listens at an address; what belongs to other challenges is unknown to it") {
  const std::string tls = "[challenge.tls]\ntype = \"tls-alpn-01\"\n";
  check_cases({
      {tls, {}},
      {tls + "listen = \"127.0.0.1:10443\"\nvalidation_port = 8443", {}},
      {tls + "listen = \"443\"",
       {":3: challenge.tls.listen: \"443\" has no port; write ADDRESS:PORT; \"[::]:443\" listens "
        "on every address"}},
      {tls + "webroot = \"/srv/www\"",
       {":3: challenge.tls.webroot: unknown key; remove it; the nearest known key is \"type\""}},
  });
}

TEST_CASE("a challenge of the DNS says how to reach the zone") {
  const std::string zone = "[challenge.zone]\ntype = \"dns-01\"\n";
  const std::string way = zone + "provider = \"rfc2136\"\nserver = \"192.0.2.53:53\"\n";
  check_cases({
      {way, {}},
      {way + "tsig_key_file = \"/srv/root.pem\"\npropagation_timeout = \"5m\"", {}},
      {"[challenge.zone]\ntype = \"dns-account-01\"\nprovider = \"rfc2136\"\n"
       "server = \"[2001:db8::53]:53\"",
       {}},
      {"[challenge.zone]\ntype = \"dns-persist-01\"\npropagation_timeout = \"5m\"", {}},
      {"[challenge.zone]\ntype = \"dns-persist-01\"\nprovider = \"rfc2136\"",
       {":3: challenge.zone.provider: nolapse does not write the record of a dns-persist-01: it is "
        "permanent, and yours to set; remove it"}},
      {zone,
       {":1: challenge.zone.provider: this challenge does not say how to reach the zone; add "
        "provider = \"rfc2136\", or another of those in the README"}},
      {zone + "provider = \"rfc2136\"",
       {":1: challenge.zone.server: is missing, and rfc2136 needs it; add server = \"...\" as the "
        "README shows"}},
      {zone + "provider = \"rfc2136\"\nserver = \"ns1.shop.example:53\"",
       {":4: challenge.zone.server: \"ns1.shop.example:53\" has a name where the address belongs; "
        "write ADDRESS:PORT, such as \"192.0.2.53:53\""}},
      {way + "tsig_key_file = \"/nowhere.key\"",
       {":5: challenge.zone.tsig_key_file: /nowhere.key does not exist; create it, or correct the "
        "path"}},
      {way + "propagation_timeout = \"3h\"",
       {":5: challenge.zone.propagation_timeout: \"3h\" is too long; write a duration from 1s to "
        "2h"}},
      {way + "listen = \"[::]:80\"",
       {":5: challenge.zone.listen: unknown key; remove it; the nearest known key is \"type\""}},
      {"[[certificate]]\nname = \"shop\"\ndomains = [\"*.shop.example\", \"192.0.2.1\"]\n"
       "[[ca]]\nname = \"x\"\ndirectory = \"https://x.example\"\nterms_of_service_agreed = true\n" +
           way,
       {":3: certificate.shop.domains: \"192.0.2.1\" is an address, which dns-01 (challenge "
        "\"zone\") cannot prove; use a challenge of type \"http-01\" or \"tls-alpn-01\""}},
  });
}

TEST_CASE("a target's hook exists and can be executed") {
  const std::string web = "hook_directory = \"/hooks\"\n[deploy.web]\n";
  check_cases({
      {web, {":2: deploy.web.hook: this target has no hook; add hook = \"NAME\""}},
      {web + "hook = \"ngnix\"",
       {":3: deploy.web.hook: there is no hook \"ngnix\" in /hooks; did you mean \"nginx\"? known "
        "are: haproxy, nginx"}},
      {web + "hook = \"postfix\"",
       {":3: deploy.web.hook: there is no hook \"postfix\" in /hooks; use one of: haproxy, nginx"}},
      {"hook_directory = \"/empty\"\n[deploy.web]\nhook = \"nginx\"",
       {":3: deploy.web.hook: there is no hook \"nginx\" in /empty; write an absolute path, or set "
        "hook_directory to where the hooks are installed"}},
      {web + "hook = \"/nowhere/x\"",
       {":3: deploy.web.hook: /nowhere/x does not exist; create it, or correct the path"}},
      {web + "hook = \"lib.sh\"",
       {":3: deploy.web.hook: /hooks/lib.sh is not executable; run: chmod +x /hooks/lib.sh"}},
      {web + "hook = \"/srv/www\"",
       {":3: deploy.web.hook: /srv/www is not a file; name an executable file"}},
      {web + "hook = \"../bin/sh\"",
       {":3: deploy.web.hook: \"../bin/sh\" is neither a hook's name nor an absolute path; write a "
        "name in /hooks, or a path that begins with /"}},
      {web + "hook = \"..\"",
       {":3: deploy.web.hook: \"..\" is neither a hook's name nor an absolute path; write a name "
        "in "
        "/hooks, or a path that begins with /"}},
      {web + "hook = \"nginx\"\nkind = \"bash\"",
       {":4: deploy.web.kind: \"bash\" is no kind of hook; use one of: nolapse, "
        "certbot, dehydrated, acme.sh"}},
      {web + "hook = \"nginx\"\nuser = \"a b\"",
       {":4: deploy.web.user: \"a b\" is no user name; write the name of one user of this host"}},
  });
  ConfigFiles files;
  files.add("/hooks/private", "", 0654);  // for the group, not for the stub's owner
  files.add(main_file, web + "hook = \"private\"");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/nolapse.toml:3: deploy.web.hook: /hooks/private may not be executed by "
            "the user who runs nolapse; run nolapse as a user who may, or run: chmod a+x "
            "/hooks/private"});
}

TEST_CASE("a hook's time is limited and its environment is the operator's, with exceptions") {
  const std::string web = "hook_directory = \"/hooks\"\n[deploy.web]\nhook = \"nginx\"\n";
  const std::string range = "; write a duration from 1s to 1h";
  const std::string form =
      "; write one number and one unit, such as \"90s\", \"15m\", \"12h\" or \"30d\"";
  check_cases({
      {web + "timeout = \"0s\"", {":4: deploy.web.timeout: \"0s\" is too short" + range}},
      {web + "timeout = \"61m\"", {":4: deploy.web.timeout: \"61m\" is too long" + range}},
      {web + "timeout = \"1h\"", {}},
      {web + "timeout = \"1s\"", {}},
      {web + "timeout = \"1 minute\"",
       {":4: deploy.web.timeout: \"1 minute\" is no duration" + form}},
      {web + "timeout = 60",
       {":4: deploy.web.timeout: is a number, but must be a duration in quotes" + form}},
      {web + "env = \"A=b\"",
       {":4: deploy.web.env: must be a table; write env = { NAME = \"value\" }"}},
      {web + "[deploy.web.env]\nA = 1\n1A = \"x\"\nNOLAPSE_NAME = \"x\"\nPATH = \"/bin\"\n"
             "B = \"x\\u0000\"\n\"C=D\" = \"x\"",
       {":5: deploy.web.env.A: must be a string; write the value in double quotes",
        ":6: deploy.web.env.1A: cannot be the name of an environment variable; use letters, digits "
        "and _, with no digit in front",
        ":7: deploy.web.env.NOLAPSE_NAME: is one of the names that nolapse itself sets; use a name "
        "that does not begin with NOLAPSE_",
        ":8: deploy.web.env.PATH: programs run with a fixed PATH; remove it, and call programs in "
        "other places by their absolute path",
        ":9: deploy.web.env.B: holds a NUL character; remove it",
        ":10: deploy.web.env.C=D: cannot be the name of an environment variable; use letters, "
        "digits and _, with no digit in front"}},
  });
}

}  // namespace
}  // namespace nolapse
