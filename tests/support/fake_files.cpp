// FakeFiles: operations, one by one, with their faults. The file names errors as POSIX does.
#include "tests/support/fake_files.h"

#include <algorithm>
#include <utility>

namespace nolapse {

namespace {

constexpr Duration operation_time = std::chrono::milliseconds(1);
constexpr std::size_t read_limit = std::size_t{4} << 20;

using Kind = FileStatus::Kind;

tl::unexpected<Error> file_error(std::string code, const std::string& path,
                                 const std::string& cause) {
  return fail(ErrorKind::local, std::move(code), path + ": " + cause);
}

std::string cause_of(const std::string& code) {
  if (code == "DISK_FULL") return "no space left on device";
  if (code == "PERMISSION_DENIED") return "permission denied";
  if (code == "FILE_EXISTS") return "file exists";
  if (code == "FILE_MISSING") return "no such file or directory";
  return "input/output error";
}

const std::string& path_of(const FileOperation& operation) {
  return std::visit(
      [](const auto& each) -> const std::string& {
        if constexpr (requires { each.to; }) {
          return each.to;
        } else {
          return each.path;
        }
      },
      operation);
}

bool is_inside(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

FileNodePtr make_node(Kind kind, std::string content, unsigned mode) {
  auto node = std::make_shared<FileNode>();
  node->kind = kind;
  node->content = std::move(content);
  node->mode = mode;
  node->synced = kind != Kind::file;
  return node;
}

}  // namespace

class FakeFiles::HeldLock final : public Files::Lock {
 public:
  HeldLock(std::weak_ptr<LockTable> table, std::string path, std::uint64_t id)
      : table_(std::move(table)), path_(std::move(path)), id_(id) {}
  ~HeldLock() override {
    const auto table = table_.lock();
    if (!table) return;
    const auto held = table->held.find(path_);
    if (held != table->held.end() && held->second.id == id_) table->held.erase(held);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  std::weak_ptr<LockTable> table_;
  std::string path_;
  std::uint64_t id_;
};

FakeFiles::FakeFiles(FakeClock& clock, SeededRandom random)
    : clock_(clock), random_(random), locks_(std::make_shared<LockTable>()) {}

void FakeFiles::run(std::vector<FileOperation> work, Completion<void> done) {
  const std::uint64_t id = ++last_job_;
  jobs_.emplace(id, Job{std::move(work), 0, std::move(done), {}});
  run_next(id);
}

// A killed process's jobs are no longer there when their turn comes.
void FakeFiles::run_next(std::uint64_t job_id) {
  const Job& job = jobs_.at(job_id);
  if (job.next == job.work.size() || !job.outcome) {
    clock_.post([this, job_id] {
      const auto finished = jobs_.extract(job_id);
      if (!finished.empty()) finished.mapped().done(finished.mapped().outcome);
    });
    return;
  }
  clock_.outside_after(operation_time, [this, job_id] {
    const auto running = jobs_.find(job_id);
    if (running == jobs_.end()) return;
    running->second.outcome = execute(running->second.work[running->second.next++]);
    if (crash_at_ == 0 || operations_ != crash_at_) return run_next(job_id);
    crash_at_ = 0;
    std::exchange(crash_handler_, nullptr)();
  });
}

Result<void> FakeFiles::execute(const FileOperation& operation) {
  ++operations_;
  if (!failures_.empty()) {
    const auto failure = failures_.extract(operations_);
    if (!failure.empty())
      return file_error(failure.mapped(), path_of(operation), cause_of(failure.mapped()));
  }
  return std::visit([this](const auto& each) { return perform(each); }, operation);
}

Result<FileTree::Place> FakeFiles::writable(const std::string& path, bool follow_final) const {
  const bool read_only = std::any_of(read_only_.begin(), read_only_.end(),
                                     [&](const auto& each) { return is_inside(path, each); });
  if (read_only) return file_error("PERMISSION_DENIED", path, "read-only file system");
  return tree_.find(path, follow_final);
}

Result<FileTree::Place> FakeFiles::new_name(const std::string& path) const {
  auto place = writable(path);
  if (place && place->node) return file_error("FILE_EXISTS", path, "file exists");
  return place;
}

Result<void> FakeFiles::check_space(const std::string& path) const {
  if (disk_full_) return file_error("DISK_FULL", path, cause_of("DISK_FULL"));
  return {};
}

Result<void> FakeFiles::perform(const MakeDirectory& operation) {
  for (std::size_t end = 1; end != std::string::npos && end < operation.path.size();) {
    end = operation.path.find('/', end + 1);
    const std::string path = operation.path.substr(0, end);
    auto place = tree_.find(path, end != std::string::npos);
    if (!place) return fail(place.error());
    if (place->node) {
      if (place->node->kind == Kind::directory) continue;
      return file_error("FILE_EXISTS", path, "exists and is no directory");
    }
    place = writable(path);
    if (!place) return fail(place.error());
    if (auto space = check_space(path); !space) return space;
    tree_.add(*place, make_node(Kind::directory, "", operation.mode));
  }
  return {};
}

Result<void> FakeFiles::perform(const WriteFile& operation) {
  const auto place = new_name(operation.path);
  if (!place) return fail(place.error());
  const auto space = check_space(operation.path);
  const std::size_t written = operation.content.size() / (space ? 1 : 2);
  auto node = make_node(Kind::file, operation.content.substr(0, written), operation.mode);
  node->group = operation.group;
  tree_.add(*place, std::move(node));
  return space;
}

// Durable at once: what a crash undoes of it, the next process does again.
Result<void> FakeFiles::perform(const SetAccess& operation) {
  auto place = writable(operation.path);
  if (!place) return fail(place.error());
  if (!place->node) {
    return file_error("FILE_MISSING", operation.path, cause_of("FILE_MISSING"));
  }
  tree_.touch(*place->node);
  place->node->mode = operation.mode;
  place->node->group = operation.group;
  return {};
}

Result<void> FakeFiles::perform(const AppendFile& operation) {
  const auto place = writable(operation.path);
  if (!place) return fail(place.error());
  if (!place->node) {
    return perform(WriteFile{operation.path, operation.content, operation.mode, {}});
  }
  if (place->node->kind != Kind::file)
    return file_error("FILE_ERROR", operation.path, "is not a regular file");
  const auto space = check_space(operation.path);
  tree_.append(*place->node,
               operation.content.substr(0, operation.content.size() / (space ? 1 : 2)));
  return space;
}

Result<void> FakeFiles::perform(const SyncFile& operation) {
  const auto place = tree_.find(operation.path, false);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", operation.path, cause_of("FILE_MISSING"));
  if (place->node->kind != Kind::file)
    return file_error("FILE_ERROR", operation.path, "not a regular file");
  tree_.sync_file(*place->node);
  return {};
}

Result<void> FakeFiles::perform(const SyncDirectory& operation) {
  const auto place = tree_.find(operation.path, false);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", operation.path, cause_of("FILE_MISSING"));
  if (place->node->kind != Kind::directory)
    return file_error("FILE_ERROR", operation.path, "not a directory");
  tree_.sync_directory(place->node);
  return {};
}

Result<void> FakeFiles::perform(const Rename& operation) {
  const auto from = writable(operation.from);
  if (!from) return fail(from.error());
  const auto to = writable(operation.to);
  if (!to) return fail(to.error());
  if (!from->node) return file_error("FILE_MISSING", operation.from, cause_of("FILE_MISSING"));
  const bool directory = from->node->kind == Kind::directory;
  if (directory && is_inside(operation.to, operation.from))
    return file_error("FILE_ERROR", operation.to, "is inside of what is to be renamed");
  if (to->node && directory != (to->node->kind == Kind::directory))
    return file_error("FILE_ERROR", operation.to, directory ? "not a directory" : "is a directory");
  if (to->node && !to->node->entries.empty())
    return file_error("FILE_ERROR", operation.to, "directory not empty");
  tree_.rename(*from, *to);
  return {};
}

Result<void> FakeFiles::perform(const MakeSymlink& operation) {
  const auto place = new_name(operation.path);
  if (!place) return fail(place.error());
  if (auto space = check_space(operation.path); !space) return space;
  tree_.add(*place, make_node(Kind::symlink, operation.target, 0777));
  return {};
}

Result<void> FakeFiles::perform(const RemoveTree& operation) {
  const auto place = writable(operation.path);
  if (!place) {
    if (place.error().code == "FILE_MISSING") return {};
    return fail(place.error());
  }
  if (place->node) tree_.remove(*place);
  return {};
}

Result<std::string> FakeFiles::read(const std::string& path) const {
  if (is_shut_away(path)) return file_error("PERMISSION_DENIED", path, "permission denied");
  const auto place = tree_.find(path, true);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", path, cause_of("FILE_MISSING"));
  if (is_unreadable(path)) return file_error("PERMISSION_DENIED", path, "permission denied");
  if (place->node->kind != Kind::file) return file_error("FILE_ERROR", path, "is a directory");
  if (place->node->content.size() > read_limit)
    return file_error("FILE_ERROR", path, "larger than 4 MiB");
  return place->node->content;
}

Result<std::vector<std::string>> FakeFiles::list(const std::string& directory) const {
  if (is_shut_away(directory))
    return file_error("PERMISSION_DENIED", directory, "permission denied");
  const auto place = tree_.find(directory, true);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", directory, cause_of("FILE_MISSING"));
  if (is_unreadable(directory))
    return file_error("PERMISSION_DENIED", directory, "permission denied");
  if (place->node->kind != Kind::directory)
    return file_error("FILE_ERROR", directory, "not a directory");
  std::vector<std::string> names;
  for (const auto& [name, node] : place->node->entries) names.push_back(name);
  return names;
}

Result<std::string> FakeFiles::read_link(const std::string& path) const {
  if (is_shut_away(path)) return file_error("PERMISSION_DENIED", path, "permission denied");
  const auto place = tree_.find(path, false);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", path, cause_of("FILE_MISSING"));
  if (place->node->kind != Kind::symlink)
    return file_error("FILE_ERROR", path, "not a symbolic link");
  return place->node->content;
}

Result<FileStatus> FakeFiles::status(const std::string& path) const {
  if (is_shut_away(path)) return file_error("PERMISSION_DENIED", path, "permission denied");
  const auto place = tree_.find(path, false);
  if (!place) return fail(place.error());
  if (!place->node) return file_error("FILE_MISSING", path, cause_of("FILE_MISSING"));
  const FileNode& node = *place->node;
  return FileStatus{node.kind,
                    node.content.size(),
                    node.mode,
                    node.kind == Kind::file && (node.mode & 0111U) != 0,
                    is_unreadable(path) ? 0 : node.version,
                    node.group};
}

Result<FileSpace> FakeFiles::space(const std::string& directory) const {
  if (is_shut_away(directory)) return file_error("PERMISSION_DENIED", directory, "denied");
  if (const auto own = spaces_.find(directory); own != spaces_.end()) return own->second;
  return FileSpace{disk_full_ ? 0u : std::uint64_t{1} << 40, 1 << 20, 1 << 21};
}

Result<std::unique_ptr<Files::Lock>> FakeFiles::lock(const std::string& path,
                                                     const std::string& holder) {
  const auto held = locks_->held.find(path);
  if (held != locks_->held.end())
    return fail(ErrorKind::held, "LOCK_HELD", path + " is held by " + held->second.holder);
  const auto place = writable(path);
  if (!place) return fail(place.error());
  if (place->node && place->node->kind != Kind::file)
    return file_error("FILE_ERROR", path, "not a regular file");
  if (place->node) {
    place->node->content = holder;
    tree_.touch(*place->node);
    place->node->synced = false;
  } else {
    tree_.add(*place, make_node(Kind::file, holder, 0644));
  }
  const std::uint64_t id = ++locks_->last_id;
  locks_->held[path] = {id, holder, false};
  return std::unique_ptr<Lock>(std::make_unique<HeldLock>(locks_, path, id));
}

}  // namespace nolapse
