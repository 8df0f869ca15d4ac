#include "agent/core/config_on_disk.h"

#include <algorithm>
#include <set>

#include "acme/base64url.h"

namespace nolapse {

// Notes what is looked at, and can say whether all of it is as it was. Contents are known by the
// version of their file.
class ConfigOnDisk::Witness final : public Files {
 public:
  explicit Witness(const Files& files) : files_(files) {}

  bool is_unchanged() const {
    for (const auto& [path, seen] : statuses_) {
      if (seen != mark_of(files_.status(path))) return false;
    }
    for (const auto& [path, seen] : versions_) {
      if (seen == 0 || seen != version_of(path)) return false;
    }
    for (const auto& [path, seen] : links_) {
      if (seen != files_.read_link(path).value_or(std::string())) return false;
    }
    return true;
  }

  // Paths that this user may not look at, and files that others may execute.
  const std::set<std::string>& denied() const { return denied_; }

  Result<std::string> read(const std::string& path) const override {
    versions_.emplace(path, version_of(path));
    return noted(path, files_.read(path));
  }
  Result<std::vector<std::string>> list(const std::string& path) const override {
    versions_.emplace(path, version_of(path));
    return noted(path, files_.list(path));
  }
  Result<std::string> read_link(const std::string& path) const override {
    auto link = noted(path, files_.read_link(path));
    links_.emplace(path, link.value_or(std::string()));
    return link;
  }
  Result<FileStatus> status(const std::string& path) const override {
    auto status = noted(path, files_.status(path));
    statuses_.emplace(path, mark_of(status));
    if (status && status->kind == FileStatus::Kind::file && (status->mode & 0111) != 0 &&
        !status->executable) {
      denied_.insert(path);
    }
    return status;
  }

  // Nobody who only looks needs these.
  void run(std::vector<FileOperation>, Completion<void> done) override { done(none()); }
  Result<FileSpace> space(const std::string&) const override { return none(); }
  Result<std::unique_ptr<Lock>> lock(const std::string&, const std::string&) override {
    return none();
  }

 private:
  static tl::unexpected<Error> none() {
    return fail(ErrorKind::local, "FILE_ERROR", "it is only looked at");
  }

  template <class Value>
  Result<Value> noted(const std::string& path, Result<Value> result) const {
    if (!result && result.error().code == "PERMISSION_DENIED") denied_.insert(path);
    return result;
  }

  // What a configuration can depend on without the content.
  static std::string mark_of(const Result<FileStatus>& status) {
    if (!status) return status.error().code;
    return std::to_string(static_cast<int>(status->kind)) + " " + std::to_string(status->mode) +
           (status->executable ? " x " : " - ") + status->group;
  }

  // What is missing has a version, too; 0: nobody can tell.
  std::uint64_t version_of(const std::string& path) const {
    const auto status = files_.status(path);
    if (status) return status->version;
    return status.error().code == "FILE_MISSING" ? 1 : 0;
  }

  const Files& files_;
  mutable std::map<std::string, std::string> statuses_;
  mutable std::map<std::string, std::uint64_t> versions_;
  mutable std::map<std::string, std::string> links_;
  mutable std::set<std::string> denied_;
};

ConfigOnDisk::ConfigOnDisk(const Files& files, std::string path, std::string state_directory)
    : files_(files), path_(std::move(path)), state_directory_(std::move(state_directory)) {}

ConfigOnDisk::~ConfigOnDisk() = default;

const std::vector<ConfigProblem>& ConfigOnDisk::problems() {
  look();
  return problems_;
}

bool ConfigOnDisk::is_denied(const ConfigProblem& problem) const {
  const auto& denied = witness_->denied();
  return std::any_of(denied.begin(), denied.end(), [&](const std::string& path) {
    return problem.reason.find(path) != std::string::npos;
  });
}

const std::string& ConfigOnDisk::digest() {
  look();
  return digest_;
}

void ConfigOnDisk::look() {
  if (witness_ && witness_->is_unchanged()) return;
  witness_ = std::make_unique<Witness>(files_);
  ConfigResult loaded = load_config(*witness_, path_, state_directory_);
  std::string text;
  for (const std::string& file : loaded.config.files) {
    const auto content = witness_->read(file);
    text += file + "\n" + std::to_string(content ? content->size() : 0) + "\n" +
            (content ? *content : std::string());
  }
  digest_ = acme::base64url_encode(acme::sha256(text));
  problems_ = std::move(loaded.problems);
}

}  // namespace nolapse
