// The tree behind FakeFiles: path resolution and the durability model.
#include "tests/support/file_tree.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>

namespace nolapse {

namespace {

constexpr int symlink_limit = 40;  // as Linux has it

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> result;
  std::size_t start = 0;
  while (start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (end > start) result.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return result;
}

bool is_folder(const FileNodePtr& node) {
  return node->kind == FileStatus::Kind::directory;
}

tl::unexpected<Error> missing(const std::string& path) {
  return fail(ErrorKind::local, "FILE_MISSING", path + ": no such file or directory");
}

}  // namespace

FileTree::FileTree() : root_(std::make_shared<FileNode>()) {
  root_->kind = FileStatus::Kind::directory;
  root_->mode = 0755;
}

// Almost no path has a link in it.
Result<FileTree::Place> FileTree::find(const std::string& path, bool follow_final) const {
  if (path.empty() || path.front() != '/')
    return fail(ErrorKind::local, "FILE_ERROR", "'" + path + "' is no absolute path");
  const std::size_t slash = path.rfind('/');
  const std::string_view name = std::string_view(path).substr(slash + 1);
  const FileNodePtr* const folder = find_folder(std::string_view(path).substr(0, slash));
  if (folder == nullptr || name.empty() || name.front() == '.')
    return find_through_links(path, follow_final);
  const auto entry = (*folder)->entries.find(name);
  const bool known = entry != (*folder)->entries.end();
  if (known && follow_final && entry->second->kind == FileStatus::Kind::symlink)
    return find_through_links(path, follow_final);
  return Place{*folder, std::string(name), known ? entry->second : nullptr};
}

// Null: it is not there, or a link, "." or ".." is on the way.
const FileNodePtr* FileTree::find_folder(std::string_view path) const {
  if (path.empty()) return &root_;
  std::string key(path);
  const auto found = folders_.find(key);
  if (found != folders_.end()) return &found->second;
  const std::size_t slash = path.rfind('/');
  const std::string_view name = path.substr(slash + 1);
  const FileNodePtr* const parent = find_folder(path.substr(0, slash));
  if (parent == nullptr || name.empty() || name.front() == '.') return nullptr;
  const auto entry = (*parent)->entries.find(name);
  if (entry == (*parent)->entries.end()) return nullptr;
  if (entry->second->kind != FileStatus::Kind::directory) return nullptr;
  return &folders_.emplace(std::move(key), entry->second).first->second;
}

Result<FileTree::Place> FileTree::find_through_links(const std::string& path,
                                                     bool follow_final) const {
  std::vector<std::string> todo = components(path);
  std::reverse(todo.begin(), todo.end());  // next component last
  std::vector<FileNodePtr> directories{root_};
  int links = 0;
  Place place{root_, "", root_};
  while (!todo.empty()) {
    const std::string name = todo.back();
    todo.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      if (directories.size() > 1) directories.pop_back();
      place = {directories.back(), "", directories.back()};
      continue;
    }
    const FileNodePtr directory = directories.back();
    const auto entry = directory->entries.find(name);
    place = {directory, name, entry == directory->entries.end() ? nullptr : entry->second};
    const bool final = todo.empty();
    if (!place.node) {
      if (final) return place;
      return missing(path);
    }
    if (place.node->kind == FileStatus::Kind::symlink && (!final || follow_final)) {
      if (++links > symlink_limit)
        return fail(ErrorKind::local, "FILE_ERROR", path + ": too many symbolic links");
      const std::string& target = place.node->content;
      if (target.starts_with('/')) directories.resize(1);
      std::vector<std::string> inserted = components(target);
      todo.insert(todo.end(), inserted.rbegin(), inserted.rend());
      place = {directories.back(), "", directories.back()};
      continue;
    }
    if (place.node->kind == FileStatus::Kind::directory) {
      directories.push_back(place.node);
    } else if (!final) {
      return fail(ErrorKind::local, "FILE_ERROR", path + ": not a directory");
    }
  }
  return place;
}

void FileTree::apply(const Change& change, bool durable) {
  for (const Assignment& assignment : change) {
    if (!assignment.directory) continue;
    if (!durable) touch(*assignment.directory);
    auto& names = durable ? assignment.directory->durable : assignment.directory->entries;
    if (!durable) {
      const auto before = names.find(assignment.name);
      const bool went = before != names.end() && is_folder(before->second);
      if (went || (assignment.node && is_folder(assignment.node))) folders_.clear();
    }
    if (assignment.node) {
      names[assignment.name] = assignment.node;
    } else {
      names.erase(assignment.name);
    }
  }
}

void FileTree::change(Assignment first, Assignment second) {
  const Change& change =
      unsynced_.emplace(++last_change_, Change{std::move(first), std::move(second)}).first->second;
  apply(change, false);
  for (const Assignment& assignment : change) {
    if (!assignment.directory) continue;
    auto& changes = assignment.directory->changes;
    if (changes.size() == changes.capacity()) forget_settled(changes);
    changes.push_back(last_change_);
  }
  if (unsynced_.size() < forget_at_) return;
  forget_superseded();
  const std::size_t looked_at = 2 * unsynced_.size() > forget_at_ ? forget_unreachable() : 0;
  forget_at_ = std::max({few, 2 * unsynced_.size(), looked_at});
}

void FileTree::forget_settled(std::vector<std::uint64_t>& changes) const {
  std::erase_if(changes, [this](std::uint64_t id) { return !unsynced_.contains(id); });
}

