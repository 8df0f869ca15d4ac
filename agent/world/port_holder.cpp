// /proc/net/tcp has the inode of the socket, /proc/<pid>/fd the processes that hold it. The same
// as ss(8), without depending on it.
#include "agent/world/port_holder.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

namespace nolapse {
namespace {

namespace fs = std::filesystem;

constexpr std::clock_t most_ticks = CLOCKS_PER_SEC / 20;

// "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode", addresses in hex.
void add_listening_inodes(const char* table, std::uint16_t port, std::set<std::string>& links) {
  std::ifstream stream(table);
  std::string line;
  std::getline(stream, line);  // the heading
  while (std::getline(stream, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
        timeout >> inode;
    const auto colon = local.find(':');
    if (state != "0A" || colon == std::string::npos || inode.empty()) continue;
    const std::string digits = local.substr(colon + 1);
    const bool hexadecimal = !digits.empty() && digits.size() <= 4 &&
                             digits.find_first_not_of("0123456789ABCDEF") == std::string::npos;
    if (hexadecimal && std::stoul(digits, nullptr, 16) == port) {
      links.insert("socket:[" + inode + "]");
    }
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& links) {
  std::error_code error;
  for (fs::directory_iterator entry(process / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (links.contains(fs::read_symlink(entry->path(), unreadable).string())) return true;
  }
  return false;
}

std::string name_of_process(const fs::path& process) {
  std::ifstream stream(process / "comm");
  std::string name;
  std::getline(stream, name);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

}  // namespace

std::string port_holder(std::uint16_t port) {
  const std::clock_t start = std::clock();
  std::set<std::string> links;
  add_listening_inodes("/proc/net/tcp", port, links);
  add_listening_inodes("/proc/net/tcp6", port, links);
  if (links.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    if (std::clock() - start > most_ticks) break;
    const std::string pid = entry->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (holds_one_of(entry->path(), links)) {
      return name_of_process(entry->path()) + " (pid " + pid + ")";
    }
  }
  return {};
}

}  // namespace nolapse
