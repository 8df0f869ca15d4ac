// Apache: a directive a line, sections in <>, whose contents hold in what stands around them.
// Conditions (<IfModule>, <IfDefine>, <IfVersion>) are taken for true: what they hold back today is
// shown tomorrow, and a certificate too many does less harm than one too few.
// https://httpd.apache.org/docs/2.4/mod/mod_ssl.html, …/mod_proxy.html
#include <algorithm>
#include <map>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

struct Setting {
  Directive directive;
  std::string value;
};

struct ProxySettings {
  std::string roots;         // SSLProxyCACertificateFile
  bool verifies = false;     // SSLProxyVerify
  bool checks_dates = true;  // SSLProxyCheckPeerExpire
  bool checks_name = true;   // SSLProxyCheckPeerName
  bool keeps_host = false;   // ProxyPreserveHost
};

// What holds in a virtual host: said there, or for the whole server.
struct Scope {
  std::vector<Setting> certificates;
  std::vector<Setting> keys;
  bool tls = false;
  std::vector<std::string> names;
  ProxySettings proxy;
  std::vector<std::string> listens;
  std::vector<std::string> locations;  // of each ProxyPass
  std::string location;                // as in Upstream
  bool conditional = false;
};

// Directives and sections have no case, their arguments have.
bool is(const Directive& directive, std::string_view name) {
  return lower_case(directive.word(0)) == name;
}

std::string without_port(std::string name) {
  if (const std::size_t scheme = name.find("://"); scheme != std::string::npos) {
    name.erase(0, scheme + 3);
  }
  if (!name.empty() && name.front() != '[') name = name.substr(0, name.find(':'));
  return name;
}

std::vector<std::string> listens_of(const Directive& host) {
  std::vector<std::string> listens;
  for (std::size_t i = 1; i < host.words.size(); ++i) {
    std::string listen = host.words[i];
    for (const char* any : {"*:", "_default_:"}) {
      if (lower_case(listen).rfind(any, 0) == 0) listen.erase(0, std::string_view(any).size());
    }
    const bool is_port = listen.find_first_not_of("0123456789") == std::string::npos;
    const bool has_port = listen.find(':') != std::string::npos && listen.back() != ']';
    if (is_port || has_port) listens.push_back(std::move(listen));
  }
  return listens;
}

class Parser {
 public:
  Parser(ConfigurationReading& reading, const std::string& main_file)
      : reading_(reading), server_root_(directory_of(main_file)) {
    const auto environment = reading.files().read(server_root_ + "/envvars");
    if (environment) read_environment(*environment);
  }

  void file(const std::string& path, const std::string& content, std::vector<Directive>& into) {
    std::vector<std::vector<Directive>*> open = {&into};
    std::vector<std::string> sections;
    for (const NumberedLine& line : lines_of(content, true)) {
      Directive directive{words_in(line.text), path, line.number, {}};
      if (directive.words.empty()) continue;
      const std::string name = lower_case(directive.words.front());
      if (name.front() != '<') {
        plain(directive, *open.back());
      } else if (name.rfind("</", 0) == 0) {
        close(directive, name, open, sections);
      } else if (open.size() > ConfigurationReading::deepest_block) {
        reading_.problem(directive, "sections are nested too deep; the rest of it is not read");
        return;
      } else {
        sections.push_back(name.substr(1));
        // Conditions leave no trace of themselves.
        if (name.rfind("<if", 0) == 0 || name == "<else" || name == "<elseif") {
          open.push_back(open.back());
        } else {
          open.back()->push_back(std::move(directive));
          open.push_back(&open.back()->back().block);
        }
      }
    }
    if (!sections.empty()) {
      reading_.problem(
          path, 0, "the section <" + acme::printable(sections.back(), 40) + "> is never closed");
    }
  }

  std::string absolute(const std::string& path) const { return resolve_path(server_root_, path); }

