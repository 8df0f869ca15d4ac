// What a person may do with an account at a CA besides obtaining certificates, and what comes of
// it. None of it ever makes an account. [RFC 8555 §7.3]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/result.h"

namespace nolapse {

enum class AccountAction { show, roll_over, update, deactivate };
const char* name_of(AccountAction action);  // as on the command line
std::optional<AccountAction> parse_account_action(const std::string& name);

struct AccountOutcome {
  std::string ca;  // configured name
  std::string directory;
  std::string url;  // empty: none is known
  // "none": there is none yet · "valid" · "deactivated", "revoked": for good · "refused": the CA
  // does not let it in, as after a deactivation elsewhere · "forgotten": the CA does not know it ·
  // "unknown": the CA could not be asked
  std::string status = "unknown";
  std::optional<std::vector<std::string>> contact;  // as the CA has it; nothing: it does not say
  std::string key_type;                             // empty: no key yet
  std::string thumbprint;
  // A key change was asked for, and the CA has not shown which key it uses. The account works.
  bool key_change_open = false;
  std::string terms_of_service;  // URL; empty: the CA has none, or was not asked
  bool terms_of_service_agreed = false;
  std::optional<bool> external_account_required;  // by the CA, for new accounts; nothing: not asked
  bool external_account_configured = false;
  bool external_account_bound = false;  // as the CA shows the account
  std::string done;                     // what came of the action, for people; empty: nothing
  std::optional<acme::Error> error;
};

}  // namespace nolapse
