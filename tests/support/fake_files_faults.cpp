// FakeFiles as a test sees it: crashes, faults and direct access. Direct access goes through the
// same tree and is durable at once, so that it never is what a crash takes away.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/support/fake_files.h"

namespace nolapse {

namespace {

// A test that misuses the fake is wrong; it must not go on as if nothing had happened.
FileTree::Place require(Result<FileTree::Place> place) {
  if (!place) {
    std::fprintf(stderr, "FakeFiles: %s\n", place.error().message.c_str());
    std::abort();
  }
  return *place;
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

void FakeFiles::crash_after(std::uint64_t count, std::function<void()> handler) {
  crash_at_ = operations_ + count;
  crash_handler_ = std::move(handler);
}

void FakeFiles::kill() {
  crash_at_ = 0;
  const auto dropped = std::exchange(jobs_, {});
  std::erase_if(locks_->held, [](const auto& entry) { return !entry.second.foreign; });
}

void FakeFiles::crash() {
  kill();
  tree_.power_failure(random_);
}

void FakeFiles::fail_operation(std::uint64_t count, std::string code) {
  failures_[operations_ + count] = std::move(code);
}

void FakeFiles::set_read_only(const std::string& path, bool read_only) {
  if (read_only) {
    read_only_.insert(path);
  } else {
    read_only_.erase(path);
  }
}

void FakeFiles::set_unreadable(const std::string& path, bool unreadable) {
  if (unreadable) {
    unreadable_.insert(path);
  } else {
    unreadable_.erase(path);
  }
}

void FakeFiles::set_closed(const std::string& folder, bool closed) {
  if (closed) {
    closed_.insert(folder);
  } else {
    closed_.erase(folder);
  }
}

bool FakeFiles::is_shut_away(const std::string& path) const {
  return std::any_of(closed_.begin(), closed_.end(),
                     [&](const std::string& folder) { return path.starts_with(folder + "/"); });
}

bool FakeFiles::is_unreadable(const std::string& path) const {
  return unreadable_.contains(path) || closed_.contains(path);
}

void FakeFiles::hold_lock(const std::string& path, const std::string& holder) {
  locks_->held[path] = {++locks_->last_id, holder, true};
}

void FakeFiles::release_lock(const std::string& path) {
  locks_->held.erase(path);
}

void FakeFiles::put_directory(const std::string& path) {
  for (std::size_t end = 0; end < path.size();) {  // nothing to do for the root
    end = path.find('/', end + 1);
    const auto place = require(tree_.find(path.substr(0, end), true));
    if (place.node) continue;
    auto node = std::make_shared<FileNode>();
    node->kind = FileStatus::Kind::directory;
    node->mode = 0755;
    tree_.add(place, node);
    tree_.sync_directory(place.parent);
  }
}

void FakeFiles::put(const std::string& path, const std::string& content, unsigned mode) {
  put_directory(parent_of(path));
  const auto place = require(tree_.find(path, true));
  auto node = std::make_shared<FileNode>();
  node->content = content;
  node->mode = mode;
  node->synced = true;
  tree_.add(place, node);
  tree_.sync_directory(place.parent);
}

void FakeFiles::put_symlink(const std::string& target, const std::string& path) {
  put_directory(parent_of(path));
  const auto place = require(tree_.find(path, false));
  auto node = std::make_shared<FileNode>();
  node->kind = FileStatus::Kind::symlink;
  node->content = target;
  node->mode = 0777;
  tree_.add(place, node);
  tree_.sync_directory(place.parent);
}

void FakeFiles::erase(const std::string& path) {
  const auto place = require(tree_.find(path, false));
  if (!place.node) return;
  tree_.remove(place);
  tree_.sync_directory(place.parent);
}

std::string FakeFiles::text(const std::string& path) const {
  const auto place = tree_.find(path, true);
  if (!place || !place->node || place->node->kind != FileStatus::Kind::file) return "";
  return place->node->content;
}

bool FakeFiles::exists(const std::string& path) const {
  const auto place = tree_.find(path, true);
  return place && place->node;
}

unsigned FakeFiles::mode(const std::string& path) const {
  const auto place = tree_.find(path, true);
  return place && place->node ? place->node->mode : 0;
}

std::string FakeFiles::group(const std::string& path) const {
  const auto place = tree_.find(path, true);
  return place && place->node ? place->node->group : "";
}

}  // namespace nolapse