 private:
  std::vector<std::string> words_in(const std::string& line) const {
    std::string expanded = expand_variables(line, [&](const std::string& name) {
      const auto known = defined_.find(name);
      return known == defined_.end() ? std::optional<std::string>() : known->second;
    });
    // The bracket that ends a section may stand beside its last word.
    const std::size_t first = expanded.find_first_not_of(" \t");
    if (first != std::string::npos && expanded[first] == '<') {
      const std::size_t end = expanded.rfind('>');
      if (end != std::string::npos) expanded.erase(end);
    }
    return words_of(expanded, "\"'", "\"'\\");
  }

  void plain(const Directive& directive, std::vector<Directive>& into) {
    if (is(directive, "include") || is(directive, "includeoptional")) {
      include(directive, into);
    } else if (is(directive, "serverroot")) {
      server_root_ = absolute(directive.word(1));
    } else if (is(directive, "define")) {
      defined_[directive.word(1)] = directive.word(2);
    } else if (is(directive, "undefine")) {
      defined_.erase(directive.word(1));
    } else if (is(directive, "use")) {
      reading_.problem(directive, "what the macro " + acme::printable(directive.word(1), 80) +
                                      " stands for is not read");
    } else {
      into.push_back(directive);
    }
  }

  void close(const Directive& directive, const std::string& name,
             std::vector<std::vector<Directive>*>& open, std::vector<std::string>& sections) {
    if (sections.empty()) {
      reading_.problem(directive, "closes a section that is not open; what follows may be misread");
      return;
    }
    if (sections.back() != name.substr(2)) {
      reading_.problem(directive, "closes another section than the one that is open, <" +
                                      acme::printable(sections.back(), 40) + ">");
    }
    sections.pop_back();
    open.pop_back();
  }

  void include(const Directive& directive, std::vector<Directive>& into) {
    const std::string path = absolute(directive.word(1));
    const bool must_exist = is(directive, "include");
    const auto status = status_through_links(reading_.files(), path);
    if (status && status->kind == FileStatus::Kind::directory) {
      include_directory(directive, path, into, 0);
      return;
    }
    reading_.read_all(path, directive, must_exist,
                      [&](const std::string& file_path, const std::string& content) {
                        file(file_path, content, into);
                      });
  }

  // All files in it and below.
  void include_directory(const Directive& directive, const std::string& path,
                         std::vector<Directive>& into, int depth) {
    if (depth > 10) {
      reading_.problem(directive, path + " lies too deep, and is not read");
      return;
    }
    for (const std::string& child : reading_.expand(path + "/*", directive)) {
      const auto status = status_through_links(reading_.files(), child);
      if (status && status->kind == FileStatus::Kind::directory) {
        include_directory(directive, child, into, depth + 1);
      } else {
        reading_.read(child, directive,
                      [&](const std::string& file_path, const std::string& content) {
                        file(file_path, content, into);
                      });
      }
    }
  }

  // Debian's script sets variables for the server. Only `export NAME=VALUE` is understood; a
  // variable in the value is that of an instance of its own, and empty.
  void read_environment(const std::string& script) {
    for (const NumberedLine& line : lines_of(script, false)) {
      const auto words = words_of(line.text);
      if (words.size() != 2 || words[0] != "export") continue;
      const std::size_t equals = words[1].find('=');
      if (equals == std::string::npos) continue;
      std::string value = words[1].substr(equals + 1);
      value = value.substr(0, value.find('$'));
      defined_[words[1].substr(0, equals)] =
          value + words[1].substr(std::min(words[1].size(), after_variable(words[1], equals)));
    }
  }
  static std::size_t after_variable(const std::string& text, std::size_t from) {
    std::size_t at = text.find('$', from);
    if (at == std::string::npos) return text.size();
    ++at;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 ||
                                std::string_view("_{}").find(text[at]) != std::string_view::npos)) {
      ++at;
    }
    return at;
  }

  ConfigurationReading& reading_;
  std::string server_root_;
  std::map<std::string, std::string> defined_;
};

