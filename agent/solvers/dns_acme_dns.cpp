// `acme-dns`: a name server that holds nothing but proofs, each account one name, to which the
// CNAME of _acme-challenge leads. credentials_file is what its clients keep: {"shop.example":
// {"username","password","fulldomain","subdomain"}, …}, or one such account alone. An account
// remembers the last two values, so nothing is ever taken away.
// [https://github.com/joohoi/acme-dns#update-endpoint]
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_http.h"

namespace nolapse {
namespace {

using nlohmann::json;

struct Account {
  std::string server;
  std::string name;
  std::string subdomain;
  std::string user;
  std::string password;
};

Account account_in(const json& entry) {
  return {acme::string_member(entry, "server_url"), acme::string_member(entry, "fulldomain"),
          acme::string_member(entry, "subdomain"), acme::string_member(entry, "username"),
          acme::string_member(entry, "password")};
}

bool is_header_value(const std::string& text) {
  return !text.empty() && text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
}

// The account whose name the record has, or why there is none.
Result<Account> find_account(const std::string& text, const DnsProvider::Record& record,
                             const std::string& file) {
  const json document = json::parse(text, nullptr, false);  // an error message would quote it
  std::string other;
  if (document.is_object()) {
    std::vector<std::pair<std::string, Account>> accounts;
    if (document.contains("subdomain")) {
      accounts.emplace_back(record.domain, account_in(document));
    } else {
      for (const auto& [domain, entry] : document.items()) {
        accounts.emplace_back(domain, account_in(entry));
      }
    }
    for (const auto& [domain, account] : accounts) {
      const bool usable = is_header_value(account.user) && is_header_value(account.password);
      if (usable && account.name == record.name) return account;
      if (usable && domain == record.domain) other = account.name;
    }
  }
  if (!other.empty()) {
    return fail(ErrorKind::input, "ACME_DNS_CNAME",
                "the proof of " + record.domain + " belongs at " + record.name +
                    ", and the account in " + file + " is for " + acme::printable(other, 260) +
                    "; let a CNAME lead from the first to the second");
  }
  return fail(ErrorKind::input, "BAD_SECRET",
              file + ": holds no acme-dns account for " + record.name + " (" + record.domain + ")");
}

class AcmeDns : public DnsProvider {
 public:
  AcmeDns(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override {
    const std::string file = setting_of(challenge_, "credentials_file");
    const auto text = world_.files.read(file);
    if (!text) return complete_later(world_, std::move(done), fail(text.error()));
    const auto account = find_account(*text, record, file);
    if (!account) return complete_later(world_, std::move(done), fail(account.error()));
    std::string server = setting_of(challenge_, "api");
    if (server.empty()) server = account->server;
    if (server.empty()) server = "https://auth.acme-dns.io";
    const acme::HttpRequest request{
        "POST",
        server + "/update",
        {{"Content-Type", "application/json"},
         {"X-Api-User", account->user},
         {"X-Api-Key", account->password}},
        acme::dump(json{{"subdomain", account->subdomain}, {"txt", record.value}})};
    send_to_provider(challenge_, world_, request,
                     [request, secrets = Secrets{{"password", account->password}},
                      done = std::move(done)](Result<acme::HttpResponse> response) {
                       if (!response) return done(fail(response.error()));
                       if (response->ok()) return done({});
                       done(fail(refusal(request, *response, secrets)));
                     });
  }

  void remove(Record, Completion<void> done) override {
    complete_later(world_, std::move(done), {});
  }
  // The account is that of the alias.
  bool needs_zone() const override { return true; }

 private:
  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_acme_dns(const ChallengeConfig& challenge, World world) {
  return std::make_unique<AcmeDns>(challenge, world);
}

}  // namespace nolapse
