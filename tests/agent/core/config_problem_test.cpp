// What an operator reads when the configuration is wrong: files, settings, CAs, challenges and
// targets. Each text is met with its exact lines, because the lines are the product.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

TEST_CASE("all problems are shown at once, in the order of files and lines") {
  ConfigFiles files;
  files.add(main_file,
            "contact = [\n  \"ops@shop.example\",\n]\n"
            "[[certificate]]\nname = \"a\"\ndomains = [\"*.a.example\"]\nca = \"nobody\"\n"
            "[[ca]]\nname = \"x\"\ndirectory = \"http://x.example\"\n"
            "terms_of_service_agreed = true\n");
  files.add("/etc/nolapse/conf.d/a.toml", "[deploy.t]\n");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/nolapse.toml:2: contact: \"ops@shop.example\" is not a URL; write "
            "\"mailto:ops@shop.example\"",
            "/etc/nolapse/nolapse.toml:6: certificate.a.domains: \"*.a.example\" is a wildcard, "
            "which http-01 (challenge \"http-01\") cannot prove; use a challenge of type "
            "\"dns-01\", or list the host names one by one",
            "/etc/nolapse/nolapse.toml:7: certificate.a.ca: no CA is named \"nobody\"; use one "
            "of: x",
            "/etc/nolapse/nolapse.toml:10: ca.x.directory: \"http://x.example\" is not an https "
            "URL; write the CA's directory URL, such as \"https://ca.example/directory\"",
            "/etc/nolapse/conf.d/a.toml:1: deploy.t.hook: this target has no hook; add hook = "
            "\"NAME\""});
}

TEST_CASE("a file that is missing or unreadable is named with a way out") {
  ConfigFiles files;
  const std::string main = main_file;
  CHECK(problems_in(files) ==
        std::vector<std::string>{main + ": there is no configuration file here; create it, or name "
                                        "another with `nolapse --config FILE` or $NOLAPSE_CONFIG"});
  files.add(main_file, "");
  files.deny(main_file);
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            main + ": permission denied to the user who runs nolapse; run nolapse as root or as "
                   "the file's owner, or name another with `nolapse --config FILE` or "
                   "$NOLAPSE_CONFIG"});
  ConfigFiles directory;
  directory.add(main + "/x", "");
  CHECK(problems_in(directory) ==
        std::vector<std::string>{main + ": " + main +
                                 ": is a directory; put a readable file here, or name another with "
                                 "`nolapse --config FILE` or $NOLAPSE_CONFIG"});
}

TEST_CASE("an included file that cannot be used does not hide behind the others") {
  ConfigFiles files;
  files.add(main_file, with_ca("include = [\"a.toml\", \"conf.d/*.toml\", \"b.toml\"]"));
  files.add_link("/etc/nolapse/conf.d/dangling.toml", "/nowhere");
  files.add("/etc/nolapse/b.toml", "");
  files.deny("/etc/nolapse/b.toml");
  const std::vector<std::string> lines = {
      "/etc/nolapse/nolapse.toml:1: include: /etc/nolapse/a.toml does not exist; create it, "
      "correct the path, or remove it from the list",
      "/etc/nolapse/nolapse.toml:1: include: cannot look at /etc/nolapse/b.toml: Permission "
      "denied; "
      "check the owner and the mode of it",
      "/etc/nolapse/conf.d/dangling.toml: is a symbolic link to nothing; correct its target, or "
      "remove it"};
  CHECK(problems_in(files) == lines);
}

TEST_CASE("a directory of includes that cannot be listed is a problem, an absent one is none") {
  ConfigFiles files;
  files.add(main_file, "");
  CHECK(problems_in(files).empty());
  files.add("/etc/nolapse/conf.d/a.toml", "");
  files.deny("/etc/nolapse/conf.d");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/nolapse.toml: include: cannot look at /etc/nolapse/conf.d: Permission "
            "denied; check the owner and the mode of it"});
}

