// An in-memory file system with two states: what processes see now, and what a power failure
// leaves. Content becomes durable by sync_file, names by sync_directory of a directory they are
// in; what was not synced may be kept, lost or torn, as chance has it.
//
// Each change of names (creation, removal, rename) is one assignment or, for a rename, two that
// stand or fall together. Unsynced changes are lost or kept one by one, in no particular order:
// more hostile than a journalling file system, as hostile as POSIX allows. What can no longer make
// a difference to what a crash leaves is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/seeded_random.h"

namespace nolapse {

struct FileNode {
  using Entries = std::map<std::string, std::shared_ptr<FileNode>, std::less<>>;

  FileStatus::Kind kind = FileStatus::Kind::file;
  unsigned mode = 0;
  std::string group;
  std::string content;                 // of a file; target of a symlink
  bool synced = false;                 // the content of a file is durable
  std::size_t synced_size = 0;         // and of an appended one this much
  Entries entries;                     // of a directory, as seen now
  Entries durable;                     // of a directory, after a crash
  std::uint64_t version = 0;           // of content and names as seen now, never twice the same
  std::vector<std::uint64_t> changes;  // of a directory's names; some of them may be settled
};
using FileNodePtr = std::shared_ptr<FileNode>;

class FileTree {
 public:
  FileTree();

  // Where a path leads. `parent` is the directory its last component is in, with intermediate
  // symlinks followed; `node` is what has that name now, if anything.
  struct Place {
    FileNodePtr parent;
    std::string name;
    FileNodePtr node;
  };
  // FILE_MISSING where an intermediate directory is not there.
  Result<Place> find(const std::string& path, bool follow_final) const;

  void add(const Place& place, FileNodePtr node);  // creates or replaces a name
  void remove(const Place& place);                 // depth first, each name a change of its own
  void rename(const Place& from, const Place& to);
  void append(FileNode& node, const std::string& content);
  void touch(FileNode& node) { node.version = ++last_version_; }  // it was changed
  void sync_file(FileNode& node) { node.synced = true; }
  void sync_directory(const FileNodePtr& directory);
  void sync_all();

  void power_failure(SeededRandom& random);
  std::size_t unsynced_changes() const { return unsynced_.size(); }

  // Every path with kind, mode and link target, sorted. Sizes are left out on purpose: they vary
  // with signatures.
  std::vector<std::string> listing() const;

 private:
  struct Assignment {
    FileNodePtr directory;  // nothing: no assignment
    std::string name;
    FileNodePtr node;  // nothing: the name is removed
  };
  using Change = std::array<Assignment, 2>;
  static constexpr std::size_t few = 400;

  const FileNodePtr* find_folder(std::string_view path) const;
  Result<Place> find_through_links(const std::string& path, bool follow_final) const;
  void change(Assignment first, Assignment second = {});
  void forget_superseded();
  std::size_t forget_unreachable();
  void forget_settled(std::vector<std::uint64_t>& changes) const;
  void apply(const Change& change, bool durable);

  FileNodePtr root_;
  std::map<std::uint64_t, Change> unsynced_;  // oldest first
  // Where folders are that no link leads to, until a folder comes, goes or moves: whoever looks at
  // one file looks at its neighbours next.
  mutable std::unordered_map<std::string, FileNodePtr> folders_;
  std::uint64_t last_change_ = 0;
  std::uint64_t last_version_ = 0;
  std::size_t forget_at_ = few;  // how many of them are too many
};

}  // namespace nolapse
