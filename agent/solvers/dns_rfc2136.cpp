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

// Words and punctuation of BIND's syntax; quotes are dropped, comments are not expected.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : std::string(text) + " ") {
    const bool separates = std::string_view(" \t\r\n\"{};").find(c) != std::string_view::npos;
    if (!separates) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  return words;
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
    if (words[i] == "key") key.name = words[i + 1];
    if (words[i] == "algorithm") key.algorithm = words[i + 1];
    if (words[i] == "secret") key.secret = words[i + 1];
  }
  return key;
}

}  // namespace

Result<TsigKey> parse_tsig_key(std::string_view text) {
  TsigKey key = fields_of(text);
  if (key.name.ends_with('.')) key.name.pop_back();
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
