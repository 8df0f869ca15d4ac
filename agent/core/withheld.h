// What targets have instead of the newest generation because a person took that back, or because it
// has not come there yet: for how long, and what of it ends first. Pure functions over the records
// and the generations that they name.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/expiry.h"
#include "agent/core/store.h"

namespace nolapse {

// Generations by number; an error says why one cannot be used.
using KnownGenerations = std::map<unsigned, Result<Generation>>;

// Those that targets have by their records, besides `newest`.
KnownGenerations generations_had(const Store& store, const std::string& name,
                                 const DeploymentRecords& records, unsigned newest);

// A person took the newest back for the sake of the one before. That is over when the one before
// is no good any more (expired, revoked, damaged) or little of it is left, as long as the newest is
// good: takes it out of the records and says why, once for each reason. Whoever decides by
// `withdrawn` calls this first.
std::vector<std::string> end_withdrawals(DeploymentRecords& records, const Generation& newest,
                                         const KnownGenerations& had,
                                         const std::optional<SavedRevocation>& revocation,
                                         Time now);
// The same with what is on the disk, which is read only where something was taken back.
std::vector<std::string> end_withdrawals(DeploymentRecords& records, const Store& store,
                                         const std::string& name, const Generation& newest,
                                         const std::optional<SavedRevocation>& revocation,
                                         Time now);

// The generation that live/ names where that is above the newest that is whole; 0: it is not.
unsigned lost_generation(std::optional<unsigned> live, unsigned newest);

// What a target has that ends before the newest does.
struct EndsEarlier {
  std::string target;
  Generation has;
  bool taken_back = false;  // a person took the newest back from it
};
// Of the certificate's targets the one whose certificate ends first; nothing: none ends before the
// newest. Of those from which the newest was taken back, where `only_taken_back`.
std::optional<EndsEarlier> first_to_end(const CertificateSpec& spec,
                                        const DeploymentRecords& records, const Generation& newest,
                                        const KnownGenerations& had, bool only_taken_back = false);
// "target nginx has generation 1: it expires in 6d (…), and generation 2 is withheld from it".
std::string describe(const EndsEarlier& earlier, unsigned newest, Time now);
// See expiry.h; by the renewal that was planned for what the target has.
int step_of(const EndsEarlier& earlier, const CertificateSpec& spec, Time now,
            const ExpiryDays& days);

}  // namespace nolapse
