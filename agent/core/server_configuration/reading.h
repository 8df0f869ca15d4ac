// What the readers of the servers' languages share: files with includes, in bounds whatever they
// contain, a tree of directives with what they include in their place, and servers behind by URL.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/json_read.h"
#include "agent/core/server_configuration.h"

namespace nolapse {

struct Directive {
  std::vector<std::string> words;  // the first is what it is; lines of no words are left out
  std::string file;
  int line = 0;
  std::vector<Directive> block;

  bool is(std::string_view name) const { return !words.empty() && words.front() == name; }
  // Empty where there are not that many.
  const std::string& word(std::size_t index) const;
  bool has_word(std::string_view word) const;  // behind the first
};

// One server's configuration while it is read.
class ConfigurationReading {
 public:
  ConfigurationReading(const Files& from, std::string server, ServerConfiguration& into)
      : files_(from), result_(into), server_(std::move(server)) {}

  const Files& files() const { return files_; }

  ConfigurationPlace place(const Directive& directive) const {
    return {server_, directive.file, directive.line};
  }
  void problem(const std::string& file, int line, const std::string& why);
  void problem(const Directive& directive, const std::string& why) {
    problem(directive.file, directive.line, why);
  }
  // That is no path before a request comes.
  void skip_certificate(const Directive& directive, const std::string& value);

  using Parse = std::function<void(const std::string& path, const std::string& content)>;
  // Hands the content over, unless it cannot be read, includes itself or there are too many: these
  // are problems of the line that includes it.
  void read(const std::string& path, const Directive& from, const Parse& parse);
  // All files that match an absolute pattern; none is a problem where there is no wildcard and one
  // must exist.
  void read_all(const std::string& pattern, const Directive& from, bool must_exist,
                const Parse& parse);
  // The existing paths; problems as above.
  std::vector<std::string> expand(const std::string& pattern, const Directive& from);

  void add(ShownCertificate certificate);
  void add(Upstream upstream);

  static constexpr int deepest_block = 60;

 private:
  const Files& files_;
  ServerConfiguration& result_;
  const std::string server_;
  std::vector<std::string> open_;  // included by one another
  std::size_t reads_ = 0;
  std::size_t octets_ = 0;
  bool enough_ = false;
};

// Of a line, in the way of a shell: blanks separate, quotes hold together, a backslash takes the
// next character as it is where it stands in `escaped` (empty: any); # at the begin of a word ends
// the line.
std::vector<std::string> words_of(std::string_view line, std::string_view quotes = "\"'",
                                  std::string_view escaped = {});

// Lines with what a backslash at the end continues, each with the number of its first.
struct NumberedLine {
  std::string text;
  int number = 0;
};
std::vector<NumberedLine> lines_of(const std::string& content, bool backslash_continues);

std::string lower_case(std::string_view text);
// Replaces each ${NAME} that is known.
std::string expand_variables(const std::string& text,
                             const std::function<std::optional<std::string>(std::string)>& value);

// "https://HOST[:PORT]/…"
struct UpstreamUrl {
  std::string scheme;
  std::string host;        // an IPv6 address without brackets
  std::uint16_t port = 0;  // 0: the scheme's own
};
// Nothing: that is no URL with a host, or a local socket.
std::optional<UpstreamUrl> parse_upstream_url(std::string_view text);
// "HOST[:PORT]", "[ADDRESS]:PORT"; nothing as above.
std::optional<UpstreamUrl> parse_upstream_host(std::string_view text);

// One file for each language. `main_file` exists, or is a problem.
void read_nginx_configuration(ConfigurationReading& reading, const std::string& main_file);
void read_apache_configuration(ConfigurationReading& reading, const std::string& main_file);
void read_haproxy_configuration(ConfigurationReading& reading, const std::string& main_file);
void read_caddy_configuration(ConfigurationReading& reading, const std::string& main_file);
void read_postfix_configuration(ConfigurationReading& reading, const std::string& main_file);
void read_dovecot_configuration(ConfigurationReading& reading, const std::string& main_file);

}  // namespace nolapse
