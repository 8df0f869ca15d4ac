// The user of a program owns its folder and could exchange anything in it, so nothing is done there
// any more once the folder has been given away, but to remove it without following a link.
#include "agent/world/staging_area.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "agent/world/remove_tree.h"
#include "agent/world/root_owned.h"
#include "agent/world/system_error.h"
#include "agent/world/system_user.h"

namespace nolapse {

using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

constexpr const char* prefix = "order-";
constexpr mode_t passable = 0711;

// A new folder, open, with exactly this mode whatever the umask is; invalid with errno.
UniqueFd make_folder(int parent, const std::string& name, mode_t mode) {
  if (::mkdirat(parent, name.c_str(), 0700) != 0) return UniqueFd();
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd || ::fchmod(fd.get(), mode) != 0) return UniqueFd();
  return fd;
}

bool write_all(int fd, const std::string& content) {
  for (std::size_t sent = 0; sent < content.size();) {
    const ssize_t count = ::write(fd, content.data() + sent, content.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// Owner: nothing: it stays this process's.
bool give(int fd, const std::optional<SystemUser>& owner) {
  return !owner || ::fchown(fd, owner->id, owner->group) == 0;
}

bool write_file(int folder, const StagedFile& file, const std::optional<SystemUser>& owner) {
  const UniqueFd fd(::openat(folder, file.name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return fd && write_all(fd.get(), file.content) && ::fchmod(fd.get(), file.mode) == 0 &&
         give(fd.get(), owner);
}

}  // namespace

StagedFolder::~StagedFolder() {
  remove_tree(area_, entry_);
}

Result<std::unique_ptr<StagingArea>> StagingArea::open(const std::string& path) {
  const std::string what = "cannot lay out files in " + path;
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (::chmod(path.c_str(), passable) != 0) return fail(file_error(errno, what));
  } else if (errno != EEXIST) {
    return fail(file_error(errno, what));
  }
  if (::geteuid() == 0) {
    if (auto owned = check_root_owned(path); !owned) return fail(std::move(owned).error());
  }
  std::unique_ptr<StagingArea> area(new StagingArea);
  area->path_ = path;
  area->fd_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!area->fd_) return fail(file_error(errno, what));
  std::vector<std::string> names;
  int error_number = names_in(area->fd_.get(), names);
  for (const std::string& name : names) {
    if (error_number != 0) break;
    if (name.starts_with(prefix)) error_number = remove_tree(area->fd_.get(), name);
  }
  if (error_number != 0) return fail(file_error(error_number, "cannot clear " + path));
  return area;
}

Result<std::unique_ptr<StagedFolder>> StagingArea::stage(const std::string& name,
                                                         const std::vector<StagedFile>& files,
                                                         const std::string& user) {
  std::optional<SystemUser> owner;
  if (!user.empty()) {
    owner = find_user(user);
    if (!owner) {
      return fail(ErrorKind::input, "NO_SUCH_USER",
                  "there is no user " + user + "; correct `user` in the configuration");
    }
    if (owner->id == ::geteuid()) owner.reset();
  }
  const std::string entry = prefix + std::to_string(++last_);
  std::string path = path_;
  path += "/" + entry + "/" + name;
  auto staged = std::make_unique<StagedFolder>(fd_.get(), entry, path);
  const UniqueFd outer = make_folder(fd_.get(), entry, passable);
  const UniqueFd inner = outer ? make_folder(outer.get(), name, 0700) : UniqueFd();
  bool done = static_cast<bool>(inner);
  for (const StagedFile& file : files) done = done && write_file(inner.get(), file, owner);
  if (!done || !give(inner.get(), owner)) {
    return fail(file_error(errno, "cannot lay out files in " + path));
  }
  return staged;
}

}  // namespace nolapse