class Interpreter {
 public:
  Interpreter(ConfigurationReading& reading, const Parser& parser)
      : reading_(reading), parser_(parser) {}

  void top(const std::vector<Directive>& directives) {
    collect_members(directives);
    Scope main;
    settings(directives, main);
    if (main.tls) show_certificates(main, {});
    passes(directives, main, {});
    for (const Directive& host : directives) {
      if (!is(host, "<virtualhost")) continue;
      Scope scope = main;
      scope.names.clear();
      settings(host.block, scope);
      scope.listens = listens_of(host);
      for (const Directive& line : host.block) {
        if (is(line, "proxypass")) scope.locations.push_back(line.word(1));
      }
      if (scope.tls) show_certificates(scope, scope.listens);
      passes(host.block, scope, {});
    }
  }

 private:
  void settings(const std::vector<Directive>& block, Scope& scope) {
    std::vector<Setting> certificates;
    std::vector<Setting> keys;
    for (const Directive& line : block) {
      const std::string name = lower_case(line.word(0));
      const std::string& value = line.word(1);
      const std::string plain = lower_case(value);
      if (name == "sslcertificatefile") certificates.push_back({line, value});
      if (name == "sslcertificatekeyfile") keys.push_back({line, value});
      // Or a list of sockets on which it is on.
      if (name == "sslengine") scope.tls = plain != "off";
      if (name == "servername" || name == "serveralias") add_names(line, scope.names);
      if (name == "sslproxycacertificatefile") scope.proxy.roots = parser_.absolute(value);
      if (name == "sslproxyverify") {
        scope.proxy.verifies = plain == "require" || plain == "optional";
      }
      if (name == "sslproxycheckpeerexpire") scope.proxy.checks_dates = plain != "off";
      if (name == "sslproxycheckpeername") scope.proxy.checks_name = plain != "off";
      if (name == "proxypreservehost") scope.proxy.keeps_host = plain == "on";
    }
    if (!certificates.empty()) scope.certificates = std::move(certificates);
    if (!keys.empty()) scope.keys = std::move(keys);
  }

  static void add_names(const Directive& line, std::vector<std::string>& names) {
    for (std::size_t i = 1; i < line.words.size(); ++i) {
      names.push_back(without_port(line.words[i]));
    }
  }

  void show_certificates(const Scope& scope, const std::vector<std::string>& listens) {
    for (std::size_t i = 0; i < scope.certificates.size(); ++i) {
      const auto& [directive, value] = scope.certificates[i];
      // Not in a file: "pkcs11:…"
      if (value.find("${") != std::string::npos || value.rfind("pkcs11:", 0) == 0) {
        reading_.problem(directive, "\"" + acme::printable(value, 200) +
                                        "\" is no file, or a variable that nobody defines");
        continue;
      }
      ShownCertificate shown;
      shown.place = reading_.place(directive);
      shown.names = scope.names;
      shown.listens = listens;
      shown.certificate_file = parser_.absolute(value);
      if (i < scope.keys.size() && scope.keys[i].value.rfind("pkcs11:", 0) != 0) {
        shown.key_file = parser_.absolute(scope.keys[i].value);
      }
      reading_.add(std::move(shown));
    }
  }

  // <Proxy balancer://NAME> with its members, wherever it stands.
  void collect_members(const std::vector<Directive>& block) {
    for (const Directive& section : block) {
      if (section.block.empty()) continue;
      collect_members(section.block);
      if (!is(section, "<proxy")) continue;
      for (const Directive& line : section.block) {
        if (!is(line, "balancermember")) continue;
        if (const auto url = parse_upstream_url(line.word(1))) {
          members_[lower_case(section.word(1))].push_back(*url);
        }
      }
    }
  }

