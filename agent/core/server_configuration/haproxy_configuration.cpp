// HAProxy: sections of lines; certificates by file, by directory or by list on `bind`, servers with
// what they are trusted for, partly said in `default-server`.
// https://docs.haproxy.org/2.6/configuration.html §3.1, §5
#include <algorithm>
#include <array>
#include <map>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

constexpr std::array<const char*, 19> sections = {
    "global",   "defaults",  "frontend", "backend", "listen",      "peers", "resolvers",
    "userlist", "mailers",   "cache",    "program", "http-errors", "ring",  "log-forward",
    "fcgi-app", "crt-store", "traces",   "acme",    "crt-list"};

// What holds for the servers of a section.
struct ServerSettings {
  bool tls = false;
  bool verifies = true;
  std::string roots;
  std::string asked_name;
  std::string checked_name;
};

struct Defaults {
  std::string certificate_base;
  std::string key_base;
  std::string roots_base;
  bool verifies = true;          // ssl-server-verify
  bool replaces_ending = false;  // ssl-load-extra-del-ext: x.key beside x.crt
};

std::string without_family(std::string address) {
  for (const char* family : {"ipv4@", "ipv6@", "quic4@", "quic6@"}) {
    if (address.rfind(family, 0) == 0) address.erase(0, std::string_view(family).size());
  }
  return address;
}

bool is_socket_path(const std::string& address) {
  return address.empty() || address.front() == '/' || address.find('@') != std::string::npos;
}

// "*:443,[::]:8443" as in ShownCertificate; a range of ports stands for its first.
std::vector<std::string> listens_of(const std::string& addresses) {
  std::vector<std::string> listens;
  for (std::size_t begin = 0; begin <= addresses.size();) {
    const std::size_t end = std::min(addresses.find(',', begin), addresses.size());
    const std::string address = without_family(addresses.substr(begin, end - begin));
    begin = end + 1;
    const std::size_t colon = address.rfind(':');
    if (is_socket_path(address) || colon == std::string::npos) continue;
    std::string host = address.substr(0, colon);
    std::string port = address.substr(colon + 1);
    port = port.substr(0, port.find('-'));
    if (host == "*" || host == "::" || host == "[::]" || host == "0.0.0.0") host.clear();
    if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
    listens.push_back(host.empty() ? port : host + ":" + port);
  }
  return listens;
}

class Interpreter {
 public:
  Interpreter(ConfigurationReading& reading, std::string folder)
      : reading_(reading), folder_(std::move(folder)) {}

  void file(const std::string& path, const std::string& content) {
    std::string section;
    for (const NumberedLine& line : lines_of(content, false)) {
      Directive directive{words_of(expanded(line.text), "\"'", " \"'\\#"), path, line.number, {}};
      if (directive.words.empty()) continue;
      const std::string& name = directive.words.front();
      if (std::find(sections.begin(), sections.end(), name) != sections.end()) {
        section = name;
        if (section == "defaults") {
          inherited_ = {};
          inherited_.verifies = defaults_.verifies;
        }
        settings_ = inherited_;
        section_serves_ = false;
        if (section == "crt-store") store_ = {};
      } else if (section == "global") {
        global(directive);
      } else if (section == "crt-store") {
        store(directive);
      } else {
        proxy(directive, section);
      }
    }
  }

  // With several places to go to, what decides is not read.
  void finish() {
    for (Upstream& upstream : upstreams_) {
      upstream.conditional = chooses_ || serving_sections_ > 1;
      reading_.add(std::move(upstream));
    }
  }

 private:
  std::string expanded(const std::string& line) const {
    return expand_variables(line, [&](const std::string& name) {
      const auto known = environment_.find(name);
      return known == environment_.end() ? std::optional<std::string>() : known->second;
    });
  }

  void global(const Directive& line) {
    const std::string& value = line.word(1);
    if (line.is("crt-base")) defaults_.certificate_base = value;
    if (line.is("key-base")) defaults_.key_base = value;
    if (line.is("ca-base")) defaults_.roots_base = value;
    if (line.is("ssl-server-verify")) {
      defaults_.verifies = value != "none";
      inherited_.verifies = defaults_.verifies;
    }
    if (line.is("ssl-load-extra-del-ext")) defaults_.replaces_ending = true;
    if (line.is("setenv") || line.is("presetenv")) environment_[value] = line.word(2);
  }

