// The first line is read as the kernel does it: at most 256 octets, blanks before the interpreter,
// and the interpreter ends at the next blank. What is shown of it is made printable, the file may
// hold anything.
#include "agent/world/interpreter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

constexpr std::size_t longest_line = 256;

std::string printable(std::string text) {
  for (char& c : text) c = c >= ' ' && c <= '~' ? c : '?';
  return text;
}

bool is_absent(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 && errno == ENOENT;
}

}  // namespace

std::string missing_interpreter(const std::string& program) {
  const UniqueFd fd(::open(program.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::array<char, longest_line> buffer;
  const ssize_t count = ::pread(fd.get(), buffer.data(), buffer.size(), 0);
  std::string line(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  if (line.starts_with("\x7f"
                       "ELF")) {
    return "its loader or the libraries for its architecture are not installed";
  }
  if (!line.starts_with("#!")) return {};
  line = line.substr(2, line.find('\n') - 2);
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  std::string interpreter = line.substr(begin, line.find_first_of(" \t", begin) - begin);
  if (!is_absent(interpreter)) return {};
  if (line.ends_with('\r')) {
    return "its first line ends with a carriage return; save it with Unix line ends";
  }
  return "its interpreter " + printable(std::move(interpreter)) +
         " does not exist; install it or correct the first line";
}

}  // namespace nolapse
