#include "agent/core/server_configuration/reading.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

// Far beyond any host's, and little enough to read in a second.
constexpr std::size_t most_reads = 5000;
constexpr std::size_t most_octets = 32u << 20;
constexpr std::size_t most_open = 30;  // included by one another
constexpr std::size_t most_problems = 200;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

const std::string& Directive::word(std::size_t index) const {
  static const std::string none;
  return index < words.size() ? words[index] : none;
}

bool Directive::has_word(std::string_view word) const {
  return words.size() > 1 && std::find(words.begin() + 1, words.end(), word) != words.end();
}

void ConfigurationReading::problem(const std::string& file, int line, const std::string& why) {
  const std::string text = file + (line > 0 ? ":" + std::to_string(line) : "") + ": " + why;
  auto& problems = result_.problems;
  if (problems.size() == most_problems) {
    problems.push_back(file + ": there are more problems than can be shown");
  }
  if (problems.size() > most_problems) return;
  if (std::find(problems.begin(), problems.end(), text) == problems.end()) {
    problems.push_back(text);
  }
}

void ConfigurationReading::skip_certificate(const Directive& directive, const std::string& value) {
  problem(directive, "\"" + acme::printable(value, 200) +
                         "\" is no file before a request comes; look at its certificates by name, "
                         "as endpoints");
}

void ConfigurationReading::read(const std::string& path, const Directive& from,
                                const Parse& parse) {
  const bool is_main = from.file.empty();
  const std::string& teller = is_main ? path : from.file;
  if (std::find(open_.begin(), open_.end(), path) != open_.end()) {
    problem(teller, from.line, "includes itself through " + path + "; the second time is left out");
    return;
  }
  if (open_.size() >= most_open) {
    problem(teller, from.line, path + " is included too deep, and not read");
    return;
  }
  if (reads_ >= most_reads || octets_ >= most_octets) {
    if (!std::exchange(enough_, true)) {
      problem(teller, from.line, "there are too many files; from " + path + " on none is read");
    }
    return;
  }
  auto content = files_.read(path);
  if (!content) {
    problem(teller, from.line, content.error().message);
    return;
  }
  ++reads_;
  octets_ += content->size();
  if (std::find(result_.files.begin(), result_.files.end(), path) == result_.files.end()) {
    result_.files.push_back(path);
  }
  open_.push_back(path);
  parse(path, *content);
  open_.pop_back();
}

std::vector<std::string> ConfigurationReading::expand(const std::string& pattern,
                                                      const Directive& from) {
  if (pattern.find('[') != std::string::npos) {
    problem(from, "the pattern " + pattern + " with brackets is not read");
    return {};
  }
  auto paths = expand_pattern(files_, pattern);
  if (paths) return std::move(*paths);
  problem(from, paths.error().message);
  return {};
}

void ConfigurationReading::read_all(const std::string& pattern, const Directive& from,
                                    bool must_exist, const Parse& parse) {
  if (pattern.find_first_of("*?[") != std::string::npos) {
    for (const std::string& path : expand(pattern, from)) read(path, from, parse);
    return;
  }
  const auto status = files_.status(pattern);
  const bool missing = !status && status.error().code == "FILE_MISSING";
  if (!missing || must_exist) read(pattern, from, parse);
}

void ConfigurationReading::add(ShownCertificate certificate) {
  result_.certificates.push_back(std::move(certificate));
}

void ConfigurationReading::add(Upstream upstream) {
  // Several lines may pass on to the same one.
  const bool known =
      std::any_of(result_.upstreams.begin(), result_.upstreams.end(), [&](const Upstream& other) {
        return std::tie(other.place.server, other.names, other.listens, other.location, other.host,
                        other.port, other.tls, other.server_name, other.roots_file,
                        other.verified) ==
               std::tie(upstream.place.server, upstream.names, upstream.listens, upstream.location,
                        upstream.host, upstream.port, upstream.tls, upstream.server_name,
                        upstream.roots_file, upstream.verified);
      });
  if (!known) result_.upstreams.push_back(std::move(upstream));
}

std::vector<std::string> words_of(std::string_view line, std::string_view quotes,
                                  std::string_view escaped) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;  // of a word, an empty one in quotes included
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool escapes = c == '\\' && i + 1 < line.size() && quote != '\'' &&
                         (escaped.empty() || escaped.find(line[i + 1]) != std::string_view::npos);
    if (escapes) {
      word += line[++i];
      inside = true;
    } else if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (quotes.find(c) != std::string_view::npos) {
      quote = c;
      inside = true;
    } else if (c == '#' && !inside) {
      break;
    } else if (is_blank(c)) {
      if (inside) words.push_back(std::move(word));
      word.clear();
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (inside) words.push_back(std::move(word));
  return words;
}

std::vector<NumberedLine> lines_of(const std::string& content, bool backslash_continues) {
  std::vector<NumberedLine> lines;
  int number = 0;
  bool continued = false;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    std::string text = content.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (!text.empty() && text.back() == '\r') text.pop_back();
    const bool goes_on = backslash_continues && !text.empty() && text.back() == '\\';
    if (goes_on) text.back() = ' ';
    if (continued) {
      lines.back().text += text;
    } else {
      lines.push_back({std::move(text), number});
    }
    continued = goes_on;
  }
  return lines;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::string expand_variables(const std::string& text,
                             const std::function<std::optional<std::string>(std::string)>& value) {
  std::string expanded;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t begin = text.find("${", at);
    const std::size_t end = begin == std::string::npos ? begin : text.find('}', begin);
    if (end == std::string::npos) break;
    expanded += text.substr(at, begin - at);
    const auto known = value(text.substr(begin + 2, end - begin - 2));
    expanded += known ? *known : text.substr(begin, end + 1 - begin);
    at = end + 1;
  }
  return expanded + text.substr(std::min(at, text.size()));
}

std::optional<UpstreamUrl> parse_upstream_host(std::string_view text) {
  UpstreamUrl url;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    url.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    url.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (url.host.empty() || url.host == "unix" || url.host.front() == '/') return {};
  if (port.empty()) return url;
  if (port.front() != ':') return {};
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc{} || end != port.data() + port.size() || url.port == 0) return {};
  return url;
}

std::optional<UpstreamUrl> parse_upstream_url(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view rest = text.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  // A password for the server behind does not matter here.
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    rest.remove_prefix(at + 1);
  }
  auto url = parse_upstream_host(rest);
  if (url) url->scheme = lower_case(text.substr(0, scheme));
  return url;
}

}  // namespace nolapse
