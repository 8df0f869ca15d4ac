// The store's documents: what JSON files say of orders, deployments, schedules and CAs. One that is
// not there is an empty one; one that cannot be read is reported, and put aside by the next save.
#include "agent/core/rate_ledger_document.h"
#include "agent/core/store_documents.h"
#include "agent/core/store_work.h"

namespace nolapse {

// A document that is not there is an empty one; a broken one is an error that names the file.
template <class T>
Result<T> Store::load_document(const std::string& path, Result<T> (*read)(std::string_view),
                               Documents<T>& known) const {
  const auto status = files_.status(path);
  if (!status && is_missing(status.error())) return T{};
  const std::uint64_t version = status ? status->version : 0;
  const auto before = known.find(path);
  if (version != 0 && before != known.end() && before->second.version == version)
    return before->second.content;
  const auto text = files_.read(path);
  if (!text) {
    if (is_missing(text.error())) return T{};
    return fail(text.error());
  }
  auto document = read(*text);
  if (!document) return fail(unreadable(document.error(), path, *text));
  if (version != 0) known[path] = {version, *document};
  return document;
}

Error Store::unreadable(Error error, const std::string& path, const std::string& text) const {
  unreadable_[path] = text;
  return located(std::move(error), path);
}

// What nobody could read may be of use to a newer nolapse, or to a person. It is found by its
// content, for a save that the disk did not take left it where it was.
FileWork Store::put_aside(const std::string& path) const {
  const auto found = unreadable_.find(path);
  if (found == unreadable_.end() || files_.read(path) != found->second) return {};
  return {Rename{path, path + ".unreadable"}};
}

FileWork Store::replace_document(const std::string& path, std::string content,
                                 unsigned mode) const {
  FileWork work = put_aside(path);
  append(work, replace_file(path, std::move(content), mode));
  return work;
}

// ---- alerts

Result<AlertState> Store::load_alerts() const {
  const std::string path = root_ + "/alerts.json";
  const auto text = files_.read(path);
  if (!text)
    return is_missing(text.error()) ? AlertState() : Result<AlertState>(fail(text.error()));
  auto state = read_alerts_document(*text);
  if (!state) return fail(unreadable(state.error(), path, *text));
  return state;
}

FileWork Store::save_alerts(const AlertState& state) const {
  return replace_document(root_ + "/alerts.json", write_alerts_document(state), document_mode);
}

// ---- the machine

Result<std::string> Store::load_machine() const {
  auto machine = files_.read(root_ + "/machine");
  if (!machine && is_missing(machine.error())) return std::string();
  return machine;
}

FileWork Store::note_machine(const std::string& machine) const {
  return replace_file(root_ + "/machine", machine, document_mode);
}

// ---- the self-tests

Result<SavedFindings> Store::load_findings() const {
  const std::string path = root_ + "/findings.json";
  const auto text = files_.read(path);
  if (!text)
    return is_missing(text.error()) ? SavedFindings() : Result<SavedFindings>(fail(text.error()));
  auto saved = read_findings_document(*text);
  if (!saved) return fail(unreadable(saved.error(), path, *text));
  return saved;
}

FileWork Store::save_findings(const SavedFindings& findings) const {
  return replace_document(root_ + "/findings.json", write_findings_document(findings),
                          document_mode);
}

// ---- the issuance under way

Result<std::optional<SavedIssuance>> Store::load_issuance(const std::string& name) const {
  const std::string path = certificate_path(name) + "/issuance.json";
  if (is_absent(path)) return std::optional<SavedIssuance>();
  const auto text = files_.read(path);
  if (!text) {
    if (is_missing(text.error())) return std::optional<SavedIssuance>();
    return fail(text.error());
  }
  auto issuance = read_issuance(*text);
  if (!issuance) return fail(unreadable(issuance.error(), path, *text));
  // The process ended between naming the generation and removing this file: that order is done.
  if (files_.status(certificate_path(name) + "/" + std::to_string(issuance->generation))) {
    return std::optional<SavedIssuance>();
  }
  return std::optional<SavedIssuance>(std::move(*issuance));
}

FileWork Store::save_issuance(const std::string& name, const SavedIssuance& issuance) const {
  return replace_document(certificate_path(name) + "/issuance.json", write_document(issuance),
                          document_mode);
}

FileWork Store::drop_order(const std::string& name) const {
  const std::string path = certificate_path(name) + "/issuance.json";
  FileWork work = put_aside(path);
  work.push_back(RemoveTree{path});
  work.push_back(SyncDirectory{certificate_path(name)});
  return work;
}

FileWork Store::drop_issuance(const std::string& name, unsigned number) const {
  FileWork work = drop_order(name);
  work.push_back(RemoveTree{building_path(name, number)});
  return work;
}

Result<LeftProofs> Store::load_left_proofs(const std::string& name) const {
  const std::string path = certificate_path(name) + "/left_behind.json";
  if (is_absent(path)) return LeftProofs{};
  const auto text = files_.read(path);
  if (!text) {
    if (is_missing(text.error())) return LeftProofs{};
    return fail(text.error());
  }
  auto left = read_left_proofs(*text);
  if (!left) return fail(unreadable(left.error(), path, *text));
  return left;
}

FileWork Store::save_left_proofs(const std::string& name, const LeftProofs& left) const {
  FileWork work = new_folder(certificate_path(name));
  append(work, replace_document(certificate_path(name) + "/left_behind.json", write_document(left),
                                document_mode));
  return work;
}

FileWork Store::drop_left_proofs(const std::string& name) const {
  return in_order(RemoveTree{certificate_path(name) + "/left_behind.json"},
                  SyncDirectory{certificate_path(name)});
}

// ---- from look to look

Result<DeploymentRecords> Store::load_deployments(const std::string& name) const {
  return load_document(certificate_path(name) + "/deployments.json", read_deployments,
                       deployments_);
}

FileWork Store::save_deployments(const std::string& name, const DeploymentRecords& records) const {
  return replace_document(certificate_path(name) + "/deployments.json", write_document(records),
                          document_mode);
}

Result<ScheduleRecord> Store::load_schedule(const std::string& name) const {
  return load_document(certificate_path(name) + "/schedule.json", read_schedule, schedules_);
}

FileWork Store::save_schedule(const std::string& name, const ScheduleRecord& record) const {
  FileWork work = new_folder(certificate_path(name));
  append(work, replace_document(certificate_path(name) + "/schedule.json", write_document(record),
                                document_mode));
  return work;
}

Result<RehearsalRecords> Store::load_rehearsals(const std::string& name) const {
  return load_document(certificate_path(name) + "/rehearsal.json", read_rehearsals, rehearsals_);
}

FileWork Store::save_rehearsals(const std::string& name, const RehearsalRecords& records) const {
  FileWork work = new_folder(certificate_path(name));
  append(work, replace_document(certificate_path(name) + "/rehearsal.json", write_document(records),
                                document_mode));
  return work;
}

// ---- the CAs

Result<std::optional<RateLedgerState>> Store::load_ledger(const std::string& ca) const {
  const std::string path = root_ + "/ledger/" + ca + ".json";
  const auto text = files_.read(path);
  if (!text) {
    if (is_missing(text.error())) return std::optional<RateLedgerState>();
    return fail(text.error());
  }
  auto state = read_rate_ledger(*text);
  if (!state) return fail(unreadable(state.error(), path, *text));
  return std::optional<RateLedgerState>(std::move(*state));
}

FileWork Store::save_ledger(const std::string& ca, const RateLedgerState& ledger) const {
  return replace_document(root_ + "/ledger/" + ca + ".json", write_document(ledger), document_mode);
}

Result<std::optional<SavedAccount>> Store::load_account(const std::string& ca) const {
  const std::string key_path = account_path(ca) + "/key.pem";
  const auto pem = files_.read(key_path);
  if (!pem) {
    if (is_missing(pem.error())) return std::optional<SavedAccount>();
    return fail(pem.error());
  }
  auto key = acme::PrivateKey::from_pem(*pem);
  if (!key) return fail(located(key.error(), key_path));
  SavedAccount account;
  account.key = std::move(*key);
  const std::string path = account_path(ca) + "/account.json";
  if (const auto text = files_.read(path)) {
    const auto read = read_account(*text, account);
    if (!read) account.fault = unreadable(read.error(), path, *text).message;
  } else if (!is_missing(text.error())) {
    account.fault = text.error().message;
  }
  const std::string next_path = account_path(ca) + "/next_key.pem";
  if (const auto next_pem = files_.read(next_path)) {
    auto next = acme::PrivateKey::from_pem(*next_pem);
    if (next) account.next_key = std::move(*next);
    if (!next) account.fault = next_path + ": " + next.error().message;
  } else if (!is_missing(next_pem.error())) {
    return fail(next_pem.error());
  }
  if (!account.next_key) account.key_change_at.reset();
  return std::optional<SavedAccount>(std::move(account));
}

FileWork Store::save_account_key(const std::string& ca, const acme::PrivateKey& key) const {
  FileWork work = new_folder(account_path(ca), private_folder_mode);
  append(work, replace_file(account_path(ca) + "/key.pem", key.to_pem(), key_mode));
  return work;
}

FileWork Store::save_next_account_key(const std::string& ca, const acme::PrivateKey& key) const {
  return replace_file(account_path(ca) + "/next_key.pem", key.to_pem(), key_mode);
}

FileWork Store::adopt_next_account_key(const std::string& ca) const {
  return in_order(Rename{account_path(ca) + "/next_key.pem", account_path(ca) + "/key.pem"},
                  SyncDirectory{account_path(ca)});
}

FileWork Store::drop_next_account_key(const std::string& ca) const {
  return in_order(RemoveTree{account_path(ca) + "/next_key.pem"}, SyncDirectory{account_path(ca)});
}

FileWork Store::save_account(const std::string& ca, const SavedAccount& account) const {
  return replace_document(account_path(ca) + "/account.json", write_account(account), key_mode);
}

}  // namespace nolapse
