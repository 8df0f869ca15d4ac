#include "agent/solvers/dns_rfc2136.h"

#include <algorithm>
#include <array>
#include <vector>

#include "acme/base64url.h"

namespace nolapse {
namespace {

class Rfc2136 : public DnsProvider {
 public:
  Rfc2136(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override {
    update(std::move(record), true, std::move(done));
  }
  void remove(Record record, Completion<void> done) override {
    update(std::move(record), false, std::move(done));
  }
  bool may_overlap() const override { return true; }
  bool needs_zone() const override { return setting_of(challenge_, "zone").empty(); }

 private:
  void update(Record record, bool add, Completion<void> done) {
    DnsUpdate update;
    update.server = setting_of(challenge_, "server");
    update.zone =
        setting_of(challenge_, "zone").empty() ? record.zone : setting_of(challenge_, "zone");
    update.name = std::move(record.name);
    update.value = std::move(record.value);
    update.add = add;
    // Read at each use: keys are exchanged while the daemon runs.
    if (const std::string file = setting_of(challenge_, "tsig_key_file"); !file.empty()) {
      auto key = read_key(file);
      if (!key) {
        world_.clock.start_timer(Duration{0}, [done, error = key.error()] { done(fail(error)); });
        return;
      }
      update.key = std::move(*key);
    }
    world_.dns.update(std::move(update), std::move(done));
  }

  Result<TsigKey> read_key(const std::string& file) const {
    const auto text = world_.files.read(file);
    if (!text) return fail(text.error());
    auto key = parse_tsig_key(*text);
    if (key) return key;
    Error error = key.error();
    error.message = file + ": " + error.message;
    return fail(std::move(error));
  }

  const ChallengeConfig challenge_;
  World world_;
};

constexpr std::array algorithms = {"hmac-sha256", "hmac-sha512"};

// The end of the comment that begins here, in each of BIND's three forms; `at` where none does.
std::size_t end_of_comment(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  std::size_t end = at;
  if (rest.starts_with("/*")) {
    end = text.find("*/", at + 2);
    if (end != std::string_view::npos) end += 2;
  } else if (rest.starts_with("#") || rest.starts_with("//")) {
    end = text.find('\n', at);
  }
  return std::min(end, text.size());
}

// The words of BIND's syntax, without its punctuation, quotes and comments. A comment begins where
// a word could: a secret may have "//" in it.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t end = i; word.empty() && !quoted; i = end) {
      end = end_of_comment(text, i);
      if (end == i) break;
    }
    const char c = i < text.size() ? text[i] : '\n';
    if (c == '"') quoted = !quoted;
    if (std::string_view(" \t\r\n\"{};").find(c) == std::string_view::npos) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
}

std::string in_lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

TsigKey fields_of(std::string_view text) {
  const auto words = words_of(text);
  if (words.size() == 1) {  // ALGORITHM:NAME:BASE64
    const std::string& line = words.front();
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) return {};
    return {line.substr(first + 1, second - first - 1), line.substr(0, first),
            line.substr(second + 1)};
  }
  TsigKey key;
  constexpr std::size_t whole_key = 6;  // three words, each with its value
  if (words.size() != whole_key) return {};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string keyword = in_lower_case(words[i]);
    if (keyword == "key") key.name = words[i + 1];
    if (keyword == "algorithm") key.algorithm = words[i + 1];
    if (keyword == "secret") key.secret = words[i + 1];
  }
  return key;
}

}  // namespace

Result<TsigKey> parse_tsig_key(std::string_view text) {
  TsigKey key = fields_of(text);
  if (key.name.ends_with('.')) key.name.pop_back();
  key.algorithm = in_lower_case(key.algorithm);
  const auto secret = acme::base64_decode_lenient(key.secret);
  const bool known =
      std::find(algorithms.begin(), algorithms.end(), key.algorithm) != algorithms.end();
  if (key.name.empty() || !secret || secret->empty()) {
    return fail(ErrorKind::input, "BAD_TSIG_KEY",
                "holds no TSIG key; write one with: tsig-keygen -a hmac-sha256 NAME");
  }
  if (!known) {
    return fail(ErrorKind::input, "BAD_TSIG_KEY",
                "the TSIG key's algorithm is not supported; make one with: tsig-keygen -a "
                "hmac-sha256 NAME");
  }
  key.secret = *secret;
  return key;
}

std::unique_ptr<DnsProvider> make_rfc2136(const ChallengeConfig& challenge, World world) {
  return std::make_unique<Rfc2136>(challenge, world);
}

}  // namespace nolapse
