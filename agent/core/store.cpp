#include "agent/core/store.h"

#include <algorithm>

#include "agent/core/series.h"
#include "agent/core/store_work.h"

namespace nolapse {

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

std::uint64_t Store::version_of(const std::string& path) const {
  const auto status = files_.status(path);
  return status ? status->version : 0;
}

FileWork Store::beat(Time now) const {
  const std::string path = root_ + "/heartbeat";
  return {RemoveTree{path + ".new"},
          WriteFile{path + ".new", acme::format_rfc3339(now) + "\n", document_mode, {}},
          Rename{path + ".new", path}};
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

}  // namespace nolapse
