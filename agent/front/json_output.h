// The JSON documents of the command line, in the published form (schema 1).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/core/certificate_job.h"
#include "agent/core/status_watch.h"
#include "agent/core/watched.h"

namespace nolapse {

nlohmann::json status_object(const CertificateStatus& status);
std::string status_document(const std::vector<CertificateStatus>& certificates,
                            const std::vector<WatchedCertificate>& watched = {});
// The same of what is known since a moment, and beside it "as_of".
std::string known_status_document(const std::vector<KnownStatusPointer>& certificates,
                                  const std::vector<KnownWatchPointer>& watched, Time as_of);
// Facts of a certificate: names, not_before, not_after, issuer, fingerprint_sha256; or null.
nlohmann::json facts_object(const acme::Certificate* certificate);
std::string renew_document(const std::vector<CertificateOutcome>& outcomes);
std::string problems_document(const std::vector<ConfigProblem>& problems);
std::string forgotten_document(const std::string& name);
std::string forgotten_line(const std::string& name);  // the same for people
nlohmann::json error_object(const Error& error);
// For a command that could not begin its work.
std::string error_document(const Error& error);

}  // namespace nolapse
