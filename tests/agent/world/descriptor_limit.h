// Lets this process have only a few more descriptors than it has now, until the end of the scope.
#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <iterator>

namespace nolapse {

class DescriptorLimit {
 public:
  explicit DescriptorLimit(unsigned more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(open) + more;
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace nolapse
