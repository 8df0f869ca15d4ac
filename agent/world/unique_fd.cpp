// close(2) is not repeated after EINTR: on Linux the descriptor is gone by then.
#include "agent/world/unique_fd.h"

#include <unistd.h>

namespace nolapse {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace nolapse
