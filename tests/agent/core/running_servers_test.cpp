// Which file a server was started with, from its command line.
#include "agent/core/running_servers.h"

#include <doctest/doctest.h>

using namespace nolapse;

namespace {

std::string command(std::vector<std::string> arguments) {
  std::string text;
  for (const std::string& each : arguments) text += each + '\0';
  return text;
}

}  // namespace

TEST_CASE("a server's command line names the configuration that it was started with") {
  struct Case {
    std::string text;
    std::string directory;
    std::vector<MainFile> files;
  };
  for (const Case& each : std::vector<Case>{
           {command({"nginx: master process /usr/sbin/nginx -c /srv/a.conf -p /srv"}),
            "/",
            {{"nginx", "/srv/a.conf"}}},
           {command({"nginx: master process nginx -p /srv/web -c conf/a.conf"}),
            "/",
            {{"nginx", "/srv/web/conf/a.conf"}}},
           {command({"nginx: master process /usr/sbin/nginx -g daemon on;"}), "/", {}},
           {command({"nginx: worker process"}), "/", {}},
           {command({"/usr/sbin/apache2", "-k", "start"}), "/", {}},
           {command({"/usr/sbin/apache2", "-DFOREGROUND", "-f", "/srv/apache.conf"}),
            "/",
            {{"apache", "/srv/apache.conf"}}},
           {command({"httpd", "-d/srv/http", "-f", "conf/httpd.conf"}),
            "",
            {{"apache", "/srv/http/conf/httpd.conf"}}},
           {command({"haproxy", "-Ws", "-f", "a.cfg", "-f", "/srv/b.cfg"}),
            "/srv",
            {{"haproxy", "/srv/a.cfg"}, {"haproxy", "/srv/b.cfg"}}},
           {command({"haproxy", "-f", "a.cfg"}), "", {}},
           {command({"caddy", "run", "--config=/srv/Caddyfile"}),
            "/",
            {{"caddy", "/srv/Caddyfile"}}},
           {command({"/usr/bin/vi", "-c", "/etc/nginx/nginx.conf"}), "/", {}},
           {command({"nginx", "-c"}), "/", {}},
           {"", "/", {}},
           {std::string(3, '\0'), "/", {}}}) {
    CAPTURE(each.text);
    CHECK(main_files_in_command(each.text, each.directory) == each.files);
  }
}
