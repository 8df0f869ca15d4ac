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

tl::unexpected<Error> missing(const std::string& path) {
  return fail(ErrorKind::local, "FILE_MISSING", path + ": no such file or directory");
}

}  // namespace

FileTree::FileTree() : root_(std::make_shared<FileNode>()) {
  root_->kind = FileStatus::Kind::directory;
  root_->mode = 0755;
}

Result<FileTree::Place> FileTree::find(const std::string& path, bool follow_final) const {
  if (path.empty() || path.front() != '/')
    return fail(ErrorKind::local, "FILE_ERROR", "'" + path + "' is no absolute path");
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
    auto& names = durable ? assignment.directory->durable : assignment.directory->entries;
    if (assignment.node) {
      names[assignment.name] = assignment.node;
    } else {
      names.erase(assignment.name);
    }
  }
}

void FileTree::change(Change change) {
  apply(change, false);
  unsynced_.push_back(std::move(change));
  if (unsynced_.size() < forget_at_) return;
  forget_superseded();
  if (2 * unsynced_.size() > forget_at_) forget_unreachable();  // looks at every directory
  forget_at_ = std::max(few, 2 * unsynced_.size());
}

// For one of them to show after a crash, each of the many later ones would have to be lost: with
// even chances less than once in 2^60. A daemon's heartbeat, never synced, makes such changes.
void FileTree::forget_superseded() {
  constexpr int many = 60;
  std::map<std::pair<FileNode*, std::string>, int> later;
  std::vector<Change> remaining;
  for (std::size_t i = unsynced_.size(); i-- > 0;) {
    bool superseded = true;
    for (const Assignment& assignment : unsynced_[i]) {
      if (++later[{assignment.directory.get(), assignment.name}] <= many) superseded = false;
    }
    if (!superseded) remaining.push_back(std::move(unsynced_[i]));
  }
  std::reverse(remaining.begin(), remaining.end());
  unsynced_ = std::move(remaining);
}

// Names in a directory that is neither seen now, nor found after any crash.
void FileTree::forget_unreachable() {
  std::set<const FileNode*> reachable;
  const std::function<void(const FileNode&)> mark = [&](const FileNode& node) {
    if (node.kind != FileStatus::Kind::directory || !reachable.insert(&node).second) return;
    for (const auto& [name, child] : node.entries) mark(*child);
    for (const auto& [name, child] : node.durable) mark(*child);
  };
  mark(*root_);
  for (std::size_t before = 0; before != reachable.size();) {  // a name may lead to further ones
    before = reachable.size();
    for (const Change& change : unsynced_) {
      for (const Assignment& each : change) {
        if (each.node && reachable.contains(each.directory.get())) mark(*each.node);
      }
    }
  }
  std::erase_if(unsynced_, [&](const Change& change) {
    return std::none_of(change.begin(), change.end(), [&](const Assignment& each) {
      return reachable.contains(each.directory.get());
    });
  });
}

void FileTree::add(const Place& place, FileNodePtr node) {
  change({{place.parent, place.name, std::move(node)}});
}

void FileTree::remove(const Place& place) {
  if (place.node->kind == FileStatus::Kind::directory) {
    const auto entries = place.node->entries;
    for (const auto& [name, node] : entries) remove({place.node, name, node});
  }
  change({{place.parent, place.name, nullptr}});
}

void FileTree::rename(const Place& from, const Place& to) {
  if (from.node == to.node) return;
  change({{from.parent, from.name, nullptr}, {to.parent, to.name, from.node}});
}

// A change is committed together with every earlier one that assigned one of its names, or a
// crash could bring back a name that a later, durable change took away.
void FileTree::sync_directory(const FileNodePtr& directory) {
  const bool pending = std::any_of(unsynced_.begin(), unsynced_.end(), [&](const Change& change) {
    return std::any_of(change.begin(), change.end(),
                       [&](const Assignment& each) { return each.directory == directory; });
  });
  if (!pending) return;
  std::set<std::pair<FileNode*, std::string>> names;
  std::vector<bool> commit(unsynced_.size(), false);
  for (std::size_t i = unsynced_.size(); i-- > 0;) {
    const Change& change = unsynced_[i];
    commit[i] = std::any_of(change.begin(), change.end(), [&](const Assignment& assignment) {
      return assignment.directory == directory ||
             names.contains({assignment.directory.get(), assignment.name});
    });
    if (!commit[i]) continue;
    for (const Assignment& assignment : change)
      names.emplace(assignment.directory.get(), assignment.name);
  }
  std::vector<Change> remaining;
  for (std::size_t i = 0; i < unsynced_.size(); ++i) {
    if (commit[i]) {
      apply(unsynced_[i], true);
    } else {
      remaining.push_back(std::move(unsynced_[i]));
    }
  }
  unsynced_ = std::move(remaining);
}

void FileTree::sync_all() {
  for (const Change& change : unsynced_) apply(change, true);
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
}

void FileTree::power_failure(SeededRandom& random) {
  for (const Change& change : unsynced_)
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
    node.entries = node.durable;
    for (const auto& [name, child] : node.entries) restart(*child);
  };
  restart(*root_);
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
