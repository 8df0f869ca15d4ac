// `lego-exec`: a program written for lego's provider "exec", PROGRAM present|cleanup FQDN. VALUE,
// or with mode = "RAW": PROGRAM present|cleanup -- DOMAIN TOKEN KEY_AUTHORIZATION.
// [https://go-acme.github.io/lego/dns/exec/]
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_program.h"

namespace nolapse {
namespace {

class LegoExec : public DnsProvider {
 public:
  LegoExec(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override {
    run("present", record, std::move(done));
  }
  void remove(Record record, Completion<void> done) override {
    run("cleanup", record, std::move(done));
  }

 private:
  void run(const char* verb, const Record& record, Completion<void> done) {
    const std::string path = setting_of(challenge_, "program");
    ProviderProgram program;
    program.what = path + " " + verb;
    program.argv = {path, verb};
    if (setting_of(challenge_, "mode") == "RAW") {
      program.argv.insert(program.argv.end(),
                          {"--", record.domain, record.token, record.key_authorization});
    } else {
      program.argv.insert(program.argv.end(), {record.name + ".", record.value});
    }
    run_provider_program(challenge_, world_, std::move(program), without_output(std::move(done)));
  }

  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_lego_exec(const ChallengeConfig& challenge, World world) {
  return std::make_unique<LegoExec>(challenge, world);
}

}  // namespace nolapse
