// The listening end of the control socket, as a file that exists exactly as long as somebody
// listens on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "acme/result.h"
#include "agent/world/unique_fd.h"

namespace nolapse {

class ControlListener {
 public:
  // Mode, group and errors as in ControlServer::open.
  static acme::Result<std::unique_ptr<ControlListener>> open(const std::string& path, unsigned mode,
                                                             const std::string& group);
  // Removes the file, unless the path leads to another one by now.
  ~ControlListener();
  ControlListener(const ControlListener&) = delete;
  ControlListener& operator=(const ControlListener&) = delete;

  int fd() const { return fd_.get(); }

 private:
  ControlListener() = default;

  UniqueFd fd_;
  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace nolapse
