#include "agent/solvers/taken_port.h"

#include <charconv>
#include <optional>

namespace nolapse {
namespace {

std::optional<std::uint16_t> port_of(const std::string& listen) {
  const std::string digits = listen.substr(listen.rfind(':') + 1);
  std::uint16_t port = 0;
  const auto end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return {};
  return port;
}

}  // namespace

void name_listener(const World& world, const std::string& listen, Error error,
                   std::function<void(Error)> done) {
  const std::size_t place = error.message.find(unknown_listener);
  const auto port = port_of(listen);
  if (error.code != "PORT_IN_USE" || place == std::string::npos || !port) return done(error);
  world.processes.find_listener(
      *port, [error = std::move(error), place, done = std::move(done)](const std::string& name) {
        Error named = error;
        if (!name.empty()) {
          named.message.replace(place, std::string(unknown_listener).size(), name);
        }
        done(std::move(named));
      });
}

}  // namespace nolapse
