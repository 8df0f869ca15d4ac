#include "agent/core/server_configuration/nginx_text.h"

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

struct Token {
  enum class Kind { word, semicolon, open, close, end };
  Kind kind = Kind::end;
  std::string text;
  int line = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    skip_blanks();
    Token token{Token::Kind::end, {}, line_};
    if (at_ >= text_.size()) return token;
    const char c = text_[at_];
    if (c == ';' || c == '{' || c == '}') {
      ++at_;
      token.kind = c == ';'   ? Token::Kind::semicolon
                   : c == '{' ? Token::Kind::open
                              : Token::Kind::close;
      return token;
    }
    token.kind = Token::Kind::word;
    token.text = c == '"' || c == '\'' ? quoted(c) : bare();
    return token;
  }

  // Of Lua, behind its opening brace: up to the one that closes it.
  void skip_code() {
    int open = 1;
    while (at_ < text_.size() && open > 0) {
      const char c = take();
      if (c == '{') ++open;
      if (c == '}') --open;
      if (c == '"' || c == '\'') skip_string(c);
      if (c == '-' && at_ < text_.size() && text_[at_] == '-') skip_line();
    }
  }

 private:
  char take() {
    const char c = text_[at_++];
    if (c == '\n') ++line_;
    return c;
  }
  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }
  void skip_string(char quote) {
    while (at_ < text_.size() && text_[at_] != '\n') {
      const char c = take();
      if (c == '\\' && at_ < text_.size()) take();
      if (c == quote) return;
    }
  }
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  void skip_blanks() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        skip_line();
      } else if (is_blank(text_[at_])) {
        take();
      } else {
        return;
      }
    }
  }

  std::string quoted(char quote) {
    std::string word;
    take();
    while (at_ < text_.size()) {
      const char c = take();
      if (c == quote) break;
      word += c == '\\' && at_ < text_.size() ? escaped() : std::string(1, c);
    }
    return word;
  }

  std::string bare() {
    std::string word;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool variable = c == '{' && !word.empty() && word.back() == '$';
      if (is_blank(c) || c == ';' || (c == '{' && !variable)) break;
      if (variable) {
        word += braced();
        continue;
      }
      take();
      word += c == '\\' && at_ < text_.size() ? escaped() : std::string(1, c);
    }
    return word;
  }

  std::string braced() {
    std::string name;
    while (at_ < text_.size()) {
      const char c = take();
      name += c;
      if (c == '}') break;
    }
    return name;
  }

  // Only these lose their backslash; others belong to regular expressions.
  std::string escaped() {
    const char c = take();
    if (c == '"' || c == '\'' || c == '\\') return {c};
    if (c == 't') return "\t";
    if (c == 'r') return "\r";
    if (c == 'n') return "\n";
    return {'\\', c};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

class Parser {
 public:
  Parser(ConfigurationReading& reading, std::string prefix)
      : reading_(reading), prefix_(std::move(prefix)) {}

  void file(const std::string& path, const std::string& content, std::vector<Directive>& into) {
    Lexer lexer(content);
    block(lexer, path, into, 0);
  }

 private:
  void block(Lexer& lexer, const std::string& path, std::vector<Directive>& into, int depth) {
    Directive directive;
    for (;;) {
      Token token = lexer.next();
      if (token.kind == Token::Kind::word) {
        if (directive.words.empty()) directive.line = token.line;
        directive.words.push_back(std::move(token.text));
        continue;
      }
      directive.file = path;
      if (token.kind == Token::Kind::end) {
        if (!directive.words.empty()) reading_.problem(directive, "the last directive has no ;");
        if (depth > 0) reading_.problem(path, token.line, "a { is never closed");
        return;
      }
      if (token.kind == Token::Kind::close) {
        if (depth > 0) return;
        reading_.problem(path, token.line, "a } without a {; what follows may be misread");
      } else if (token.kind == Token::Kind::open) {
        if (!open(lexer, path, directive, depth)) return;
        into.push_back(std::move(directive));
      } else if (directive.is("include")) {
        include(directive, into);
      } else if (!directive.words.empty()) {
        into.push_back(std::move(directive));
      }
      directive = {};
    }
  }

  bool open(Lexer& lexer, const std::string& path, Directive& directive, int depth) {
    if (depth >= ConfigurationReading::deepest_block) {
      reading_.problem(directive, "blocks are nested too deep to be read");
      return false;
    }
    const std::string& name = directive.word(0);
    const std::string lua = "_by_lua_block";
    if (name.size() > lua.size() && name.compare(name.size() - lua.size(), lua.size(), lua) == 0) {
      lexer.skip_code();
    } else {
      block(lexer, path, directive.block, depth + 1);
    }
    return true;
  }

  void include(const Directive& directive, std::vector<Directive>& into) {
    reading_.read_all(
        resolve_path(prefix_, directive.word(1)), directive, true,
        [&](const std::string& path, const std::string& content) { file(path, content, into); });
  }

  ConfigurationReading& reading_;
  const std::string prefix_;
};

}  // namespace

std::vector<Directive> read_nginx_directives(ConfigurationReading& reading,
                                             const std::string& main_file) {
  std::vector<Directive> directives;
  Parser parser(reading, directory_of(main_file));
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    parser.file(path, content, directives);
  });
  return directives;
}

}  // namespace nolapse
