#include "agent/front/account_output.h"

#include <algorithm>
#include <ostream>

#include "acme/json_read.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

std::string describe_binding(const AccountOutcome& outcome) {
  if (outcome.external_account_bound) return "bound";
  if (!outcome.external_account_required) return {};
  if (!*outcome.external_account_required) return "not needed";
  return outcome.external_account_configured ? "needed, configured" : "needed, not configured";
}

std::string describe_contact(const AccountOutcome& outcome) {
  if (!outcome.contact) return "the CA does not say";
  std::string text;
  for (const std::string& each : *outcome.contact) text += (text.empty() ? "" : " ") + each;
  return text.empty() ? "none" : text;
}

void print_line(std::ostream& out, const char* what, const std::string& text) {
  if (!text.empty()) out << "  " << what << acme::printable(text) << '\n';
}

void print(std::ostream& out, const AccountOutcome& outcome) {
  out << outcome.ca << ": " << (outcome.url.empty() ? "no account" : acme::printable(outcome.url))
      << ", " << acme::printable(outcome.status == "none" ? "none yet" : outcome.status) << '\n';
  print_line(out, "directory  ", outcome.directory);
  if (outcome.status == "valid") print_line(out, "contact    ", describe_contact(outcome));
  if (!outcome.key_type.empty()) {
    print_line(out, "key        ", outcome.key_type + ", thumbprint " + outcome.thumbprint);
  }
  if (!outcome.terms_of_service.empty()) {
    print_line(out, "terms      ",
               outcome.terms_of_service + (outcome.terms_of_service_agreed
                                               ? " (agreed to in the configuration)"
                                               : " (terms_of_service_agreed is not set)"));
  }
  print_line(out, "binding    ", describe_binding(outcome));
  if (outcome.key_change_open) {
    print_line(out, "key change ", "asked for and not confirmed; the account works meanwhile");
  }
  print_line(out, "", outcome.done);
  if (outcome.error) print_line(out, "", outcome.error->message);
}

json account_object(const AccountOutcome& outcome) {
  return {
      {"ca", outcome.ca},
      {"directory", outcome.directory},
      {"url", text_or_null(outcome.url)},
      {"status", outcome.status},
      {"contact", outcome.contact ? json(*outcome.contact) : json(nullptr)},
      {"key_type", text_or_null(outcome.key_type)},
      {"thumbprint", text_or_null(outcome.thumbprint)},
      {"key_change_open", outcome.key_change_open},
      {"terms_of_service", text_or_null(outcome.terms_of_service)},
      {"terms_of_service_agreed", outcome.terms_of_service_agreed},
      {"external_account",
       {{"required", outcome.external_account_required ? json(*outcome.external_account_required)
                                                       : json(nullptr)},
        {"configured", outcome.external_account_configured},
        {"bound", outcome.external_account_bound}}},
      {"done", text_or_null(outcome.done)},
      {"error", outcome.error ? error_object(*outcome.error) : json(nullptr)}};
}

int status_of(const AccountOutcome& outcome) {
  if (!outcome.error) return exit_status::ok;
  const bool unasked = outcome.status == "unknown" || outcome.status == "none";
  if (outcome.error->kind == ErrorKind::transient && unasked) return exit_status::undecided;
  return outcome.error->kind == ErrorKind::held ? exit_status::undecided : exit_status::failed;
}

}  // namespace

int write_accounts(std::ostream& out, bool json_wanted,
                   const std::vector<AccountOutcome>& outcomes) {
  json list = json::array();
  int worst = exit_status::ok;
  for (const AccountOutcome& outcome : outcomes) {
    if (!json_wanted) print(out, outcome);
    list.push_back(account_object(outcome));
    const int status = status_of(outcome);
    if (worst != exit_status::failed && status != exit_status::ok) worst = status;
  }
  if (json_wanted) out << acme::dump(json{{"schema", 1}, {"accounts", std::move(list)}}, 2) << '\n';
  return worst;
}

std::string revoked_document(const std::string& name, const RevocationOutcome& outcome) {
  const acme::Certificate& leaf = outcome.generation.leaf();
  const json revoked{
      {"name", name},
      {"generation", outcome.generation.number},
      {"serial", leaf.serial_number},
      {"fingerprint_sha256", leaf.fingerprint_sha256},
      {"reason", outcome.reason},
      {"revoked_before", outcome.revoked_before},
      {"signed_with", outcome.by_certificate_key ? "certificate key" : "account key"},
      {"due", outcome.due}};
  return acme::dump(json{{"schema", 1}, {"revoked", revoked}}, 2) + "\n";
}

std::string revoked_text(const std::string& name, const RevocationOutcome& outcome,
                         bool by_daemon) {
  std::string text = name + ": generation " + std::to_string(outcome.generation.number) +
                     (outcome.revoked_before ? " had been revoked before"
                                             : " is revoked (" + outcome.reason + ")") +
                     ", signed with the " +
                     (outcome.by_certificate_key ? "certificate's own key" : "account's key") +
                     "\n";
  if (!outcome.newest)
    return text + "  a newer generation is there; deploy it if it is not in use\n";
  if (!outcome.due) return text + "  it is not in the configuration, so nothing replaces it\n";
  text += by_daemon
              ? "  the daemon replaces it now (see `nolapse status " + name + "`)\n"
              : "  it is due now: run `nolapse renew " + certificate_of(name) + "` to replace it\n";
  return text;
}

}  // namespace nolapse
