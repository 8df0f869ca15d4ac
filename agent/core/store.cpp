#include "agent/core/store.h"

#include <algorithm>

#include "agent/core/series.h"
#include "agent/core/store_work.h"

namespace nolapse {

FileWork Store::put_intruder_aside(const std::string& path, FileStatus::Kind wanted,
                                   std::vector<std::string>& aside) const {
  const auto status = files_.status(path);
  // A link is somebody's wish, and refused with its own words.
  if (!status || status->kind == wanted || status->kind == FileStatus::Kind::symlink) return {};
  std::string place = path + ".unreadable";
  for (int i = 2; files_.status(place); ++i) place = path + ".unreadable." + std::to_string(i);
  aside.push_back(place);
  return in_order(Rename{path, place}, SyncDirectory{root_});
}

FileWork Store::prepare(std::vector<std::string>* aside) const {
  // Its parent may be closed to us, and matters only when the folder is new.
  FileWork work = files_.status(root_) ? FileWork{} : new_folder(root_);
  std::vector<std::string> put_aside;
  for (const char* name : {"/live", "/deployed", "/ledger", "/events", "/tmp"}) {
    append(work, put_intruder_aside(root_ + name, FileStatus::Kind::directory, put_aside));
  }
  append(work, put_intruder_aside(lock_path(), FileStatus::Kind::file, put_aside));
  if (aside != nullptr) *aside = std::move(put_aside);
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

bool Store::is_absent(const std::string& path) const {
  const auto status = files_.status(path);
  return !status && is_missing(status.error());
}

FileWork Store::beat(Time now) const {
  const std::string path = root_ + "/heartbeat";
  return {RemoveTree{path + ".new"},
          WriteFile{path + ".new", acme::format_rfc3339(now) + "\n", document_mode, {}},
          Rename{path + ".new", path}};
}

// ---- events

FileWork Store::append_events(const std::string& month, std::string lines) const {
  const std::string path = events_path(month);
  FileWork work = in_order(AppendFile{path, std::move(lines), document_mode}, SyncFile{path});
  // Else a power failure takes the whole month.
  if (!files_.status(path)) work.push_back(SyncDirectory{parent_of(path)});
  return work;
}

std::uint64_t Store::size_of_events(const std::string& month) const {
  const auto status = files_.status(events_path(month));
  return status ? status->size : 0;
}

std::vector<std::string> Store::event_months() const {
  constexpr std::string_view ending = ".jsonl";
  Names months;
  for (const std::string& file : files_.list(root_ + "/events").value_or(Names{})) {
    if (file.size() != 7 + ending.size() || !file.ends_with(ending)) continue;
    months.push_back(file.substr(0, 7));
  }
  return months;
}

FileWork Store::remove_events_before(Time earliest) const {
  const auto month_of = [](Time time) { return acme::format_rfc3339(time).substr(0, 7); };
  const std::string first = month_of(earliest);
  // Where no report of it can be made, they must not pile up.
  const std::string first_without_report = month_of(earliest - std::chrono::days(31));
  FileWork work;
  for (const std::string& month : event_months()) {
    if (month < first && (month < first_without_report || has_report(month))) {
      work.push_back(RemoveTree{events_path(month)});
    }
  }
  return work;
}

// ---- reports

bool Store::has_report(const std::string& id) const {
  return files_.status(report_path(id, "json")).has_value();
}

// The document last: where it is, the others are.
FileWork Store::save_report(const std::string& id, ReportFiles files) const {
  FileWork work = new_folder(reports_path());
  const auto add = [&](const char* ending, std::string content) {
    if (content.empty()) return;
    append(work, replace_file(report_path(id, ending), std::move(content), document_mode));
  };
  add("txt", std::move(files.text));
  add("html", std::move(files.page));
  add("json", std::move(files.document));
  return work;
}

FileWork Store::remove_old_reports() const {
  constexpr std::size_t month_size = 7;
  Names months;
  Names weeks;
  const Names all = files_.list(reports_path()).value_or(Names{});
  for (const std::string& file : all) {
    if (file.ends_with(".json")) {
      (file.find('.') == month_size ? months : weeks).push_back(file.substr(0, file.find('.')));
    }
  }
  const auto first_kept = [](const Names& ids, std::size_t count) {
    return ids.size() > count ? ids[ids.size() - count] : std::string();
  };
  const std::string first_month = first_kept(months, months_kept);
  const std::string first_page = first_kept(months, pages_kept);
  const std::string first_week = first_kept(weeks, weeks_kept);
  FileWork work;
  for (const std::string& file : all) {
    const std::string id = file.substr(0, file.find('.'));
    const std::string& first = id.size() != month_size   ? first_week
                               : file.ends_with(".json") ? first_month
                                                         : first_page;
    if (id < first) work.push_back(RemoveTree{reports_path() + "/" + file});
  }
  return work;
}

}  // namespace nolapse
