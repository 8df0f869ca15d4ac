// nginx: directives end in ; and nest in {}, an include stands for its files' text, and what an
// inner block does not say holds from the outer one.
// https://nginx.org/en/docs/http/ngx_http_ssl_module.html, …/ngx_http_proxy_module.html
#include <algorithm>
#include <cctype>
#include <map>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/nginx_text.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

struct Setting {
  Directive directive;
  std::string value;
};

// What holds in a block: said there, or around it.
struct Scope {
  std::vector<Setting> certificates;
  std::vector<Setting> keys;
  std::string asked_name;  // proxy_ssl_name
  bool asks_name = false;
  std::string roots;
  bool verifies = false;
  bool proxy_tls = false;                     // of streams, which have no URL that says it
  std::map<std::string, std::string> values;  // by $variable, of `set`
  std::vector<std::string> names;             // of the server
  bool ssl_on = false;                        // the old way to say it, for every listen
  std::vector<std::string> listens;           // of the server
  std::vector<std::string> locations;         // of the server, all of them
  std::string location;                       // as in Upstream
  bool conditional = false;
};

struct Listen {
  std::string text;  // as in ShownCertificate
  bool tls = false;
};

using UpstreamGroups = std::map<std::string, std::vector<UpstreamUrl>>;

bool has_variable(const std::string& value) {
  return value.find('$') != std::string::npos;
}

Listen parse_listen(const Directive& directive) {
  Listen listen;
  listen.text = directive.word(1);
  if (listen.text.rfind("*:", 0) == 0) listen.text.erase(0, 2);
  const bool is_port = listen.text.find_first_not_of("0123456789") == std::string::npos;
  const bool has_port = listen.text.find(':') != std::string::npos &&
                        (listen.text.front() != '[' || listen.text.back() != ']');
  if (listen.text == "*") {
    listen.text = "80";
  } else if (!is_port && !has_port) {
    listen.text += ":80";
  }
  listen.tls = directive.has_word("ssl") || directive.has_word("quic");
  return listen;
}

std::vector<std::string> parse_names(const std::vector<Directive>& block) {
  std::vector<std::string> names;
  for (const Directive& directive : block) {
    if (!directive.is("server_name")) continue;
    for (std::size_t i = 1; i < directive.words.size(); ++i) {
      const std::string& name = directive.words[i];
      // Patterns and the customary names that nobody asks for are no names.
      if (name.empty() || name.front() == '~' || has_variable(name)) continue;
      if (name.find('.') == std::string::npos && name != "localhost") continue;
      if (name.front() == '.') {
        names.push_back(name.substr(1));
        names.push_back("*" + name);
      } else {
        names.push_back(name);
      }
    }
  }
  return names;
}

// As in Upstream; "@NAME" for one that only others name.
std::string parse_location(const Directive& directive) {
  const std::string& first = directive.word(1);
  const std::string all = first + directive.word(2);
  return first == "^~" ? directive.word(2) : first.rfind("^~", 0) == 0 ? first.substr(2) : all;
}

void collect_locations(const std::vector<Directive>& block, std::vector<std::string>& locations) {
  for (const Directive& line : block) {
    if (line.is("location")) locations.push_back(parse_location(line));
    collect_locations(line.block, locations);
  }
}

class Interpreter {
 public:
  Interpreter(ConfigurationReading& reading, std::string prefix)
      : reading_(reading), prefix_(std::move(prefix)) {}

  void top(const std::vector<Directive>& directives) {
    bool inside = false;
    for (const Directive& directive : directives) {
      if (directive.is("http") || directive.is("stream") || directive.is("mail")) {
        inside = true;
        context(directive.block, {}, directive.is("stream"));
      }
    }
    // A file that others include, given on its own.
    if (!inside) context(directives, {}, false);
  }

 private:
  void context(const std::vector<Directive>& block, Scope scope, bool stream) {
    UpstreamGroups groups;
    std::vector<std::string> tls_listens;
    settings(block, scope);
    for (const Directive& directive : block) {
      if (directive.is("upstream")) groups[directive.word(1)] = upstream_servers(directive);
      if (!directive.is("server")) continue;
      for (const Directive& line : directive.block) {
        if (!line.is("listen")) continue;
        const Listen listen = parse_listen(line);
        // Said once, it holds for all servers on that socket.
        if (listen.tls) tls_listens.push_back(listen.text);
      }
    }
    for (const Directive& directive : block) {
      if (directive.is("server")) server(directive, scope, groups, tls_listens, stream);
    }
  }

