// The JSON documents of the state directory as text and back. Every document carries its schema.
#pragma once

#include <string>
#include <string_view>

#include "agent/core/store.h"

namespace nolapse {

std::string write_document(const SavedIssuance& issuance);
std::string write_document(const LeftProofs& left);
Result<LeftProofs> read_left_proofs(std::string_view text);

std::string write_document(const DeploymentRecords& records);
std::string write_document(const ScheduleRecord& record);
std::string write_document(const RehearsalRecords& records);
std::string write_account(const SavedAccount& account);  // without the key
std::string write_meta(const SavedIssuance& issuance, const std::string& series, Time issued_at);

// Errors (local, BAD_STATE) say what is wrong; the caller adds the path.
Result<SavedIssuance> read_issuance(std::string_view text);
Result<DeploymentRecords> read_deployments(std::string_view text);
Result<ScheduleRecord> read_schedule(std::string_view text);
Result<RehearsalRecords> read_rehearsals(std::string_view text);
Result<void> read_account(std::string_view text, SavedAccount& account);
Result<void> read_meta(std::string_view text, Generation& generation);

}  // namespace nolapse
