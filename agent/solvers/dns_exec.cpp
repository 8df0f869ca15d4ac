// `exec`: a program of the operator's own, PROGRAM add|remove NAME VALUE. It finds the same and
// more in its environment, exits with 0 when the record is there (or gone), and may be called again
// for the same record.
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_program.h"

namespace nolapse {
namespace {

class Exec : public DnsProvider {
 public:
  Exec(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override { run("add", record, std::move(done)); }
  void remove(Record record, Completion<void> done) override {
    run("remove", record, std::move(done));
  }

 private:
  void run(const char* verb, const Record& record, Completion<void> done) {
    const std::string path = setting_of(challenge_, "program");
    ProviderProgram program;
    program.what = path + " " + verb;
    program.argv = {path, verb, record.name, record.value};
    program.environment = {{"NOLAPSE_DOMAIN", record.domain},
                           {"NOLAPSE_RECORD_NAME", record.name},
                           {"NOLAPSE_RECORD_VALUE", record.value},
                           {"NOLAPSE_ZONE", record.zone}};
    run_provider_program(challenge_, world_, std::move(program), without_output(std::move(done)));
  }

  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_exec(const ChallengeConfig& challenge, World world) {
  return std::make_unique<Exec>(challenge, world);
}

}  // namespace nolapse