  void server(const Directive& server, Scope scope, const UpstreamGroups& groups,
              const std::vector<std::string>& tls_listens, bool stream) {
    settings(server.block, scope);
    scope.names = parse_names(server.block);
    std::vector<std::string> listens;
    for (const Directive& line : server.block) {
      if (!line.is("listen") || line.word(1).rfind("unix:", 0) == 0) continue;
      const Listen listen = parse_listen(line);
      scope.listens.push_back(listen.text);
      const bool tls = scope.ssl_on || std::find(tls_listens.begin(), tls_listens.end(),
                                                 listen.text) != tls_listens.end();
      if (tls && std::find(listens.begin(), listens.end(), listen.text) == listens.end()) {
        listens.push_back(listen.text);
      }
    }
    if (!listens.empty()) show_certificates(scope, listens);
    if (stream) {
      for (const Directive& line : server.block) {
        if (line.is("proxy_pass")) pass_stream(line, scope, groups);
      }
    } else {
      collect_locations(server.block, scope.locations);
      locations(server.block, scope, groups);
    }
  }

  void show_certificates(const Scope& scope, const std::vector<std::string>& listens) {
    for (std::size_t i = 0; i < scope.certificates.size(); ++i) {
      const Setting& setting = scope.certificates[i];
      ShownCertificate shown;
      shown.place = reading_.place(setting.directive);
      shown.names = scope.names;
      shown.listens = listens;
      if (has_variable(setting.value) || setting.value.rfind("data:", 0) == 0) {
        reading_.skip_certificate(setting.directive, setting.value);
        continue;
      }
      shown.certificate_file = resolve_path(prefix_, setting.value);
      const std::string key = i < scope.keys.size() ? scope.keys[i].value : "";
      // Not in a file: "engine:…", "store:…", or known when a request comes.
      if (!key.empty() && key.find(':') == std::string::npos && !has_variable(key)) {
        shown.key_file = resolve_path(prefix_, key);
      }
      reading_.add(std::move(shown));
    }
  }

  void settings(const std::vector<Directive>& block, Scope& scope) {
    std::vector<Setting> certificates;
    std::vector<Setting> keys;
    for (const Directive& line : block) {
      const std::string& value = line.word(1);
      if (line.is("ssl_certificate")) certificates.push_back({line, value});
      if (line.is("ssl_certificate_key")) keys.push_back({line, value});
      if (line.is("proxy_ssl_name")) scope.asked_name = value;
      if (line.is("proxy_ssl_server_name")) scope.asks_name = value == "on";
      if (line.is("proxy_ssl_trusted_certificate")) scope.roots = resolve_path(prefix_, value);
      if (line.is("proxy_ssl_verify")) scope.verifies = value == "on";
      if (line.is("proxy_ssl")) scope.proxy_tls = value == "on";
      if (line.is("ssl")) scope.ssl_on = value == "on";
      if (line.is("set")) scope.values[value] = line.word(2);
    }
    if (!certificates.empty()) scope.certificates = std::move(certificates);
    if (!keys.empty()) scope.keys = std::move(keys);
  }

  void locations(const std::vector<Directive>& block, const Scope& scope,
                 const UpstreamGroups& groups) {
    for (const Directive& line : block) {
      if (line.is("proxy_pass")) pass_http(line, scope, groups);
      if (line.block.empty()) continue;
      Scope inner = scope;
      settings(line.block, inner);
      if (line.is("location")) inner.location = parse_location(line);
      inner.conditional = scope.conditional || line.is("if") || inner.location.rfind('@', 0) == 0;
      locations(line.block, inner, groups);
    }
  }

  static std::vector<UpstreamUrl> upstream_servers(const Directive& group) {
    std::vector<UpstreamUrl> servers;
    for (const Directive& line : group.block) {
      if (!line.is("server") || line.has_word("down")) continue;
      if (auto url = parse_upstream_host(line.word(1))) servers.push_back(std::move(*url));
    }
    return servers;
  }