  void passes(const std::vector<Directive>& block, const Scope& scope,
              const std::string& location) {
    for (const Directive& line : block) {
      const std::string name = lower_case(line.word(0));
      if (name == "proxypass" || name == "proxypassmatch") {
        // Within a section that says the path, the target comes first.
        const bool has_path = line.word(1).find("://") == std::string::npos && location.empty();
        Scope own = scope;
        if (has_path) own.location = (name == "proxypass" ? "" : "~") + line.word(1);
        pass(line, own, has_path ? line.word(2) : line.word(1));
      } else if (name == "rewriterule" && is_proxied(line.word(3))) {
        Scope own = scope;
        own.conditional = true;
        pass(line, own, line.word(2));
      } else if (!line.block.empty() && name != "<virtualhost") {
        Scope inner = scope;
        settings(line.block, inner);
        const bool is_path = name == "<location" && line.word(1).rfind('/', 0) == 0;
        if (is_path) inner.location = line.word(1);
        inner.conditional = scope.conditional || !is_path;
        passes(line.block, inner, name);
      }
    }
  }

  // "[P,L]"
  static bool is_proxied(const std::string& flags) {
    const std::string plain = "," + flags.substr(std::min<std::size_t>(1, flags.size()));
    return plain.find(",P]") != std::string::npos || plain.find(",P,") != std::string::npos ||
           lower_case(plain).find(",proxy") != std::string::npos;
  }

  void pass(const Directive& line, const Scope& scope, const std::string& target) {
    const std::string plain = lower_case(target);
    if (plain.rfind("balancer://", 0) == 0) {
      const std::string group = plain.substr(0, plain.find('/', 11));
      for (const UpstreamUrl& url : members_[group]) add(line, scope, url);
      return;
    }
    const bool is_web =
        plain.rfind("http", 0) == 0 || plain.rfind("ws", 0) == 0 || plain.rfind("h2", 0) == 0;
    if (!is_web) return;
    const std::string server = target.substr(0, target.find('/', target.find("://") + 3));
    const auto url = parse_upstream_url(server);
    if (!url || server.find_first_of("$%{") != std::string::npos) {
      reading_.add(upstream_of(line, scope));
      reading_.problem(line, "only a request decides where \"" + acme::printable(target, 200) +
                                 "\" leads, so the server behind is not known");
      return;
    }
    add(line, scope, *url);
  }

  // Its host is left open.
  Upstream upstream_of(const Directive& line, const Scope& scope) const {
    Upstream upstream;
    upstream.place = reading_.place(line);
    upstream.names = scope.names;
    upstream.listens = scope.listens;
    upstream.location = scope.location;
    upstream.conditional = scope.conditional;
    for (const std::string& each : scope.locations) {
      if (each != scope.location) upstream.other_locations.push_back(each);
    }
    return upstream;
  }

  void add(const Directive& line, const Scope& scope, const UpstreamUrl& url) {
    Upstream upstream = upstream_of(line, scope);
    upstream.host = url.host;
    upstream.tls = url.scheme == "https" || url.scheme == "wss" || url.scheme == "h2";
    upstream.port = url.port != 0 ? url.port : upstream.tls ? 443 : 80;
    if (upstream.tls) {
      upstream.server_name =
          scope.proxy.keeps_host && !scope.names.empty() ? scope.names.front() : url.host;
      upstream.roots_file = scope.proxy.roots;
      upstream.verified = scope.proxy.verifies;
      upstream.dates_checked = scope.proxy.checks_dates;
      upstream.name_checked = scope.proxy.checks_name;
    }
    reading_.add(std::move(upstream));
  }

  ConfigurationReading& reading_;
  const Parser& parser_;
  std::map<std::string, std::vector<UpstreamUrl>> members_;  // by "balancer://NAME"
};

}  // namespace

void read_apache_configuration(ConfigurationReading& reading, const std::string& main_file) {
  Parser parser(reading, main_file);
  std::vector<Directive> directives;
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    parser.file(path, content, directives);
  });
  Interpreter(reading, parser).top(directives);
}

}  // namespace nolapse