TEST_CASE("settings of the main file are refused in an included one") {
  ConfigFiles files;
  files.add(main_file, "");
  files.add("/etc/nolapse/conf.d/a.toml",
            "state_dir = \"/x\"\ncontact = []\ninclude = []\nresolver = \"\"\n"
            "hook_directory = \"/x\"");
  const auto lines = problems_in(files);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] ==
        "/etc/nolapse/conf.d/a.toml:1: state_dir: is a global setting, and this is an included "
        "file; move it to /etc/nolapse/nolapse.toml");
  CHECK(lines[4].find(":5: hook_directory: is a global setting") != std::string::npos);
}

TEST_CASE("a name stands for one thing, in all files together") {
  ConfigFiles files;
  const std::string same =
      "[challenge.web]\ntype = \"http-01\"\n[deploy.d]\nhook = \"/hooks/nginx\"\n"
      "[[certificate]]\nname = \"shop\"\ndomains = [\"a.example\"]";
  files.add(main_file, with_ca(same));
  files.add("/etc/nolapse/conf.d/b.toml", with_ca(same));
  const std::string there = "there is already a ", main = " at /etc/nolapse/nolapse.toml:";
  const std::string second = "/etc/nolapse/conf.d/b.toml:";
  const std::string fix = "; rename or remove one of them";
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            second + "1: challenge.web: " + there + "challenge named \"web\"" + main + "1" + fix,
            second + "3: deploy.d: " + there + "deploy target named \"d\"" + main + "3" + fix,
            second + "6: certificate[1].name: " + there + "certificate named \"shop\"" + main +
                "5" + fix,
            second + "9: ca[1].name: " + there + "CA named \"pebble\"" + main + "8" + fix});
  check_cases({{with_ca(with_ca("")),
                {":8: ca[2].name: there is already a CA named \"pebble\" at "
                 "/etc/nolapse/nolapse.toml:2; rename or remove one of them"}}});
}

TEST_CASE("while a file is unreadable, what it may define is not reported as undefined") {
  ConfigFiles files;
  files.add(main_file,
            "[[certificate]]\nname = \"a\"\ndomains = [\"a.example\"]\nca = \"elsewhere\"\n"
            "challenge = \"elsewhere\"\ndeploy = \"elsewhere\"");
  CHECK(problems_in(files).size() == 4);
  files.add("/etc/nolapse/conf.d/elsewhere.toml", "[[ca]\n");
  CHECK(problems_in(files).size() == 1);
}

TEST_CASE("a syntax error is one problem with its line") {
  const std::string fix = "; correct the syntax at or before column ";
  check_cases({
      {"a = 1\na = 2\n",
       {":2: not valid TOML: Error while parsing key-value pair: cannot redefine existing integer "
        "'a'" +
        fix + "5"}},
      {"\n\nstate_dir = /var\n",
       {":3: not valid TOML: Error while parsing value: could not determine value type" + fix +
        "13"}},
      {"[a]\nb = \"x\ny\"",
       {":2: not valid TOML: Error while parsing string: unescaped control characters other than "
        "TAB "
        "(U+0009) are explicitly prohibited" +
        fix + "7"}},
      {"[" + std::string(200000, '.') + "]",
       {":1: a line with thousands of dots is no setting; look whether this is the right file"}},
  });
}

TEST_CASE("control characters of a file do not reach the terminal") {
  const auto lines = problems_of("\"a\\u001b[2J\\n\" = 1");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("a\\x1b[2J\\x0a: unknown key") != std::string::npos);
}

TEST_CASE("an unknown key is met with the nearest known one") {
  check_cases({
      {"state_directory = \"/x\"",
       {":1: state_directory: unknown key; did you mean \"state_dir\"?"}},
      {"statedir = \"/x\"", {":1: statedir: unknown key; did you mean \"state_dir\"?"}},
      {"[[certificates]]\nname = \"a\"",
       {":1: certificates: unknown key; did you mean \"certificate\"?"}},
      {with_ca("") + "directry = \"x\"",
       {":6: ca.pebble.directry: unknown key; did you mean \"directory\"?"}},
      {with_ca("") + "contact = [\"mailto:a@b.example\"]",
       {":6: ca.pebble.contact: unknown key; it is a global setting: move it above the first "
        "[section] of the main file"}},
      {"[challenge.web]\ntype = \"http-01\"\nweb_root = \"/srv/www\"",
       {":3: challenge.web.web_root: unknown key; did you mean \"webroot\"?"}},
      {"[deploy.web]\nhook = \"/hooks/nginx\"\ncommand = \"x\"",
       {":3: deploy.web.command: unknown key; remove it; the nearest known key is \"kind\""}},
  });
}

