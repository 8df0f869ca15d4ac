// One table, so that the same cause reads the same wherever it happens.
#include "agent/world/system_error.h"

#include <cerrno>
#include <system_error>

namespace nolapse {

using acme::Error;
using acme::ErrorKind;

std::string describe_errno(int error_number) {
  return std::generic_category().message(error_number);
}

Error file_error(int error_number, const std::string& what) {
  std::string code = "FILE_ERROR";
  std::string remedy;
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      code = "DISK_FULL";
      remedy = "; make room on that file system";
      break;
    case EACCES:
    case EPERM:
      code = "PERMISSION_DENIED";
      remedy = "; check the owner and the mode of it and of the directories above";
      break;
    case EROFS:  // whoever asks: not a matter of who may
      remedy = "; see why it is so (dmesg), then remount it for writing";
      break;
    case EEXIST:
    case ENOTEMPTY:
      code = "FILE_EXISTS";
      break;
    case ENOENT:
      code = "FILE_MISSING";
      break;
    case ELOOP:
      return {ErrorKind::local,
              code,
              what + ": it is a symbolic link where none may be; put what it leads to in its place",
              {},
              {}};
    default:
      break;
  }
  return {ErrorKind::local, code, what + ": " + describe_errno(error_number) + remedy, {}, {}};
}

}  // namespace nolapse