  void proxy(const Directive& line, const std::string& section) {
    if (line.is("bind")) bind(line);
    if (line.is("default-server")) {
      server_settings(line, 1, settings_);
      if (section == "defaults") inherited_ = settings_;
    }
    if (line.is("use_backend") || line.is("http-request") || line.is("redirect")) {
      const std::string& action = line.word(1);
      const bool goes_on = line.is("http-request") && action != "deny" && action != "return" &&
                           action != "tarpit" && action != "redirect" && action != "silent-drop";
      chooses_ = chooses_ || !goes_on;
    }
    // Of the servers of other sections nobody is served.
    if (section != "backend" && section != "listen") return;
    if (line.is("server")) server(line, 2);
    if (line.is("server-template")) server(line, 3);
  }

  void bind(const Directive& line) {
    if (!line.has_word("ssl")) return;
    ShownCertificate shown;
    shown.place = reading_.place(line);
    shown.listens = listens_of(line.word(1));
    for (std::size_t i = 2; i + 1 < line.words.size(); ++i) {
      if (line.words[i] == "crt") show(line, shown, line.words[i + 1]);
      if (line.words[i] == "crt-list") list(line, shown, line.words[i + 1]);
    }
  }

  std::string absolute(const std::string& base, const std::string& path) const {
    return resolve_path(resolve_path(folder_, base), path);
  }

  void show(const Directive& line, ShownCertificate shown, const std::string& value) {
    if (!value.empty() && value.front() == '@') return;  // of a crt-store, which is read itself
    if (value.find("${") != std::string::npos) {
      reading_.problem(line, "\"" + acme::printable(value, 200) +
                                 "\" has a variable that this file does not set");
      return;
    }
    const std::string path = absolute(defaults_.certificate_base, value);
    const auto status = status_through_links(reading_.files(), path);
    if (status && status->kind == FileStatus::Kind::directory) {
      for (const std::string& file : reading_.expand(path + "/*", line)) {
        if (!is_beside_certificate(file)) add(shown, file);
      }
      return;
    }
    bool found = false;
    if (!status) {
      // One name for a certificate of each kind of key.
      for (const char* kind : {".rsa", ".ecdsa", ".dsa"}) {
        if (!reading_.files().status(path + kind)) continue;
        add(shown, path + kind);
        found = true;
      }
    }
    if (!found) add(std::move(shown), path);
  }

  static bool is_beside_certificate(const std::string& path) {
    for (const char* ending : {".key", ".ocsp", ".sctl", ".issuer"}) {
      const std::string_view text = ending;
      if (path.size() > text.size() &&
          path.compare(path.size() - text.size(), text.size(), text) == 0) {
        return true;
      }
    }
    return false;
  }

  // The key stands in the same file, or beside it.
  void add(ShownCertificate shown, const std::string& path) {
    shown.certificate_file = path;
    std::string stem = path;
    if (defaults_.replaces_ending && stem.size() > 4 &&
        stem.compare(stem.size() - 4, 4, ".crt") == 0) {
      stem.resize(stem.size() - 4);
    }
    if (reading_.files().status(stem + ".key")) {
      const auto content = reading_.files().read(path);
      const bool holds_key = content && content->find("PRIVATE KEY-----") != std::string::npos;
      if (!holds_key) shown.key_file = stem + ".key";
    }
    reading_.add(std::move(shown));
  }

  // "FILE [OPTIONS] NAME !NAME …", a line for each certificate. [§5.1 crt-list]
  void list(const Directive& line, const ShownCertificate& shown, const std::string& value) {
    reading_.read(absolute({}, value), line,
                  [&](const std::string& path, const std::string& content) {
                    for (const NumberedLine& entry : lines_of(content, false)) {
                      list_entry({words_of(entry.text), path, entry.number, {}}, shown);
                    }
                  });
  }

  void list_entry(const Directive& entry, ShownCertificate shown) {
    if (entry.words.empty()) return;
    shown.place = reading_.place(entry);
    bool option = false;
    for (std::size_t i = 1; i < entry.words.size(); ++i) {
      const std::string& word = entry.words[i];
      if (word.empty()) continue;
      if (word.front() == '[') option = true;
      if (!option && word.front() != '!') shown.names.push_back(word);
      if (word.back() == ']') option = false;
    }
    show(entry, std::move(shown), entry.words.front());
  }

