// What Apache's configuration says of certificates, as Apache reads it.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/apache2/apache2.conf";

ServerConfiguration of(const std::string& text) {
  return read_text("apache", main_path, text);
}

struct Case {
  std::string text;
  Lines lines;
};

}  // namespace

TEST_CASE("a virtual host's certificates are found with names, sockets and inheritance") {
  const std::string at = "/etc/apache2/apache2.conf:";
  const std::vector<Case> cases = {
      {"<VirtualHost *:443>\nServerName https://a.test:443\nserveralias www.a.test b.test\n"
       "SSLEngine on\nSSLCertificateFile /a.pem\nSSLCertificateKeyFile ssl/a.key\n</VirtualHost>",
       {at + "5 /a.pem key=/etc/apache2/ssl/a.key names=a.test,www.a.test,b.test listens=443"}},
      {"<IfModule mod_ssl.c>\n<VirtualHost _default_:443 [::1]:8443>\nSSLEngine on\n"
       "SSLCertificateFile \"/with space.pem\"\n</VirtualHost>\n</IfModule>",
       {at + "4 /with space.pem listens=443,[::1]:8443"}},
      {"SSLCertificateFile /main.pem\nSSLCertificateKeyFile /main.key\n"
       "<VirtualHost *:443>\nSSLEngine on\n</VirtualHost>\n<VirtualHost *:80>\n</VirtualHost>",
       {at + "1 /main.pem key=/main.key listens=443"}},
      {"<VirtualHost *:443>\nSSLEngine off\nSSLCertificateFile /a.pem\n</VirtualHost>", {}},
      {"<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile /r.pem\nSSLCertificateFile \\\n"
       "  /e.pem\nSSLCertificateKeyFile /r.key\nSSLCertificateKeyFile /e.key\n</VirtualHost>",
       {at + "3 /r.pem key=/r.key listens=443", at + "4 /e.pem key=/e.key listens=443"}},
      {"Define DIR /srv/tls\n<VirtualHost *:443>\nSSLEngine on\n# SSLCertificateFile /no.pem\n"
       "SSLCertificateFile ${DIR}/a.pem\n</VirtualHost>",
       {at + "5 /srv/tls/a.pem listens=443"}},
      {"ServerRoot \"/opt/httpd\"\nSSLEngine on\nSSLCertificateFile conf/a.pem",
       {at + "3 /opt/httpd/conf/a.pem"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = of(each.text);
    CHECK(certificates_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("Apache's includes are read as on Debian: links, wildcards, folders, variables") {
  ConfigFiles files;
  files.add("/etc/apache2/envvars",
            "if [ x ]; then\nSUFFIX=\nfi\nexport APACHE_LOG_DIR=/var/log/apache2$SUFFIX\n"
            "export TLS=/srv/tls$SUFFIX/live\n");
  files.add(main_path,
            "Include ports.conf\nIncludeOptional mods-enabled/*.load\n"
            "IncludeOptional sites-enabled/*.conf\nIncludeOptional none/*.conf\nInclude extra\n");
  files.add("/etc/apache2/ports.conf", "Listen 80\n<IfModule ssl_module>\nListen 443\n</IfModule>");
  files.add("/etc/apache2/sites-available/shop.conf",
            "<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile ${TLS}/shop.pem\n"
            "ErrorLog ${APACHE_LOG_DIR}/e.log\n</VirtualHost>\n");
  files.add_link("/etc/apache2/sites-enabled/shop.conf", "/etc/apache2/sites-available/shop.conf");
  files.add("/etc/apache2/extra/below/more.txt",
            "<VirtualHost *:8443>\nSSLEngine on\nSSLCertificateFile /more.pem\n</VirtualHost>\n");
  const ServerConfiguration found = read_as("apache", files, main_path);
  CHECK(certificates_in(found) ==
        Lines{"/etc/apache2/sites-enabled/shop.conf:3 /srv/tls/live/shop.pem listens=443",
              "/etc/apache2/extra/below/more.txt:3 /more.pem listens=8443"});
  CHECK(found.problems == Lines{});
}

TEST_CASE("what Apache passes on to is found with what it would refuse there") {
  const std::string at = "/etc/apache2/apache2.conf:";
  const std::vector<Case> cases = {
      {"ProxyPass /a https://b.test/a\nProxyPass /no !\nProxyPass /c http://c.test:8080/\n"
       "ProxyPass /f fcgi://127.0.0.1:9000/",
       {at + "1 b.test:443 tls asks=b.test checks=dates,name", at + "3 c.test:8080"}},
      {"<VirtualHost *:443>\nServerName s.test\nSSLProxyVerify require\n"
       "SSLProxyCACertificateFile roots.pem\nSSLProxyCheckPeerName off\nProxyPreserveHost On\n"
       "<Location /x>\nProxyPass https://b.test:8443/\n</Location>\n</VirtualHost>",
       {at + "8 b.test:8443 tls asks=s.test roots=/etc/apache2/roots.pem checks=chain,dates "
             "for=s.test"}},
      {"<Proxy \"balancer://pool\">\nBalancerMember https://10.0.0.1:9443 route=1\n"
       "BalancerMember https://10.0.0.2\n</Proxy>\nSSLProxyCheckPeerExpire off\n"
       "SSLProxyCheckPeerName off\nProxyPass / balancer://pool/",
       {at + "7 10.0.0.1:9443 tls asks=10.0.0.1", at + "7 10.0.0.2:443 tls asks=10.0.0.2"}},
      {"ProxyPassMatch ^/x(.*)$ https://b.test/$1\nRewriteRule ^/y(.*) https://d.test/$1 [L,P]\n"
       "RewriteRule ^/z https://other.test/ [R]",
       {at + "1 b.test:443 tls asks=b.test checks=dates,name",
        at + "2 d.test:443 tls asks=d.test checks=dates,name"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = of(each.text);
    CHECK(upstreams_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("what of Apache's configuration cannot be understood is told, and the rest is read") {
  const std::string good =
      "<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile /good.pem\n</VirtualHost>\n";
  const std::string at = "/etc/apache2/apache2.conf:";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Include gone.conf", "5: /etc/apache2/gone.conf: no such file or directory"},
      {"Include apache2.conf",
       "5: includes itself through /etc/apache2/apache2.conf; the second time is left out"},
      {"Use Site a.test", "5: what the macro Site stands for is not read"},
      {"</Directory>", "5: closes a section that is not open; what follows may be misread"},
      {"SSLEngine on\nSSLCertificateFile ${NONE}/x.pem",
       "6: \"${NONE}/x.pem\" is no file, or a variable that nobody defines"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.first);
    const ServerConfiguration found = of(good + each.first);
    CHECK(certificates_in(found) == Lines{at + "3 /good.pem listens=443"});
    CHECK(found.problems == Lines{at + each.second});
  }
  CHECK(of(good + "<Directory /x>").problems ==
        Lines{"/etc/apache2/apache2.conf: the section <directory> is never closed"});
}

}  // namespace nolapse
