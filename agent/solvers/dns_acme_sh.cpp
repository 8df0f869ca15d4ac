// `acme.sh`: any dns_*.sh script of an acme.sh checkout, unchanged. The shim beside this file reads
// the script and supplies the functions that acme.sh would; `env_file` holds what the script's own
// documentation tells to export. Those values reach the child's environment and nothing else: not
// its arguments, not a log, not a message. Nothing that a script saves is kept between two runs.
#include <algorithm>

#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_program.h"

namespace nolapse {
namespace {

using Variables = std::map<std::string, std::string>;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

bool is_name(std::string_view text) {
  return !text.empty() && (text.front() < '0' || text.front() > '9') &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
             std::string_view::npos;
}

// KEY=VALUE lines as one would export them; quotes around a whole value are the shell's.
Result<Variables> parse_variables(std::string_view text, const std::string& file) {
  Variables variables;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("export ")) line = trimmed(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string_view name = line.substr(0, equals);
    if (equals == std::string_view::npos || !is_name(name) || name == "PATH") {
      return fail(ErrorKind::input, "BAD_ENV_FILE",
                  file + ":" + std::to_string(number) + ": is not NAME=VALUE");
    }
    std::string_view value = line.substr(equals + 1);
    const bool quoted = value.size() >= 2 && value.front() == value.back() &&
                        (value.front() == '"' || value.front() == '\'');
    if (quoted) value = value.substr(1, value.size() - 2);
    variables[std::string(name)] = std::string(value);
  }
  return variables;
}

class AcmeSh : public DnsProvider {
 public:
  AcmeSh(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override { run("add", record, std::move(done)); }
  void remove(Record record, Completion<void> done) override { run("rm", record, std::move(done)); }

 private:
  void run(const char* verb, const Record& record, Completion<void> done) {
    auto variables = read_variables();
    if (!variables) {
      world_.clock.start_timer(
          Duration{0}, [done = std::move(done), error = variables.error()] { done(fail(error)); });
      return;
    }
    const std::string script = setting_of(challenge_, "script");
    const std::string shim = setting_of(challenge_, "shim");
    ProviderProgram program;
    program.what = script + " " + verb;
    program.argv = {shim.empty() ? NOLAPSE_ACME_SH_SHIM : shim, script, verb, record.name,
                    record.value};
    for (const auto& [name, value] : *variables) program.secrets.push_back(value);
    program.environment = std::move(*variables);
    run_provider_program(challenge_, world_, std::move(program), without_output(std::move(done)));
  }

  // At each use: tokens are exchanged while the daemon runs.
  Result<Variables> read_variables() const {
    const std::string file = setting_of(challenge_, "env_file");
    if (file.empty()) return Variables();
    const auto text = world_.files.read(file);
    if (!text) return fail(text.error());
    return parse_variables(*text, file);
  }

  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_acme_sh(const ChallengeConfig& challenge, World world) {
  return std::make_unique<AcmeSh>(challenge, world);
}

}  // namespace nolapse
