// `certbot-hook`: programs written for certbot's --manual-auth-hook and --manual-cleanup-hook. All
// they are told stands in the environment, and the second gets what the first one printed. certbot
// knows how many challenges are still to come; here each one may be the last, so it is always 0.
// [https://eff-certbot.readthedocs.io/en/stable/using.html#pre-and-post-validation-hooks]
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_program.h"

namespace nolapse {
namespace {

class CertbotHook : public DnsProvider {
 public:
  CertbotHook(const ChallengeConfig& challenge, World world)
      : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override {
    run_provider_program(challenge_, world_, program("auth_hook", record),
                         [outputs = outputs_, value = record.value,
                          done = std::move(done)](Result<std::string> output) {
                           if (!output) return done(fail(output.error()));
                           // As certbot does, without the white space around it.
                           const std::size_t begin = output->find_first_not_of(" \t\r\n");
                           const std::size_t end = output->find_last_not_of(" \t\r\n");
                           if (begin != std::string::npos) {
                             (*outputs)[value] = output->substr(begin, end + 1 - begin);
                           }
                           done({});
                         });
  }

  void remove(Record record, Completion<void> done) override {
    if (setting_of(challenge_, "cleanup_hook").empty()) {
      world_.clock.start_timer(Duration{0}, [done = std::move(done)] { done({}); });
      return;
    }
    ProviderProgram hook = program("cleanup_hook", record);
    hook.environment["CERTBOT_AUTH_OUTPUT"] = (*outputs_)[record.value];
    run_provider_program(challenge_, world_, std::move(hook),
                         without_output([outputs = outputs_, value = record.value,
                                         done = std::move(done)](Result<void> outcome) {
                           if (outcome) outputs->erase(value);
                           done(std::move(outcome));
                         }));
  }

 private:
  ProviderProgram program(const char* key, const Record& record) const {
    const std::string path = setting_of(challenge_, key);
    ProviderProgram program;
    program.what = path;
    program.argv = {path};
    // No CERTBOT_TOKEN: certbot sets it for http-01 only.
    program.environment = {
        {"CERTBOT_DOMAIN", record.domain},          {"CERTBOT_IDENTIFIER", record.domain},
        {"CERTBOT_VALIDATION", record.value},       {"CERTBOT_ALL_DOMAINS", record.domain},
        {"CERTBOT_ALL_IDENTIFIERS", record.domain}, {"CERTBOT_REMAINING_CHALLENGES", "0"}};
    return program;
  }

  const ChallengeConfig challenge_;
  World world_;
  // By value of the record. Lost with the process: then the second hook gets an empty text.
  std::shared_ptr<std::map<std::string, std::string>> outputs_ =
      std::make_shared<std::map<std::string, std::string>>();
};

}  // namespace

std::unique_ptr<DnsProvider> make_certbot_hook(const ChallengeConfig& challenge, World world) {
  return std::make_unique<CertbotHook>(challenge, world);
}

}  // namespace nolapse
