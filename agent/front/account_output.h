// What `account` and `revoke` say at their end. The same text is made by the command itself and by
// the daemon that it joined.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "agent/core/account_outcome.h"
#include "agent/core/revocation.h"

namespace nolapse {

// Returns the exit status: the worst of all outcomes. An account that does not work is a failure,
// one that nobody could ask about is undecided.
int write_accounts(std::ostream& out, bool json, const std::vector<AccountOutcome>& outcomes);

std::string revoked_document(const std::string& name, const RevocationOutcome& outcome);
// `by_daemon`: it replaces the certificate without being asked.
std::string revoked_text(const std::string& name, const RevocationOutcome& outcome, bool by_daemon);

}  // namespace nolapse
