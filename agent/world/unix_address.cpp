// An abstract name has no terminator: its size is part of its identity, so the address must be
// exactly as long as the name.
#include "agent/world/unix_address.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace nolapse {

static_assert(sizeof(sockaddr_un) == 110);
static_assert(sizeof(sockaddr_un::sun_path) == UnixAddress::longest_path + 1);

std::optional<UnixAddress> UnixAddress::parse(const std::string& text) {
  const bool abstract = text.starts_with('@');
  if (!abstract && !text.starts_with('/')) return std::nullopt;
  if (text.size() < 2 || text.size() > longest_path || text.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, text.data(), text.size());
  if (abstract) address.sun_path[0] = '\0';
  UnixAddress result;
  std::memcpy(result.storage_.data(), &address, sizeof address);
  result.size_ =
      static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + text.size()) + (abstract ? 0U : 1U);
  return result;
}

const sockaddr* UnixAddress::get() const {
  return reinterpret_cast<const sockaddr*>(storage_.data());
}

}  // namespace nolapse
