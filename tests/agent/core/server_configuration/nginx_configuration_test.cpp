// What nginx's configuration says of certificates, as nginx reads it.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/nginx/nginx.conf";

ServerConfiguration of(const std::string& text) {
  return read_text("nginx", main_path, text);
}

struct Case {
  std::string text;
  Lines certificates;
};

}  // namespace

TEST_CASE("a server's certificates are found with names, sockets, inheritance and key types") {
  const std::string at = "/etc/nginx/nginx.conf:";
  const std::string pair = " ssl_certificate a.pem; ssl_certificate_key a.key; ";
  const std::vector<Case> cases = {
      {"http { server { listen 443 ssl; server_name a.test www.a.test;" + pair + "} }",
       {at + "1 /etc/nginx/a.pem key=/etc/nginx/a.key names=a.test,www.a.test listens=443"}},
      {"http {" + pair + "\nserver { listen 443 ssl; } server { listen 80; } }",
       {at + "1 /etc/nginx/a.pem key=/etc/nginx/a.key listens=443"}},
      {"http {" + pair +
           "server { listen [::]:443 ssl http2; listen *:443 quic; listen unix:/s ssl;\n"
           "ssl_certificate /b.pem; ssl_certificate_key /b.key; } }",
       {at + "2 /b.pem key=/b.key listens=[::]:443,443"}},
      {"http { server { listen 127.0.0.1:8443 ssl; ssl_certificate /r.pem;\n"
       "ssl_certificate /e.pem;\nssl_certificate_key /r.key;ssl_certificate_key /e.key; } }",
       {at + "1 /r.pem key=/r.key listens=127.0.0.1:8443",
        at + "2 /e.pem key=/e.key listens=127.0.0.1:8443"}},
      // Said by one server, it holds for all on that socket.
      {"http { server { listen 443 ssl; ssl_certificate /a.pem; }\n"
       "server { listen 443; server_name b.test; ssl_certificate /b.pem; } }",
       {at + "1 /a.pem listens=443", at + "2 /b.pem names=b.test listens=443"}},
      {"http { server { listen 443; ssl on; ssl_certificate /a.pem; } }",
       {at + "1 /a.pem listens=443"}},
      {"http { server { listen 80; ssl_certificate /a.pem; } }", {}},
      {"http { server { listen 443 ssl; server_name _ \"\" .d.test ~^x\\d+$ localhost;"
       "ssl_certificate \"/with space.pem\"; } }",
       {at + "1 /with space.pem names=d.test,*.d.test,localhost listens=443"}},
      {"mail { server { listen 993 ssl; ssl_certificate /m.pem; } }\n"
       "stream { server { listen 853 ssl; ssl_certificate /d.pem; } }",
       {at + "1 /m.pem listens=993", at + "2 /d.pem listens=853"}},
      {"http { # }\n server { access_by_lua_block { if x then s = \"}\" -- }\n end }\n"
       "listen 443 ssl; ssl_certificate /a.pem; } }",
       {at + "4 /a.pem listens=443"}},
      {"server { listen 443 ssl; ssl_certificate /alone.pem; }", {at + "1 /alone.pem listens=443"}},
      {"http { server { listen 443 ssl; ssl_certificate /a.pem; ssl_certificate_key engine:x:y; "
       "} }",
       {at + "1 /a.pem listens=443"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = of(each.text);
    CHECK(certificates_in(found) == each.certificates);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("includes are read where nginx reads them: below the main file, links and wildcards") {
  ConfigFiles files;
  files.add(main_path,
            "http { include mime.types; include conf.d/*.conf;\n"
            "include /etc/nginx/sites-enabled/*; }");
  files.add("/etc/nginx/mime.types", "types { text/html html; }");
  files.add("/etc/nginx/sites-available/shop",
            "server {\n listen 443 ssl;\n include snippets/pair.conf;\n}\n");
  files.add_link("/etc/nginx/sites-enabled/shop", "/etc/nginx/sites-available/shop");
  files.add("/etc/nginx/snippets/pair.conf", "ssl_certificate /live/shop.pem;");
  files.add("/etc/nginx/conf.d/not-read.txt", "server { listen 443 ssl; ssl_certificate /x.pem; }");
  const ServerConfiguration found = read_as("nginx", files, main_path);
  CHECK(certificates_in(found) ==
        Lines{"/etc/nginx/snippets/pair.conf:1 /live/shop.pem listens=443"});
  CHECK(found.problems == Lines{});
  CHECK(found.files == Lines{main_path, "/etc/nginx/mime.types", "/etc/nginx/sites-enabled/shop",
                             "/etc/nginx/snippets/pair.conf"});
}

TEST_CASE("what nginx passes on to is found with what it would refuse there") {
  const std::string at = "/etc/nginx/nginx.conf:";
  const std::string site = "http { server { server_name s.test; location / { ";
  const std::vector<Case> cases = {
      {site + "proxy_pass https://b.test; } } }", {at + "1 b.test:443 tls for=s.test"}},
      {site + "proxy_pass http://b.test:8080/app; } } }", {at + "1 b.test:8080 for=s.test"}},
      {site + "proxy_pass https://[::1]:8443/$request_uri; } } }",
       {at + "1 ::1:8443 tls for=s.test"}},
      {site + "proxy_pass http://unix:/run/app.sock; } } }", {}},
      {site + "set $up https://b.test:444; proxy_pass $up; } } }",
       {at + "1 b.test:444 tls for=s.test"}},
      {"http { upstream pool { server 10.0.0.1:9443 weight=2; server c.test; server d.test down; "
       "}\n"
       "proxy_ssl_verify on; proxy_ssl_trusted_certificate roots.pem;\n"
       "server { location / { proxy_pass https://pool; } } }",
       {at + "3 10.0.0.1:9443 tls asks=pool roots=/etc/nginx/roots.pem checks=chain,dates,name",
        at + "3 c.test:80 tls asks=pool roots=/etc/nginx/roots.pem checks=chain,dates,name"}},
      {"http { server { server_name s.test; proxy_ssl_server_name on; proxy_ssl_name in.test;\n"
       "location /a { if ($x) { proxy_pass https://10.0.0.1; } }\n"
       "location /b { proxy_ssl_name $host; proxy_pass https://10.0.0.2; } } }",
       {at + "2 10.0.0.1:443 tls asks=in.test for=s.test",
        at + "3 10.0.0.2:443 tls asks=s.test for=s.test"}},
      {"stream { upstream db { server 10.0.0.3:5433; } server { listen 5432; proxy_ssl on;\n"
       "proxy_pass db; } server { listen 1; proxy_pass 10.0.0.4:2; } }",
       {at + "2 10.0.0.3:5433 tls", at + "2 10.0.0.4:2"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = of(each.text);
    CHECK(upstreams_in(found) == each.certificates);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("an upstream of nginx knows its site's ports and which requests go to it") {
  const ServerConfiguration found =
      of("http { server { listen 443 ssl; listen [::]:8443; server_name s.test;\n"
         "location / { proxy_pass https://10.0.0.1; }\n"
         "location ^~ /b/ { proxy_pass https://10.0.0.2; } location =/c { return 500; }\n"
         "location ~* \\.css$ { expires 1d; } location @d { proxy_pass https://10.0.0.4; }\n"
         "location /e { if ($x) { proxy_pass https://10.0.0.5; } proxy_pass https://$m; } } }");
  REQUIRE(found.upstreams.size() == 5);
  const Upstream& all = found.upstreams[0];
  CHECK(all.listens == Lines{"443", "[::]:8443"});
  CHECK(all.location == "/");
  CHECK(all.other_locations == Lines{"/b/", "=/c", "~*\\.css$", "@d", "/e"});
  CHECK_FALSE(all.conditional);
  CHECK(found.upstreams[1].location == "/b/");
  CHECK(found.upstreams[2].conditional);
  CHECK(found.upstreams[2].location.empty());
  std::size_t conditional = 0;
  std::size_t hidden = 0;
  for (const Upstream& each : found.upstreams) {
    if (each.conditional) ++conditional;
    if (each.host.empty()) ++hidden;
  }
  CHECK(conditional == 2);
  CHECK(hidden == 1);
}

TEST_CASE("what of nginx's configuration cannot be understood is told, and the rest is read") {
  struct Problem {
    std::string text;
    std::string problem;
  };
  const std::string good = "server { listen 443 ssl; ssl_certificate /good.pem; } ";
  const std::vector<Problem> cases = {
      {"http { " + good + "server { listen 443 ssl;\nssl_certificate /c/$ssl_server_name.pem; } }",
       "/etc/nginx/nginx.conf:2: \"/c/$ssl_server_name.pem\" is no file before a request comes; "
       "look at its certificates by name, as endpoints"},
      {"http { " + good + "\ninclude gone.conf; }",
       "/etc/nginx/nginx.conf:2: /etc/nginx/gone.conf: no such file or directory"},
      {"http { " + good + "include nginx.conf; }",
       "/etc/nginx/nginx.conf:1: includes itself through /etc/nginx/nginx.conf; the second time is "
       "left out"},
      {"http { " + good, "/etc/nginx/nginx.conf:1: a { is never closed"},
      {"http { " + good + "} } ",
       "/etc/nginx/nginx.conf:1: a } without a {; what follows may be misread"},
      {"http { " + good + "} worker", "/etc/nginx/nginx.conf:1: the last directive has no ;"},
      {"http { " + good + "server { location / { proxy_pass https://$host; } } }",
       "/etc/nginx/nginx.conf:1: only a request decides where \"https://$host\" leads, so the "
       "server behind is not known"},
  };
  for (const Problem& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = of(each.text);
    CHECK(certificates_in(found) == Lines{"/etc/nginx/nginx.conf:1 /good.pem listens=443"});
    CHECK(found.problems == Lines{each.problem});
  }
  ConfigFiles files;
  files.add(main_path, "http { include secret.conf; " + good + "}");
  files.add("/etc/nginx/secret.conf", "");
  files.deny("/etc/nginx/secret.conf");
  const ServerConfiguration found = read_as("nginx", files, main_path);
  CHECK(found.certificates.size() == 1);
  CHECK(found.problems.size() == 1);
}

}  // namespace nolapse
