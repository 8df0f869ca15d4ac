// Dovecot: settings a line, blocks for one name, address or protocol; certificates are said as the
// contents of a file ("<FILE", 2.3) or as a file (2.4).
// https://doc.dovecot.org/2.3/configuration_manual/config_file/config_file_syntax/
#include <optional>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

class Parser {
 public:
  explicit Parser(ConfigurationReading& reading) : reading_(reading) {}

  void file(const std::string& path, const std::string& content, std::vector<Directive>& into) {
    std::vector<std::vector<Directive>*> open = {&into};
    for (const NumberedLine& line : lines_of(content, true)) {
      Directive directive{words_in(line.text), path, line.number, {}};
      if (directive.words.empty()) continue;
      const std::string last = directive.words.back();
      if (directive.is("!include") || directive.is("!include_try")) {
        include(directive, *open.back());
      } else if (directive.is("}")) {
        if (open.size() == 1) {
          reading_.problem(directive, "a } without a {; what follows may be misread");
        } else {
          open.pop_back();
        }
      } else if (last == "{") {
        if (open.size() > ConfigurationReading::deepest_block) {
          reading_.problem(directive, "blocks are nested too deep; the rest is not read");
          return;
        }
        directive.words.pop_back();
        open.back()->push_back(std::move(directive));
        open.push_back(&open.back()->back().block);
      } else {
        open.back()->push_back(std::move(directive));
      }
    }
    if (open.size() > 1) reading_.problem(path, 0, "a { is never closed");
  }

 private:
  // "NAME=VALUE" has three words, with and without blanks.
  static std::vector<std::string> words_in(const std::string& line) {
    std::string spaced = line;
    const std::size_t equals = spaced.find('=');
    const std::size_t first = spaced.find_first_not_of(" \t");
    if (equals != std::string::npos && first != std::string::npos && spaced[first] != '!') {
      spaced.replace(equals, 1, " = ");
    }
    return words_of(spaced, "\"'", "\"'\\");
  }

  void include(const Directive& directive, std::vector<Directive>& into) {
    reading_.read_all(
        resolve_path(directory_of(directive.file), directive.word(1)), directive,
        directive.is("!include"),
        [&](const std::string& path, const std::string& content) { file(path, content, into); });
  }

  ConfigurationReading& reading_;
};

struct Setting {
  Directive directive;
  std::string file;
};

struct Scope {
  std::optional<Setting> certificate;
  std::optional<Setting> key;
  std::optional<Setting> other_certificate;  // of another kind of key
  std::optional<Setting> other_key;
  bool tls = true;
  std::vector<std::string> names;
};

class Interpreter {
 public:
  explicit Interpreter(ConfigurationReading& reading) : reading_(reading) {}

  void block(const std::vector<Directive>& directives, Scope scope) {
    bool own = false;
    for (const Directive& line : directives) {
      if (line.word(1) != "=") continue;
      const std::string& name = line.words.front();
      if (name == "ssl") scope.tls = line.word(2) != "no";
      own = take(line, name, "ssl_cert", "ssl_server_cert_file", scope.certificate) || own;
      take(line, name, "ssl_key", "ssl_server_key_file", scope.key);
      own = take(line, name, "ssl_alt_cert", "ssl_server_alt_cert_file", scope.other_certificate) ||
            own;
      take(line, name, "ssl_alt_key", "ssl_server_alt_key_file", scope.other_key);
    }
    if (own && scope.tls) {
      show(scope, scope.certificate, scope.key);
      show(scope, scope.other_certificate, scope.other_key);
    }
    for (const Directive& inner : directives) {
      const bool filters =
          inner.is("local_name") || inner.is("local") || inner.is("protocol") || inner.is("remote");
      if (!filters) continue;
      Scope within = scope;
      if (inner.is("local_name")) {
        within.names.assign(inner.words.begin() + 1, inner.words.end());
      }
      block(inner.block, std::move(within));
    }
  }

 private:
  // "ssl_cert = </FILE", or "ssl_server_cert_file = /FILE".
  bool take(const Directive& line, const std::string& name, const char* content_name,
            const char* file_name, std::optional<Setting>& setting) {
    std::string value = line.word(2);
    // A blank may stand behind the <.
    if (value == "<") value += line.word(3);
    const bool is_content = name == content_name;
    if (!is_content && name != file_name) return false;
    if (value.empty()) {
      setting.reset();
      return false;
    }
    const bool is_file = !is_content || value.front() == '<';
    if (is_content) value.erase(0, 1);
    if (!is_file || value.empty() || value.front() == '$') {
      reading_.problem(line, "its value is no file; what it stands for is not read");
      return false;
    }
    setting = Setting{line, resolve_path(directory_of(line.file), value)};
    return true;
  }

  void show(const Scope& scope, const std::optional<Setting>& certificate,
            const std::optional<Setting>& key) {
    if (!certificate) return;
    ShownCertificate shown;
    shown.place = reading_.place(certificate->directive);
    shown.names = scope.names;
    shown.certificate_file = certificate->file;
    if (key && key->file != certificate->file) shown.key_file = key->file;
    reading_.add(std::move(shown));
  }

  ConfigurationReading& reading_;
};

}  // namespace

void read_dovecot_configuration(ConfigurationReading& reading, const std::string& main_file) {
  std::vector<Directive> directives;
  Parser parser(reading);
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    parser.file(path, content, directives);
  });
  Interpreter(reading).block(directives, {});
}

}  // namespace nolapse
