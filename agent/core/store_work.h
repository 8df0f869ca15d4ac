// How the store changes files: the few sequences of operations that leave the old or the new after
// a crash, and never anything between. For the store's own files alone.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/core/store.h"

namespace nolapse {

using Names = std::vector<std::string>;

// Modes: keys are the owner's alone (or a configured group's), the rest is public, so that
// `nolapse status` needs no privilege. Accounts are nobody else's business.
inline constexpr unsigned folder_mode = 0755;
inline constexpr unsigned private_folder_mode = 0700;
inline constexpr unsigned document_mode = 0644;
inline constexpr unsigned key_mode = 0600;
inline constexpr unsigned group_key_mode = 0640;

inline std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

inline void append(FileWork& work, FileWork more) {
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
inline FileWork replace_file(const std::string& path, std::string content, unsigned mode) {
  const std::string fresh = path + ".new";
  return in_order(RemoveTree{fresh}, WriteFile{fresh, std::move(content), mode, {}},
                  SyncFile{fresh}, Rename{fresh, path}, SyncDirectory{parent_of(path)});
}

inline FileWork replace_link(const std::string& path, const std::string& target) {
  const std::string fresh = parent_of(path) + "/." + path.substr(path.rfind('/') + 1) + ".new";
  return in_order(RemoveTree{fresh}, MakeSymlink{target, fresh}, Rename{fresh, path},
                  SyncDirectory{parent_of(path)});
}

inline FileWork new_file(const std::string& path, std::string content, unsigned mode,
                         const std::string& group = {}) {
  return in_order(WriteFile{path, std::move(content), mode, group}, SyncFile{path});
}

inline FileWork new_folder(const std::string& path, unsigned mode = folder_mode) {
  return in_order(MakeDirectory{path, mode}, SyncDirectory{parent_of(path)});
}

inline std::optional<unsigned> parse_number(std::string_view text) {
  unsigned number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return number == 0 || number > greatest_generation ? std::optional<unsigned>() : number;
}

inline bool is_missing(const Error& error) {
  return error.code == "FILE_MISSING";
}

inline Error located(Error error, const std::string& path) {
  error.message = path + ": " + error.message;
  return error;
}

}  // namespace nolapse
