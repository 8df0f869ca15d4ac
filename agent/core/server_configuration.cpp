#include "agent/core/server_configuration.h"

#include <algorithm>
#include <array>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

struct ServerLanguage {
  const char* server;
  std::array<const char*, 2> main_files;  // known places of them; those that exist are read
  void (*read)(ConfigurationReading&, const std::string& main_file);
};

constexpr std::array<ServerLanguage, 6> languages = {{
    {"nginx",
     {"/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf"},
     read_nginx_configuration},
    {"apache",
     {"/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"},
     read_apache_configuration},
    {"haproxy", {"/etc/haproxy/haproxy.cfg", nullptr}, read_haproxy_configuration},
    {"caddy", {"/etc/caddy/Caddyfile", nullptr}, read_caddy_configuration},
    {"postfix", {"/etc/postfix/main.cf", nullptr}, read_postfix_configuration},
    {"dovecot", {"/etc/dovecot/dovecot.conf", nullptr}, read_dovecot_configuration},
}};

using Known = std::pair<const char*, const char*>;
constexpr std::array<Known, 7> known_names = {{{"nginx.conf", "nginx"},
                                               {"apache2.conf", "apache"},
                                               {"httpd.conf", "apache"},
                                               {"haproxy.cfg", "haproxy"},
                                               {"Caddyfile", "caddy"},
                                               {"main.cf", "postfix"},
                                               {"dovecot.conf", "dovecot"}}};
// What a line begins with in the language of one of them only.
constexpr std::array<Known, 14> known_lines = {{{"<VirtualHost", "apache"},
                                                {"SSLCertificateFile", "apache"},
                                                {"frontend ", "haproxy"},
                                                {"backend ", "haproxy"},
                                                {"listen ", "haproxy"},
                                                {"smtpd_", "postfix"},
                                                {"http {", "nginx"},
                                                {"server {", "nginx"},
                                                {"stream {", "nginx"},
                                                {"http{", "nginx"},
                                                {"server{", "nginx"},
                                                {"ssl_cert = <", "dovecot"},
                                                {"ssl_cert=<", "dovecot"},
                                                {"protocols = ", "dovecot"}}};

// In the first lines; a program or a mailbox is not searched through.
bool has_line(const std::string& content, std::string_view begin) {
  const std::size_t end = std::min<std::size_t>(content.size(), 64 << 10);
  for (std::size_t at = 0; at < end;) {
    const std::size_t first = content.find_first_not_of(" \t", at);
    if (first != std::string::npos && content.compare(first, begin.size(), begin) == 0) return true;
    const std::size_t line_end = content.find('\n', at);
    if (line_end == std::string::npos) return false;
    at = line_end + 1;
  }
  return false;
}

}  // namespace

std::string ConfigurationPlace::text() const {
  return server + ", " + file + (line > 0 ? ":" + std::to_string(line) : "");
}

std::string server_of_configuration(const std::string& path, const std::string& content) {
  const std::string name = path.substr(path.rfind('/') + 1);
  for (const auto& [file, server] : known_names) {
    if (name == file) return server;
  }
  for (const auto& [begin, server] : known_lines) {
    if (has_line(content, begin)) return server;
  }
  return {};
}

ServerConfiguration read_server_configuration(const Files& files,
                                              const ServerConfigurationPlaces& places) {
  ServerConfiguration result;
  for (const ServerLanguage& language : languages) {
    std::vector<std::string> mains;
    for (const auto& [server, file] : places.files) {
      if (server == language.server) mains.push_back(file);
    }
    if (places.files.empty()) {
      for (const char* file : language.main_files) {
        const auto status = files.status(file == nullptr ? "" : file);
        // One that may not be looked at is a problem when it is read.
        if (file != nullptr && (status || status.error().code != "FILE_MISSING")) {
          mains.emplace_back(file);
        }
      }
    }
    for (const std::string& main : mains) {
      ConfigurationReading reading(files, language.server, result);
      language.read(reading, main);
    }
  }
  return result;
}

}  // namespace nolapse
