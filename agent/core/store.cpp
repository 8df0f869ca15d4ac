#include "agent/core/store.h"

#include <algorithm>
#include <charconv>

#include "acme/base64url.h"
#include "agent/core/rate_ledger_document.h"
#include "agent/core/series.h"
#include "agent/core/store_documents.h"

namespace nolapse {
namespace {

// Modes: keys are the owner's alone (or a configured group's), the rest is public, so that
// `nolapse status` needs no privilege. Accounts are nobody else's business.
constexpr unsigned folder_mode = 0755;
constexpr unsigned private_folder_mode = 0700;
constexpr unsigned document_mode = 0644;
constexpr unsigned key_mode = 0600;
constexpr unsigned group_key_mode = 0640;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

void append(FileWork& work, FileWork more) {
  for (FileOperation& operation : more) work.push_back(std::move(operation));
}

// In this order. A list in braces would copy every content.
template <class... Operations>
FileWork in_order(Operations... operations) {
  FileWork work;
  work.reserve(sizeof...(operations));
  (work.emplace_back(std::move(operations)), ...);
  return work;
}

// A new file under its final name, or the old one: never anything between.
FileWork replace_file(const std::string& path, std::string content, unsigned mode) {
  const std::string fresh = path + ".new";
  return in_order(RemoveTree{fresh}, WriteFile{fresh, std::move(content), mode, {}},
                  SyncFile{fresh}, Rename{fresh, path}, SyncDirectory{parent_of(path)});
}

FileWork replace_link(const std::string& path, const std::string& target) {
  const std::string fresh = parent_of(path) + "/." + path.substr(path.rfind('/') + 1) + ".new";
  return in_order(RemoveTree{fresh}, MakeSymlink{target, fresh}, Rename{fresh, path},
                  SyncDirectory{parent_of(path)});
}

FileWork new_file(const std::string& path, std::string content, unsigned mode,
                  const std::string& group = {}) {
  return in_order(WriteFile{path, std::move(content), mode, group}, SyncFile{path});
}

FileWork new_folder(const std::string& path, unsigned mode = folder_mode) {
  return in_order(MakeDirectory{path, mode}, SyncDirectory{parent_of(path)});
}

using Names = std::vector<std::string>;

std::optional<unsigned> parse_number(std::string_view text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number == 0) return {};
  return number;
}

bool is_missing(const Error& error) {
  return error.code == "FILE_MISSING";
}

Error located(Error error, const std::string& path) {
  error.message = path + ": " + error.message;
  return error;
}

}  // namespace

// ---- documents

