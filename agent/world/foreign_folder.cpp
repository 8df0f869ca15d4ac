// Hard links are why the owner of a file matters: one can be made to a file that one may not read,
// where the kernel's fs.protected_hardlinks is off.
#include "agent/world/foreign_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/world/system_error.h"

namespace nolapse {

using acme::Error;
using acme::ErrorKind;
using acme::fail;
using acme::Result;

namespace {

UniqueFd open_beneath(int base, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how)));
}

Error open_error(int error_number, const std::string& path) {
  if (error_number == EXDEV) {
    return {ErrorKind::local,
            "FILE_ERROR",
            "cannot open " + path +
                ": it leads out of the state directory or to another file "
                "system; put what it leads to in its place",
            {},
            {}};
  }
  return file_error(error_number, "cannot open " + path);
}

}  // namespace

Result<ForeignFolder> ForeignFolder::open(const std::string& base, const std::string& inner) {
  const UniqueFd base_fd(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!base_fd || ::fstat(base_fd.get(), &status) != 0) {
    return fail(file_error(errno, "cannot open " + base));
  }
  ForeignFolder folder;
  folder.path_ = base + "/" + inner;
  folder.owner_ = status.st_uid;
  folder.fd_ = open_beneath(base_fd.get(), inner, O_DIRECTORY);
  if (!folder.fd_) return fail(open_error(errno, folder.path_));
  return folder;
}

Result<std::string> ForeignFolder::read(const std::string& name) const {
  const std::string path = path_ + "/" + name;
  const UniqueFd fd = open_beneath(fd_.get(), name, 0);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return fail(open_error(errno, path));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::local, "FILE_ERROR", "cannot read " + path + ": it is not a file");
  }
  if (status.st_uid != owner_ && status.st_uid != 0) {
    return fail(ErrorKind::local, "FILE_ERROR",
                "cannot read " + path + ": it is not the file of the state directory's owner");
  }
  std::string content;
  std::array<char, 16384> buffer;
  while (content.size() <= largest_file) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(file_error(errno, "cannot read " + path));
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return fail(
      ErrorKind::local, "FILE_ERROR",
      "cannot read " + path + ": it is larger than " + std::to_string(largest_file >> 10) + " KiB");
}

}  // namespace nolapse