// For one of them to show after a crash, each of the many later ones would have to be lost: with
// even chances less than once in 2^60. A daemon's heartbeat, never synced, makes such changes.
void FileTree::forget_superseded() {
  constexpr int many = 60;
  std::map<std::pair<FileNode*, std::string>, int> later;
  for (auto entry = unsynced_.end(); entry != unsynced_.begin();) {
    --entry;
    bool superseded = true;
    for (const Assignment& assignment : entry->second) {
      if (assignment.directory && ++later[{assignment.directory.get(), assignment.name}] <= many)
        superseded = false;
    }
    if (superseded) entry = unsynced_.erase(entry);
  }
}

// Names in a directory that is neither seen now, nor found after any crash. How many directories it
// had to look at: with many it is worth doing only for many changes.
std::size_t FileTree::forget_unreachable() {
  std::set<const FileNode*> reachable;
  const std::function<void(const FileNode&)> mark = [&](const FileNode& node) {
    if (node.kind != FileStatus::Kind::directory || !reachable.insert(&node).second) return;
    for (const auto& [name, child] : node.entries) mark(*child);
    for (const auto& [name, child] : node.durable) mark(*child);
  };
  mark(*root_);
  for (std::size_t before = 0; before != reachable.size();) {  // a name may lead to further ones
    before = reachable.size();
    for (const auto& [id, change] : unsynced_) {
      for (const Assignment& each : change) {
        if (each.node && reachable.contains(each.directory.get())) mark(*each.node);
      }
    }
  }
  std::erase_if(unsynced_, [&](const auto& entry) {
    return std::none_of(entry.second.begin(), entry.second.end(), [&](const Assignment& each) {
      return reachable.contains(each.directory.get());
    });
  });
  return reachable.size();
}

void FileTree::add(const Place& place, FileNodePtr node) {
  touch(*node);
  change({place.parent, place.name, std::move(node)});
}

void FileTree::remove(const Place& place) {
  if (place.node->kind == FileStatus::Kind::directory) {
    const auto entries = place.node->entries;
    for (const auto& [name, node] : entries) remove({place.node, name, node});
  }
  change({place.parent, place.name, nullptr});
}

void FileTree::rename(const Place& from, const Place& to) {
  if (from.node == to.node) return;
  change({from.parent, from.name, nullptr}, {to.parent, to.name, from.node});
}

// A change is committed together with every earlier one that assigned one of its names, or a
// crash could bring back a name that a later, durable change took away.
void FileTree::sync_directory(const FileNodePtr& directory) {
  std::set<std::uint64_t> found(directory->changes.begin(), directory->changes.end());
  std::vector<std::map<std::uint64_t, Change>::iterator> commit;  // newest first
  directory->changes.clear();
  while (!found.empty()) {
    const std::uint64_t id = *found.rbegin();
    found.erase(id);
    const auto change = unsynced_.find(id);
    if (change == unsynced_.end()) continue;
    commit.push_back(change);
    for (const Assignment& assignment : change->second) {
      if (!assignment.directory || assignment.directory == directory) continue;
      for (const std::uint64_t earlier : assignment.directory->changes) {
        const auto other = unsynced_.find(earlier);
        if (earlier >= id || other == unsynced_.end()) continue;
        for (const Assignment& each : other->second)
          if (each.directory == assignment.directory && each.name == assignment.name)
            found.insert(earlier);
      }
    }
  }
  for (auto change = commit.rbegin(); change != commit.rend(); ++change) {
    apply((*change)->second, true);
    unsynced_.erase(*change);
  }
}

void FileTree::sync_all() {
  for (const auto& [id, change] : unsynced_) apply(change, true);
  unsynced_.clear();
  const std::function<void(FileNode&)> sync = [&](FileNode& node) {
    node.synced = true;
    for (const auto& [name, child] : node.entries) sync(*child);
  };
  sync(*root_);
}

void FileTree::append(FileNode& node, const std::string& content) {
  if (node.synced) node.synced_size = node.content.size();
  node.synced = false;
  node.content += content;
  touch(node);
}

void FileTree::power_failure(SeededRandom& random) {
  for (const auto& [id, change] : unsynced_)
    if (random.chance(50)) apply(change, true);
  unsynced_.clear();
  const std::function<void(FileNode&)> restart = [&](FileNode& node) {
    if (node.kind == FileStatus::Kind::file && !node.synced) {
      const std::uint64_t fate = random.below(3);  // kept, empty, torn
      const std::size_t at_risk = node.content.size() - node.synced_size;
      if (fate == 1) node.content.resize(node.synced_size);
      if (fate == 2) node.content.resize(node.synced_size + random.below(at_risk + 1));
    }
    node.synced = true;
    touch(node);
    node.entries = node.durable;
    for (const auto& [name, child] : node.entries) restart(*child);
  };
  restart(*root_);
  folders_.clear();
}

std::vector<std::string> FileTree::listing() const {
  std::vector<std::string> lines;
  const std::function<void(const std::string&, const FileNode&)> list =
      [&](const std::string& path, const FileNode& directory) {
        for (const auto& [name, node] : directory.entries) {
          std::string line = path + "/" + name;
          char mode[8];
          std::snprintf(mode, sizeof mode, " %04o", node->mode & 07777U);
          if (node->kind == FileStatus::Kind::directory) lines.push_back(line + "/" + mode);
          if (node->kind == FileStatus::Kind::file) lines.push_back(line + mode);
          if (node->kind == FileStatus::Kind::symlink)
            lines.push_back(line + " -> " + node->content);
          if (node->kind == FileStatus::Kind::directory) list(line, *node);
        }
      };
  list("", *root_);
  return lines;
}

}  // namespace nolapse