  void store(const Directive& line) {
    if (line.is("crt-base")) store_.certificate_base = line.word(1);
    if (line.is("key-base")) store_.key_base = line.word(1);
    if (!line.is("load")) return;
    ShownCertificate shown;
    shown.place = reading_.place(line);
    for (std::size_t i = 1; i + 1 < line.words.size(); i += 2) {
      const std::string& value = line.words[i + 1];
      const auto from = [&](const std::string& own, const std::string& global) {
        return absolute(own.empty() ? global : own, value);
      };
      if (line.words[i] == "crt") {
        shown.certificate_file = from(store_.certificate_base, defaults_.certificate_base);
      }
      if (line.words[i] == "key") shown.key_file = from(store_.key_base, defaults_.key_base);
    }
    if (!shown.certificate_file.empty()) reading_.add(std::move(shown));
  }

  void server_settings(const Directive& line, std::size_t first, ServerSettings& settings) const {
    for (std::size_t i = first; i < line.words.size(); ++i) {
      const std::string& word = line.words[i];
      const std::string& value = line.word(i + 1);
      if (word == "ssl") settings.tls = true;
      if (word == "no-ssl") settings.tls = false;
      if (word == "verify") settings.verifies = value != "none";
      if (word == "ca-file") {
        const bool is_file = value.rfind('@', 0) != 0;  // "@system-ca" is the default of most
        settings.roots = is_file ? absolute(defaults_.roots_base, value) : "";
      }
      if (word == "verifyhost") settings.checked_name = value;
      if (word == "sni") settings.asked_name = plain_name(value);
      const bool takes_value =
          word == "verify" || word == "ca-file" || word == "verifyhost" || word == "sni";
      if (takes_value) ++i;
    }
  }

  // Of "str(NAME)"; other expressions depend on the request.
  static std::string plain_name(const std::string& expression) {
    if (expression.rfind("str(", 0) != 0 || expression.back() != ')') return {};
    return expression.substr(4, expression.size() - 5);
  }

  void server(const Directive& line, std::size_t address_at) {
    std::string address = without_family(line.word(address_at));
    if (is_socket_path(address)) return;
    ServerSettings settings = settings_;
    server_settings(line, address_at + 1, settings);
    // An IPv6 address may stand without brackets: the port is behind the last colon.
    const std::size_t last = address.rfind(':');
    if (address.front() != '[' && address.find(':') != last) {
      address = "[" + address.substr(0, last) + "]" + address.substr(last);
    }
    const auto url = parse_upstream_host(address);
    if (!url) {
      reading_.problem(line, "\"" + acme::printable(line.word(address_at), 100) +
                                 "\" is no HOST:PORT that could be looked at");
      return;
    }
    Upstream upstream;
    upstream.place = reading_.place(line);
    upstream.host = url->host;
    upstream.tls = settings.tls;
    upstream.port = url->port != 0 ? url->port : settings.tls ? 443 : 80;
    if (settings.tls) {
      upstream.server_name =
          settings.asked_name.empty() ? settings.checked_name : settings.asked_name;
      upstream.roots_file = settings.roots;
      upstream.verified = upstream.dates_checked = settings.verifies;
      upstream.name_checked = settings.verifies && !upstream.server_name.empty();
    }
    if (!std::exchange(section_serves_, true)) ++serving_sections_;
    upstreams_.push_back(std::move(upstream));
  }

  ConfigurationReading& reading_;
  const std::string folder_;
  Defaults defaults_;
  Defaults store_;                                  // of the crt-store that is open
  ServerSettings inherited_;                        // from the last `defaults`
  ServerSettings settings_;                         // of the section that is open
  std::map<std::string, std::string> environment_;  // as the file sets it
  std::vector<Upstream> upstreams_;
  bool section_serves_ = false;  // the one that is open has servers
  int serving_sections_ = 0;
  bool chooses_ = false;  // something decides which requests go where
};

}  // namespace

void read_haproxy_configuration(ConfigurationReading& reading, const std::string& main_file) {
  Interpreter interpreter(reading, directory_of(main_file));
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    interpreter.file(path, content);
  });
  interpreter.finish();
}

}  // namespace nolapse
