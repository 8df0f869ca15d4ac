// Caddy: sites with `tls CERTIFICATE KEY` in the Caddyfile, and what it obtained by itself, which
// lies in its storage. https://caddyserver.com/docs/caddyfile/concepts, …/conventions
#include <algorithm>
#include <map>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

constexpr const char* own_main_file = "/etc/caddy/Caddyfile";
constexpr const char* own_storage = "/var/lib/caddy/.local/share/caddy";

struct Token {
  std::string text;
  int line = 0;
  bool ends_line = false;
  bool quoted = false;
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  std::size_t at = 0;
  const auto end_line = [&] {
    if (!tokens.empty()) tokens.back().ends_line = true;
    ++line;
  };
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') {
      end_line();
      ++at;
    } else if (is_blank(c)) {
      ++at;
    } else if (c == '\\' && at + 1 < text.size() && text[at + 1] == '\n') {
      ++line;
      at += 2;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '`') {
      Token token{{}, line, false, true};
      for (++at; at < text.size() && text[at] != c; ++at) {
        if (c == '"' && text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '"') ++at;
        if (text[at] == '\n') ++line;
        token.text += text[at];
      }
      ++at;
      tokens.push_back(std::move(token));
    } else {
      Token token{{}, line, false, false};
      while (at < text.size() && !is_blank(text[at]) && text[at] != '\n') token.text += text[at++];
      tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

class Parser {
 public:
  explicit Parser(ConfigurationReading& reading) : reading_(reading) {}

  void file(const std::string& path, const std::string& content, std::vector<Directive>& into) {
    const std::vector<Token> tokens = tokens_of(content);
    std::size_t at = 0;
    while (at < tokens.size()) {
      block(tokens, at, path, into, 0);
      if (at < tokens.size()) {
        reading_.problem(path, tokens[at].line, "a } without a {; what follows may be misread");
        ++at;
      }
    }
  }

 private:
  // Up to the } that closes it, or the end.
  void block(const std::vector<Token>& tokens, std::size_t& at, const std::string& path,
             std::vector<Directive>& into, int depth) {
    while (at < tokens.size()) {
      if (tokens[at].text == "}" && !tokens[at].quoted) return;
      Directive directive{{}, path, tokens[at].line, {}};
      bool opens = false;
      for (bool last = false; at < tokens.size() && !last; ++at) {
        const Token& token = tokens[at];
        if (token.text == "}" && !token.quoted) break;
        opens = token.text == "{" && !token.quoted;
        // Addresses of a site go on behind a comma.
        const bool goes_on = !token.quoted && !token.text.empty() && token.text.back() == ',';
        last = opens || (token.ends_line && !goes_on);
        if (!opens) directive.words.push_back(token.text);
      }
      if (opens && !body(tokens, at, directive, depth)) return;
      if (directive.is("import")) {
        import(directive, into, depth);
      } else if (is_snippet(directive)) {
        snippets_[directive.words.front()] = std::move(directive.block);
      } else {
        // Of the global options, which have no words.
        if (directive.words.empty()) directive.words.emplace_back();
        into.push_back(std::move(directive));
      }
    }
  }

  bool body(const std::vector<Token>& tokens, std::size_t& at, Directive& directive, int depth) {
    if (depth >= ConfigurationReading::deepest_block) {
      reading_.problem(directive, "blocks are nested too deep to be read");
      at = tokens.size();
      return false;
    }
    block(tokens, at, directive.file, directive.block, depth + 1);
    if (at >= tokens.size()) {
      reading_.problem(directive, "this { is never closed");
    } else {
      ++at;
    }
    return true;
  }

  static bool is_snippet(const Directive& directive) {
    const std::string& name = directive.word(0);
    return directive.words.size() == 1 && name.size() > 2 && name.front() == '(' &&
           name.back() == ')';
  }

  void import(const Directive& directive, std::vector<Directive>& into, int depth) {
    const std::string& what = directive.word(1);
    const auto snippet = snippets_.find("(" + what + ")");
    if (snippet != snippets_.end()) {
      // A copy of a copy of a copy: a snippet that imports others was expanded already.
      expanded_ += snippet->second.size();
      if (expanded_ > most_expanded || depth > ConfigurationReading::deepest_block) {
        reading_.problem(directive, "too much is imported; this one is left out");
        return;
      }
      into.insert(into.end(), snippet->second.begin(), snippet->second.end());
      return;
    }
    reading_.read_all(
        resolve_path(directory_of(directive.file), what), directive, true,
        [&](const std::string& path, const std::string& content) { file(path, content, into); });
  }

  static constexpr std::size_t most_expanded = 100000;
  ConfigurationReading& reading_;
  std::map<std::string, std::vector<Directive>> snippets_;
  std::size_t expanded_ = 0;
};

class Interpreter {
 public:
  Interpreter(ConfigurationReading& reading, std::string folder)
      : reading_(reading), folder_(std::move(folder)) {}

  void top(const std::vector<Directive>& directives) {
    if (!directives.empty() && directives.front().is("")) global(directives.front());
    // Without braces the whole file is one site.
    const bool one_site = std::none_of(directives.begin(), directives.end(), [](const auto& each) {
      return !each.block.empty() && !each.is("") && looks_like_site(each);
    });
    if (one_site) {
      for (const Directive& first : directives) {
        if (first.is("")) continue;
        return site(first.words, directives);
      }
    }
    for (const Directive& each : directives) {
      if (!each.is("")) site(each.words, each.block);
    }
  }

  std::string storage;

 private:
  static bool looks_like_site(const Directive& directive) {
    return directive.word(0).find_first_of(".:") != std::string::npos || directive.is("localhost");
  }

  void global(const Directive& options) {
    for (const Directive& line : options.block) {
      if (!line.is("storage")) continue;
      storage = line.word(2);
      for (const Directive& inner : line.block) {
        if (inner.is("root")) storage = inner.word(1);
      }
    }
  }

  void site(const std::vector<std::string>& addresses, const std::vector<Directive>& block) {
    ShownCertificate shown;
    for (std::string address : addresses) {
      while (!address.empty() && address.back() == ',') address.pop_back();
      if (const std::size_t scheme = address.find("://"); scheme != std::string::npos) {
        address.erase(0, scheme + 3);
      }
      address = address.substr(0, address.find('/'));
      const auto url = parse_upstream_host(address);
      if (url && url->host.find('{') == std::string::npos) shown.names.push_back(url->host);
      const std::size_t colon = address.rfind(':');
      const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
      const bool is_port =
          !port.empty() && port.find_first_not_of("0123456789") == std::string::npos;
      if (is_port &&
          std::find(shown.listens.begin(), shown.listens.end(), port) == shown.listens.end()) {
        shown.listens.push_back(port);
      }
    }
    for (const Directive& line : block) {
      if (line.is("tls")) tls(line, shown);
    }
  }

  void tls(const Directive& line, ShownCertificate shown) {
    for (const Directive& inner : line.block) {
      if (!inner.is("load")) continue;
      for (std::size_t i = 1; i < inner.words.size(); ++i) {
        shown.place = reading_.place(inner);
        const std::string folder = resolve_path(folder_, inner.words[i]);
        for (const std::string& file : reading_.expand(folder + "/*.pem", inner)) {
          shown.certificate_file = file;
          reading_.add(shown);
        }
      }
    }
    if (line.words.size() < 3) return;  // an address of mail, or "internal"
    if (line.word(1).find('{') != std::string::npos) {
      return reading_.skip_certificate(line, line.word(1));
    }
    shown.place = reading_.place(line);
    shown.certificate_file = resolve_path(folder_, line.word(1));
    shown.key_file = resolve_path(folder_, line.word(2));
    reading_.add(std::move(shown));
  }

  ConfigurationReading& reading_;
  const std::string folder_;
};

// STORAGE/certificates/CA/NAME/NAME.crt, a wildcard's named "wildcard_.shop.example".
void read_storage(ConfigurationReading& reading, const std::string& storage) {
  const Directive from{{}, storage, 0, {}};
  for (const std::string& file : reading.expand(storage + "/certificates/*/*/*.crt", from)) {
    ShownCertificate shown;
    shown.place = reading.place({{}, file, 0, {}});
    shown.certificate_file = file;
    const std::string stem = file.substr(0, file.size() - 4);
    shown.key_file = stem + ".key";
    std::string name = stem.substr(stem.rfind('/') + 1);
    if (name.rfind("wildcard_", 0) == 0) name.replace(0, 9, "*");
    shown.names.push_back(std::move(name));
    reading.add(std::move(shown));
  }
}

}  // namespace

void read_caddy_configuration(ConfigurationReading& reading, const std::string& main_file) {
  std::vector<Directive> directives;
  Parser parser(reading);
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    parser.file(path, content, directives);
  });
  Interpreter interpreter(reading, directory_of(main_file));
  interpreter.top(directives);
  std::string storage = interpreter.storage;
  if (storage.empty() && main_file == own_main_file) storage = own_storage;
  if (!storage.empty()) read_storage(reading, resolve_path(directory_of(main_file), storage));
}

}  // namespace nolapse
