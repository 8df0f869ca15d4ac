// The store's generations: found, read and checked, completed, and in use.
#include <algorithm>

#include "acme/base64url.h"
#include "agent/core/series.h"
#include "agent/core/store_documents.h"
#include "agent/core/store_work.h"

namespace nolapse {
namespace {

// What says to which key the certificate belongs: the key or, where only the operator has that, his
// request for it. The path of the key where there is neither.
std::string key_part(const Files& files, const std::string& directory) {
  const std::string key = directory + "/privkey.pem";
  const std::string request = directory + "/request.pem";
  const auto status = files.status(key);
  const bool missing = !status && is_missing(status.error());
  return missing && files.status(request) ? request : key;
}

std::optional<unsigned> number_behind(const Files& files, const std::string& link) {
  const auto target = files.read_link(link);
  if (!target) return {};
  return parse_number(std::string_view(*target).substr(target->rfind('/') + 1));
}

}  // namespace

Result<std::vector<unsigned>> Store::generation_numbers(const std::string& name) const {
  const std::uint64_t version = version_of(certificate_path(name));
  const auto known = numbers_.find(name);
  if (version != 0 && known != numbers_.end() && known->second.version == version) {
    return known->second.content;
  }
  std::vector<unsigned> numbers;
  const auto entries = files_.list(certificate_path(name));
  if (!entries && !is_missing(entries.error())) return fail(entries.error());
  for (const std::string& entry : entries.value_or(Names{})) {
    if (const auto number = parse_number(entry)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  if (version != 0) numbers_[name] = {version, numbers};
  return numbers;
}

Result<unsigned> Store::next_number(const std::string& name) const {
  unsigned last = 0;
  for (const std::string& series : {name, certificate_of(name)}) {
    const auto numbers = generation_numbers(series);
    if (!numbers) return fail(numbers.error());
    if (!numbers->empty()) last = std::max(last, numbers->back());
  }
  const std::string certificate = certificate_of(name);
  for (const unsigned number : linked_generations(certificate)) last = std::max(last, number);
  // Unreadable ones are told of by whoever works with them.
  const auto records = load_deployments(certificate);
  for (const auto& [target, record] : records.value_or(DeploymentRecords{})) {
    last = std::max({last, record.generation, record.former, record.withdrawn});
  }
  return last + 1;
}

// ---- reading

Result<Generation> Store::parse_generation(std::string directory, unsigned number,
                                           const std::string& fullchain,
                                           const std::string& meta) const {
  Generation generation;
  generation.number = number;
  generation.directory = std::move(directory);
  generation.has_key = key_part(files_, generation.directory).ends_with("/privkey.pem");
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
  const auto key = files_.status(key_part(files_, directory));
  if (!key) return fail(key.error());
  return parse_generation(directory, number, *fullchain,
                          files_.read(directory + "/meta.json").value_or(std::string()));
}

namespace {

ChainFacts facts_of(const std::vector<acme::Certificate>& chain) {
  const acme::Certificate& leaf = chain.front();
  ChainFacts facts;
  facts.key_sha256 = acme::sha256(leaf.public_key_der);
  facts.weakness = acme::weakness_of(leaf);
  facts.root = chain.back().issuer_common_name;
  for (const acme::Certificate& issuer : chain) {
    if (issuer.not_after >= leaf.not_after) continue;
    facts.ends_early = "\"" + issuer.subject_common_name + "\"";
    facts.ends_early_at = issuer.not_after;
    break;
  }
  return facts;
}

}  // namespace

Result<ChainFacts> Store::load_chain_facts(const std::string& name, unsigned number) const {
  const std::string path = certificate_path(name) + "/" + std::to_string(number) + "/fullchain.pem";
  const std::uint64_t version = version_of(path);
  auto& known = chains_[name];
  const auto before = known.find(number);
  if (version != 0 && before != known.end() && before->second.version == version) {
    return before->second.content;
  }
  const auto pem = files_.read(path);
  if (!pem) return fail(pem.error());
  const auto chain = acme::parse_pem_chain(*pem);
  if (!chain) return fail(located(chain.error(), path));
  ChainFacts facts = facts_of(*chain);
  if (version != 0) {
    // The generations that are gone are not asked for again.
    const auto numbers = generation_numbers(name).value_or(std::vector<unsigned>{});
    std::erase_if(known, [&](const auto& each) {
      return !std::binary_search(numbers.begin(), numbers.end(), each.first);
    });
    known[number] = {version, facts};
  }
  return facts;
}

Store::Versions Store::versions_of(const std::string& name, unsigned number) const {
  const std::string directory = certificate_path(name) + "/" + std::to_string(number);
  const auto key = version_of(directory + "/privkey.pem");
  return {version_of(certificate_path(name)),
          version_of(directory + "/fullchain.pem"),
          version_of(directory + "/cert.pem"),
          version_of(directory + "/chain.pem"),
          key != 0 ? key : version_of(directory + "/request.pem"),
          version_of(directory + "/meta.json")};
}

Result<Store::Parsed> Store::load_checked(const std::string& name, unsigned number) const {
  const Versions versions = versions_of(name, number);
  const std::string directory = certificate_path(name) + "/" + std::to_string(number);
  const auto fullchain = files_.read(directory + "/fullchain.pem");
  if (!fullchain) return fail(fullchain.error());
  const std::string meta = files_.read(directory + "/meta.json").value_or(std::string());
  auto generation = parse_generation(directory, number, *fullchain, meta);
  if (!generation) return fail(generation.error());
  auto whole = check_pair(*generation);
  if (whole) whole = check_parts(directory);
  return parsed_[name] = Parsed{versions, std::move(*generation),
                                whole ? std::string() : whole.error().message};
}

Result<Generation> Store::load_whole_generation(const std::string& name, unsigned number) const {
  auto generation = load_generation(name, number);
  if (!generation) return generation;
  auto whole = check_pair(*generation);
  if (whole) whole = check_parts(generation->directory);
  if (!whole) return fail(whole.error());
  return generation;
}

Result<void> Store::check_pair(const Generation& generation) const {
  const std::string path = key_part(files_, generation.directory);
  const auto text = files_.read(path);
  if (!text) return fail(located(text.error(), path));
  const auto public_key = [&]() -> Result<std::string> {
    if (!generation.has_key) {
      auto request = acme::parse_signing_request(*text);
      if (!request) return fail(request.error());
      return std::move(request->public_key_der);
    }
    const auto key = acme::PrivateKey::from_pem(*text);
    if (!key) return fail(key.error());
    return key->public_key_der();
  }();
  if (!public_key) return fail(located(public_key.error(), path));
  if (*public_key == generation.leaf().public_key_der) return {};
  return fail(
      ErrorKind::local, "BAD_GENERATION",
      path + " is not " + (generation.has_key ? "the key" : "of the key") + " of the certificate");
}

// Hooks are given the leaf and the rest of its chain as files of their own.
Result<void> Store::check_parts(const std::string& directory) const {
  std::string parts;
  for (const char* file : {"/cert.pem", "/chain.pem"}) {
    const auto part = files_.read(directory + file);
    if (!part) return fail(part.error());
    parts += *part;
  }
  const auto fullchain = files_.read(directory + "/fullchain.pem");
  if (!fullchain) return fail(fullchain.error());
  if (parts == *fullchain) return {};
  return fail(ErrorKind::local, "BAD_GENERATION",
              directory + ": cert.pem and chain.pem are not the two parts of fullchain.pem");
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
  // What was found whole with its key is whole.
  if (const Parsed* known = unchanged(name)) return std::optional<Generation>(known->generation);
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
      const auto whole =
          generation ? check_parts(generation->directory) : Result<void>(fail(generation.error()));
      if (whole) return std::optional<Generation>(std::move(*generation));
      fault = whole.error().message;
    }
    if (damaged != nullptr) damaged->push_back(std::move(fault));
  }
  return std::optional<Generation>();
}

std::optional<unsigned> Store::live_generation(const std::string& name) const {
  return number_behind(files_, live_path(name));
}

std::vector<unsigned> Store::linked_generations(const std::string& name) const {
  std::vector<unsigned> numbers;
  if (is_standby(name)) return numbers;
  const auto add = [&](const std::string& link) {
    if (const auto number = number_behind(files_, link)) numbers.push_back(*number);
  };
  add(live_path(name));
  const std::string deployed = root_ + "/deployed/" + name;
  for (const std::string& target : files_.list(deployed).value_or(Names{})) {
    add(deployed + "/" + target);
  }
  return numbers;
}

Result<acme::PrivateKey> Store::load_key(const Generation& generation) const {
  const auto pem = files_.read(generation.directory + "/privkey.pem");
  if (!pem) return fail(pem.error());
  return acme::PrivateKey::from_pem(*pem);
}

Result<acme::Certificate> Store::load_issuer(const Generation& generation) const {
  return load_first(generation.directory + "/chain.pem");
}

Result<acme::Certificate> Store::load_leaf(const Generation& generation) const {
  return load_first(generation.directory + "/cert.pem");
}

Result<acme::Certificate> Store::load_first(const std::string& path) const {
  const auto pem = files_.read(path);
  if (!pem) return fail(pem.error());
  auto chain = acme::parse_pem_chain(*pem);
  if (!chain) return fail(located(chain.error(), path));
  return std::move(chain->front());
}

// ---- making and keeping

Result<acme::PrivateKey> Store::load_new_key(const std::string& name, unsigned number) const {
  const auto pem = files_.read(building_path(name, number) + "/privkey.pem");
  if (!pem) return fail(pem.error());
  return acme::PrivateKey::from_pem(*pem);
}

Result<acme::SigningRequest> Store::load_new_request(const std::string& name,
                                                     unsigned number) const {
  const auto pem = files_.read(building_path(name, number) + "/request.pem");
  if (!pem) return fail(pem.error());
  return acme::parse_signing_request(*pem);
}

FileWork Store::save_new_pair(const std::string& name, unsigned number, const NewPair& pair,
                              const std::string& group) const {
  FileWork work = new_folder(certificate_path(name));
  const std::string folder = building_path(name, number);
  work.push_back(RemoveTree{folder});
  append(work, new_folder(folder));
  if (pair.key) {
    append(work, new_file(folder + "/privkey.pem", pair.key.to_pem(),
                          group.empty() ? key_mode : group_key_mode, group));
  }
  if (!pair.request.empty()) {
    append(work, new_file(folder + "/request.pem", pair.request, document_mode));
  }
  work.push_back(SyncDirectory{folder});
  return work;
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

FileWork Store::remove_generation(const std::string& name, unsigned number) const {
  return in_order(RemoveTree{certificate_path(name) + "/" + std::to_string(number)},
                  SyncDirectory{certificate_path(name)});
}

FileWork Store::remove_old_generations(const std::string& name, unsigned keep) const {
  const auto numbers = generation_numbers(name);
  if (!numbers || numbers->size() <= keep) return {};
  // Whatever is in use stays, and what came after it: one of those may be gone back to.
  unsigned oldest_needed = (*numbers)[numbers->size() - keep];
  for (const unsigned number : linked_generations(name)) {
    oldest_needed = std::min(oldest_needed, number);
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

}  // namespace nolapse