// A document that is not there is an empty one; a broken one is an error that names the file.
template <class T>
Result<T> Store::load_document(const std::string& path, Result<T> (*read)(std::string_view),
                               Documents<T>& known) const {
  const std::uint64_t version = version_of(path);
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

std::uint64_t Store::version_of(const std::string& path) const {
  const auto status = files_.status(path);
  return status ? status->version : 0;
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

// ---- the whole directory

FileWork Store::prepare() const {
  // Its parent may be closed to us, and matters only when the folder is new.
  FileWork work = files_.status(root_) ? FileWork{} : new_folder(root_);
  append(work, new_folder(root_ + "/accounts", private_folder_mode));
  for (const char* name : {"/certificates", "/live", "/deployed", "/ledger", "/events", "/tmp"}) {
    append(work, new_folder(root_ + name));
  }
  return work;
}

FileWork Store::sweep() const {
  FileWork work;
  std::vector<std::string> needed;
  // All there are, not only the configured ones: a file of the configuration may be away.
  Names series = names();
  for (const std::string& name : names()) series.push_back(standby_name(name));
  for (const std::string& name : series) {
    const auto issuance = load_issuance(name);
    if (issuance && *issuance) needed.push_back(building_path(name, (*issuance)->generation));
    const std::string path = certificate_path(name) + "/issuance.json";
    if (issuance && !*issuance && files_.status(path)) {
      work.push_back(RemoveTree{path});
      work.push_back(SyncDirectory{certificate_path(name)});
    }
  }
  const auto entries = files_.list(root_ + "/tmp");
  if (!entries) return work;
  for (const std::string& entry : *entries) {
    const std::string path = root_ + "/tmp/" + entry;
    if (std::find(needed.begin(), needed.end(), path) == needed.end()) {
      work.push_back(RemoveTree{path});
    }
  }
  return work;
}

std::vector<std::string> Store::names() const {
  return files_.list(root_ + "/certificates").value_or(Names{});
}

FileWork Store::forget(const std::string& name) const {
  FileWork work = {RemoveTree{live_path(name)},
                   SyncDirectory{root_ + "/live"},
                   RemoveTree{root_ + "/deployed/" + name},
                   SyncDirectory{root_ + "/deployed"},
                   RemoveTree{certificate_path(name)},
                   SyncDirectory{root_ + "/certificates"}};
  append(work, remove_building_folders(name));
  append(work, remove_building_folders(standby_name(name)));
  return work;
}

FileWork Store::remove_standby(const std::string& name) const {
  const std::string path = certificate_path(standby_name(name));
  if (!files_.status(path)) return {};
  FileWork work = {RemoveTree{path}, SyncDirectory{certificate_path(name)}};
  append(work, remove_building_folders(standby_name(name)));
  return work;
}

std::string Store::building_path(const std::string& name, unsigned number) const {
  std::string folder = name;
  std::replace(folder.begin(), folder.end(), '/', '+');
  return root_ + "/tmp/" + folder + "." + std::to_string(number);
}

FileWork Store::remove_building_folders(const std::string& name) const {
  FileWork work;
  for (const std::string& entry : files_.list(root_ + "/tmp").value_or(Names{})) {
    const auto number = parse_number(std::string_view(entry).substr(entry.rfind('.') + 1));
    const std::string path = root_ + "/tmp/" + entry;
    if (number && path == building_path(name, *number)) work.push_back(RemoveTree{path});
  }
  return work;
}

// ---- generations

Result<std::vector<unsigned>> Store::generation_numbers(const std::string& name) const {
  std::vector<unsigned> numbers;
  const auto entries = files_.list(certificate_path(name));
  if (!entries && !is_missing(entries.error())) return fail(entries.error());
  for (const std::string& entry : entries.value_or(Names{})) {
    if (const auto number = parse_number(entry)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<unsigned> Store::next_number(const std::string& name) const {
  unsigned last = 0;
  for (const std::string& series : {name, certificate_of(name)}) {
    const auto numbers = generation_numbers(series);
    if (!numbers) return fail(numbers.error());
    if (!numbers->empty()) last = std::max(last, numbers->back());
  }
  return last + 1;
}

Result<Generation> Store::parse_generation(std::string directory, unsigned number,
                                           const std::string& fullchain,
                                           const std::string& meta) const {
  Generation generation;
  generation.number = number;
  generation.directory = std::move(directory);
  auto chain = acme::parse_pem_chain(fullchain);
  if (!chain) return fail(located(chain.error(), generation.directory + "/fullchain.pem"));
  // A daemon remembers thousands of these: what nobody asks for is not kept.
  generation.chain.push_back(std::move(chain->front()));
  generation.chain.front().der = {};
  // Without meta.json the certificate is still a certificate.
  if (!meta.empty()) (void)read_meta(meta, generation);
  return generation;
}

Result<Generation> Store::load_generation(const std::string& name, unsigned number) const {
  const std::string directory = certificate_path(name) + "/" + std::to_string(number);
  const auto fullchain = files_.read(directory + "/fullchain.pem");
  if (!fullchain) return fail(fullchain.error());
  const auto key = files_.status(directory + "/privkey.pem");
  if (!key) return fail(key.error());
  return parse_generation(directory, number, *fullchain,
                          files_.read(directory + "/meta.json").value_or(std::string()));
}

Store::Versions Store::versions_of(const std::string& name, unsigned number) const {
  const std::string directory = certificate_path(name) + "/" + std::to_string(number);
  return {version_of(certificate_path(name)), version_of(directory + "/fullchain.pem"),
          version_of(directory + "/privkey.pem"), version_of(directory + "/meta.json")};
}

Result<Store::Parsed> Store::load_checked(const std::string& name, unsigned number) const {
  const Versions versions = versions_of(name, number);
  const std::string directory = certificate_path(name) + "/" + std::to_string(number);
  const auto fullchain = files_.read(directory + "/fullchain.pem");
  if (!fullchain) return fail(fullchain.error());
  const auto key_text = files_.read(directory + "/privkey.pem");
  if (!key_text) return fail(located(key_text.error(), directory + "/privkey.pem"));
  const std::string meta = files_.read(directory + "/meta.json").value_or(std::string());
  auto generation = parse_generation(directory, number, *fullchain, meta);
  if (!generation) return fail(generation.error());
  Parsed parsed{versions, std::move(*generation), {}};
  const auto key = acme::PrivateKey::from_pem(*key_text);
  if (!key) parsed.fault = directory + "/privkey.pem: " + key.error().message;
  if (key && key->public_key_der() != parsed.generation.leaf().public_key_der) {
    parsed.fault = directory + "/privkey.pem is not the key of the certificate";
  }
  return parsed_[name] = std::move(parsed);
}

// The folder's version says that no newer one has come.
const Store::Parsed* Store::unchanged(const std::string& name) const {
  const auto known = parsed_.find(name);
  if (known == parsed_.end() || !known->second.fault.empty()) return nullptr;
  const Versions& versions = known->second.versions;
  const bool certain = std::find(versions.begin(), versions.end(), 0U) == versions.end();
  return certain && versions == versions_of(name, known->second.generation.number) ? &known->second
                                                                                   : nullptr;
}

Result<std::optional<Generation>> Store::newest_generation(
    const std::string& name, Keys keys, std::vector<std::string>* damaged) const {
  if (const Parsed* known = keys == Keys::checked ? unchanged(name) : nullptr) {
    return std::optional<Generation>(known->generation);
  }
  const auto numbers = generation_numbers(name);
  if (!numbers) return fail(numbers.error());
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    std::string fault;
    if (keys == Keys::checked) {
      auto parsed = load_checked(name, *number);
      fault = parsed ? parsed->fault : parsed.error().message;
      if (fault.empty()) {
        // What is damaged is to be found again.
        if (number != numbers->rbegin()) parsed_.erase(name);
        return std::optional<Generation>(std::move(parsed->generation));
      }
    } else {
      auto generation = load_generation(name, *number);
      if (generation) return std::optional<Generation>(std::move(*generation));
      fault = generation.error().message;
    }
    if (damaged != nullptr) damaged->push_back(std::move(fault));
  }
  return std::optional<Generation>();
}

std::optional<unsigned> Store::live_generation(const std::string& name) const {
  const auto target = files_.read_link(live_path(name));
  if (!target) return {};
  return parse_number(std::string_view(*target).substr(target->rfind('/') + 1));
}

Result<acme::PrivateKey> Store::load_key(const Generation& generation) const {
  const auto pem = files_.read(generation.directory + "/privkey.pem");
  if (!pem) return fail(pem.error());
  return acme::PrivateKey::from_pem(*pem);
}

Result<acme::Certificate> Store::load_issuer(const Generation& generation) const {
  const std::string path = generation.directory + "/chain.pem";
  const auto pem = files_.read(path);
  if (!pem) return fail(pem.error());
  auto chain = acme::parse_pem_chain(*pem);
  if (!chain) return fail(located(chain.error(), path));
  return std::move(chain->front());
}

FileWork Store::remove_old_generations(const std::string& name, unsigned keep) const {
  const auto numbers = generation_numbers(name);
  if (!numbers || numbers->size() <= keep) return {};
  // Whatever is in use stays, and what came after it: one of those may be gone back to.
  unsigned oldest_needed = (*numbers)[numbers->size() - keep];
  std::vector<std::string> links;
  const std::string deployed = root_ + "/deployed/" + name;
  if (!is_standby(name)) links.push_back(live_path(name));
  for (const std::string& target :
       is_standby(name) ? Names{} : files_.list(deployed).value_or(Names{})) {
    links.push_back(deployed + "/" + target);
  }
  for (const std::string& link : links) {
    const auto target = files_.read_link(link);
    if (!target) continue;
    const auto number = parse_number(std::string_view(*target).substr(target->rfind('/') + 1));
    if (number) oldest_needed = std::min(oldest_needed, *number);
  }
  FileWork work;
  for (const unsigned number : *numbers) {
    if (number < oldest_needed) {
      work.push_back(RemoveTree{certificate_path(name) + "/" + std::to_string(number)});
    }
  }
  if (!work.empty()) work.push_back(SyncDirectory{certificate_path(name)});
  return work;
}

// ---- events

FileWork Store::append_events(const std::string& month, std::string lines) const {
  const std::string path = root_ + "/events/" + month + ".jsonl";
  return in_order(AppendFile{path, std::move(lines), document_mode}, SyncFile{path});
}

std::uint64_t Store::size_of_events(const std::string& month) const {
  const auto status = files_.status(root_ + "/events/" + month + ".jsonl");
  return status ? status->size : 0;
}

FileWork Store::remove_events_before(Time earliest) const {
  const std::string first_month = acme::format_rfc3339(earliest).substr(0, 7) + ".jsonl";
  FileWork work;
  for (const std::string& file : files_.list(root_ + "/events").value_or(Names{})) {
    if (file.size() == first_month.size() && file < first_month) {
      work.push_back(RemoveTree{root_ + "/events/" + file});
    }
  }
  return work;
}

// ---- the issuance under way

Result<std::optional<SavedIssuance>> Store::load_issuance(const std::string& name) const {
  const std::string path = certificate_path(name) + "/issuance.json";
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

Result<acme::PrivateKey> Store::load_new_key(const std::string& name, unsigned number) const {
  const auto pem = files_.read(building_path(name, number) + "/privkey.pem");
  if (!pem) return fail(pem.error());
  return acme::PrivateKey::from_pem(*pem);
}

FileWork Store::save_new_key(const std::string& name, unsigned number, const acme::PrivateKey& key,
                             const std::string& group) const {
  FileWork work = new_folder(certificate_path(name));
  const std::string folder = building_path(name, number);
  work.push_back(RemoveTree{folder});
  append(work, new_folder(folder));
  append(work, new_file(folder + "/privkey.pem", key.to_pem(),
                        group.empty() ? key_mode : group_key_mode, group));
  work.push_back(SyncDirectory{folder});
  return work;
}

FileWork Store::give_keys_to(const std::string& name, const std::string& group) const {
  FileWork work;
  const unsigned mode = group.empty() ? key_mode : group_key_mode;
  std::vector<std::string> folders;
  for (const unsigned number : generation_numbers(name).value_or(std::vector<unsigned>{})) {
    folders.push_back(certificate_path(name) + "/" + std::to_string(number));
  }
  if (const auto issuance = load_issuance(name); issuance && *issuance) {
    folders.push_back(building_path(name, (*issuance)->generation));
  }
  for (const std::string& folder : folders) {
    const std::string path = folder + "/privkey.pem";
    const auto status = files_.status(path);
    if (!status || (group.empty() && status->mode == mode)) continue;
    work.push_back(SetAccess{path, mode, group});
    work.push_back(SyncFile{path});
  }
  return work;
}

FileWork Store::beat(Time now) const {
  const std::string path = root_ + "/heartbeat";
  return {RemoveTree{path + ".new"},
          WriteFile{path + ".new", acme::format_rfc3339(now) + "\n", document_mode, {}},
          Rename{path + ".new", path}};
}

FileWork Store::complete_generation(const std::string& name, const SavedIssuance& issuance,
                                    const std::vector<acme::Certificate>& chain, Time now) const {
  const std::string folder = building_path(name, issuance.generation);
  std::string intermediates;
  for (std::size_t i = 1; i < chain.size(); ++i) intermediates += acme::to_pem(chain[i]);
  const std::string leaf = acme::to_pem(chain.front());

  FileWork work;
  // A crash may have left some of them.
  for (const char* file : {"/cert.pem", "/chain.pem", "/fullchain.pem", "/meta.json"}) {
    work.push_back(RemoveTree{folder + file});
  }
  append(work, new_file(folder + "/cert.pem", leaf, document_mode));
  append(work, new_file(folder + "/chain.pem", intermediates, document_mode));
  append(work, new_file(folder + "/fullchain.pem", leaf + intermediates, document_mode));
  append(work, new_file(folder + "/meta.json", write_meta(issuance, series_of(name), now),
                        document_mode));
  work.push_back(SyncDirectory{folder});
  work.push_back(
      Rename{folder, certificate_path(name) + "/" + std::to_string(issuance.generation)});
  work.push_back(SyncDirectory{certificate_path(name)});
  work.push_back(SyncDirectory{root_ + "/tmp"});
  append(work, drop_issuance(name, issuance.generation));
  return work;
}

FileWork Store::move_standby(const std::string& name, unsigned number, unsigned next) const {
  const std::string standby = certificate_path(standby_name(name));
  return {Rename{standby + "/" + std::to_string(number),
                 certificate_path(name) + "/" + std::to_string(next)},
          SyncDirectory{certificate_path(name)}, SyncDirectory{standby}};
}

// ---- deployment

FileWork Store::switch_live(const std::string& name, unsigned number) const {
  return replace_link(live_path(name), "../certificates/" + name + "/" + std::to_string(number));
}

FileWork Store::record_deployed(const std::string& name, const std::string& target,
                                unsigned number) const {
  FileWork work = new_folder(root_ + "/deployed/" + name);
  append(work, replace_link(root_ + "/deployed/" + name + "/" + target,
                            "../../certificates/" + name + "/" + std::to_string(number)));
  return work;
}

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
  return std::optional<SavedAccount>(std::move(account));
}

FileWork Store::save_account_key(const std::string& ca, const acme::PrivateKey& key) const {
  FileWork work = new_folder(account_path(ca), private_folder_mode);
  append(work, replace_file(account_path(ca) + "/key.pem", key.to_pem(), key_mode));
  return work;
}

FileWork Store::save_account(const std::string& ca, const SavedAccount& account) const {
  return replace_document(account_path(ca) + "/account.json", write_account(account), key_mode);
}

}  // namespace nolapse
