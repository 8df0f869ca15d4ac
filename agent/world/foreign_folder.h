// A folder that belongs to another user, read by root: whatever that user puts there, nothing else
// than what he could have read himself is read, and nothing holds the reader up. [openat2(2)]
#pragma once

#include <string>

#include "acme/result.h"
#include "agent/world/unique_fd.h"

namespace nolapse {

class ForeignFolder {
 public:
  static constexpr std::size_t largest_file = 256 << 10;  // octets

  // `inner` is a relative path below `base`. No part of it may be a link or lie on another file
  // system; `base` itself may be reached through links. Errors: local FILE_MISSING, FILE_ERROR,
  // PERMISSION_DENIED.
  static acme::Result<ForeignFolder> open(const std::string& base, const std::string& inner);

  // A regular file of the folder's base's owner, or of root. Errors as above.
  acme::Result<std::string> read(const std::string& name) const;

 private:
  ForeignFolder() = default;

  std::string path_;
  UniqueFd fd_;
  unsigned owner_ = 0;  // of the base
};

}  // namespace nolapse