  // The first variable, where `set` gives it a plain value.
  static std::string substitute(std::string value, const Scope& scope) {
    const std::size_t begin = value.find('$');
    if (begin == std::string::npos) return value;
    std::size_t end = begin + 1;
    while (end < value.size() &&
           (std::isalnum(static_cast<unsigned char>(value[end])) != 0 || value[end] == '_')) {
      ++end;
    }
    const auto known = scope.values.find(value.substr(begin, end - begin));
    if (known == scope.values.end() || has_variable(known->second)) return value;
    return value.replace(begin, end - begin, known->second);
  }

  void pass_http(const Directive& line, const Scope& scope, const UpstreamGroups& groups) {
    const std::string target = substitute(line.word(1), scope);
    // The path may well depend on the request.
    const std::string server = target.substr(0, target.find('/', target.find("://") + 3));
    if (server.rfind("http://unix:", 0) == 0) return;
    if (server.rfind("https://unix:", 0) == 0) return reading_.add(upstream_of(line, scope));
    const auto url = parse_upstream_url(server);
    if (!url || has_variable(server)) {
      reading_.add(upstream_of(line, scope));
      reading_.problem(line, "only a request decides where \"" + acme::printable(target, 200) +
                                 "\" leads, so the server behind is not known");
      return;
    }
    pass(line, scope, groups, *url, url->scheme == "https");
  }

  void pass_stream(const Directive& line, const Scope& scope, const UpstreamGroups& groups) {
    if (line.word(1).rfind("unix:", 0) == 0) return;
    const auto url = parse_upstream_host(line.word(1));
    if (url && !has_variable(line.word(1))) pass(line, scope, groups, *url, scope.proxy_tls);
  }

  // Its host is left open.
  Upstream upstream_of(const Directive& line, const Scope& scope) const {
    Upstream upstream;
    upstream.place = reading_.place(line);
    upstream.names = scope.names;
    upstream.listens = scope.listens;
    upstream.conditional = scope.conditional;
    if (scope.location.rfind('@', 0) == 0) return upstream;
    upstream.location = scope.location;
    for (const std::string& each : scope.locations) {
      if (each != scope.location) upstream.other_locations.push_back(each);
    }
    return upstream;
  }

  void pass(const Directive& line, const Scope& scope, const UpstreamGroups& groups,
            const UpstreamUrl& url, bool tls) {
    Upstream upstream = upstream_of(line, scope);
    upstream.tls = tls;
    if (tls) {
      upstream.verified = upstream.dates_checked = upstream.name_checked = scope.verifies;
      upstream.roots_file = scope.roots;
      if (scope.asks_name || scope.verifies) upstream.server_name = asked_name(scope, url.host);
    }
    const auto group = groups.find(url.host);
    // Behind a name of its own, a server without a port has port 80, whatever is spoken there.
    std::vector<UpstreamUrl> servers =
        group != groups.end() ? group->second : std::vector<UpstreamUrl>{url};
    const std::uint16_t default_port = group == groups.end() && tls ? 443 : 80;
    for (const UpstreamUrl& server : servers) {
      upstream.host = server.host;
      upstream.port = server.port != 0 ? server.port : default_port;
      reading_.add(upstream);
    }
  }

  // By default the name in proxy_pass, which may be that of an upstream group.
  static std::string asked_name(const Scope& scope, const std::string& proxied) {
    const std::string& name = scope.asked_name;
    if (name.empty() || name == "$proxy_host") return proxied;
    if (!has_variable(name)) return name;
    const bool is_own = name == "$host" || name == "$http_host" || name == "$server_name" ||
                        name == "$ssl_server_name";
    return is_own && !scope.names.empty() ? scope.names.front() : "";
  }

  ConfigurationReading& reading_;
  const std::string prefix_;
};

}  // namespace

void read_nginx_configuration(ConfigurationReading& reading, const std::string& main_file) {
  const std::string prefix = directory_of(main_file);
  Interpreter(reading, prefix).top(read_nginx_directives(reading, main_file));
}

}  // namespace nolapse