TEST_CASE("what this version cannot do is an error, not a silence") {
  const std::string not_yet = "not supported by this version; remove it";
  check_cases({
      {"[storage]\ntype = \"etcd\"\nendpoints = [\"https://etcd.test:2379\"]\nprefix = \"/n\"",
       {":2: storage.type: \"etcd\" is not supported by this version; write \"files\"",
        ":3: storage.endpoints: " + not_yet, ":4: storage.prefix: " + not_yet}},
      {"[storage]\ntls = true\nencryption_key_file = \"/etc/key\"",
       {":2: storage.tls: " + not_yet, ":3: storage.encryption_key_file: " + not_yet}},
  });
}

TEST_CASE("state is stored in files") {
  check_cases({
      {"[storage]", {}},
      {"[storage]\ntype = \"files\"", {}},
      {"[storage]\ntype = \"sqlite\"",
       {":2: storage.type: \"sqlite\" is no kind of storage; write \"files\""}},
      {"[storage]\ntyp = \"files\"", {":2: storage.typ: unknown key; did you mean \"type\"?"}},
      {"storage = \"files\"",
       {":1: storage: must be a table; write [storage], and its settings below it"}},
  });
  ConfigFiles files;
  files.add(main_file, "");
  files.add("/etc/nolapse/conf.d/a.toml", "[storage]\ntype = \"files\"");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/conf.d/a.toml:1: storage: is a global setting, and this is an included "
            "file; move it to /etc/nolapse/nolapse.toml"});
}

TEST_CASE("sections have the form that they need") {
  check_cases({
      {"[ca]\nname = \"x\"",
       {":1: ca: must be a list of tables; write each one as [[ca]] with name = \"...\""}},
      {"certificate = [1]",
       {":1: certificate: holds something else than a table; write each one as [[certificate]] "
        "with name = \"...\""}},
      {"[challenge]\ntype = \"http-01\"",
       {":2: challenge.type: stands outside a named section; write each one as [challenge.NAME]"}},
      {"[[deploy]]\nhook = \"nginx\"",
       {":1: deploy: must be a table of named tables; write each one as [deploy.NAME]"}},
      {"[challenge.\"a/b\"]\ntype = \"http-01\"",
       {":1: challenge.a/b: \"a/b\" cannot be used as a name; use 1 to 64 of the characters A-Z "
        "a-z 0-9 . _ -, with no dot in front"}},
  });
}

TEST_CASE("global settings are checked") {
  check_cases({
      {"state_dir = 5",
       {":1: state_dir: is a number, but must be a string; write it in double quotes"}},
      {"state_dir = \"\"", {":1: state_dir: is empty; give it a value, or remove it"}},
      {"state_dir = \"/a\\u0000b\"",
       {":1: state_dir: holds a control character or line break; write it on one line"}},
      {"hook_directory = \"hooks\"",
       {":1: hook_directory: \"hooks\" is not an absolute path; write a path that begins with /"}},
      {"contact = \"mailto:a@b.example\"",
       {":1: contact: is a string, but must be a list of strings; write contact = [\"...\", "
        "\"...\"]"}},
      {"contact = [\"mailto:a@b.example,c@d.example\", \"mailto:a@b.example?subject=x\"]",
       {":1: contact: \"mailto:a@b.example,c@d.example\" is not a mail address as a URL; write one "
        "address each, such as \"mailto:ops@shop.example\"",
        ":1: contact: \"mailto:a@b.example?subject=x\" is not a mail address as a URL; write one "
        "address each, such as \"mailto:ops@shop.example\""}},
      {"contact = [7]",
       {":1: contact: is a number, but must be a string; write it in double quotes"}},
      {"resolver = \"dns.example:53\"",
       {":1: resolver: \"dns.example:53\" is not the address and port of a DNS server; write "
        "ADDRESS:PORT, such as \"127.0.0.1:53\" or \"[::1]:53\""}},
      {"include = \"x.toml\"",
       {":1: include: is a string, but must be a list of strings; write include = [\"...\", "
        "\"...\"]"}},
  });
}

}  // namespace
}  // namespace nolapse
