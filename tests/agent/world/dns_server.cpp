#include "tests/agent/world/dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>

namespace nolapse {
namespace {

void append_16(std::string& octets, std::size_t value) {
  octets += static_cast<char>(value >> 8);
  octets += static_cast<char>(value);
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

std::optional<DnsTestQuery> parse(std::string octets, bool tcp) {
  DnsTestQuery query;
  query.octets = std::move(octets);
  query.tcp = tcp;
  std::size_t at = 12;
  while (at < query.octets.size() && query.octets[at] != 0) {
    const auto length = static_cast<std::size_t>(query.octets[at]);
    if (at + length + 1 >= query.octets.size()) return std::nullopt;
    query.name += (query.name.empty() ? "" : ".") + query.octets.substr(at + 1, length);
    at += length + 1;
  }
  if (at + 5 > query.octets.size()) return std::nullopt;
  query.type = query.octets[at + 2];
  return query;
}

}  // namespace

std::string wire_name(const std::string& name) {
  std::string octets;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    octets += static_cast<char>(end - begin);
    octets += name.substr(begin, end - begin);
    begin = end + 1;
  }
  return octets + '\0';
}

std::string wire_address(const std::string& address) {
  std::array<char, 16> octets{};
  const bool ipv6 = address.find(':') != std::string::npos;
  ::inet_pton(ipv6 ? AF_INET6 : AF_INET, address.c_str(), octets.data());
  return std::string(octets.data(), ipv6 ? 16 : 4);
}

std::string DnsTestQuery::answer(int response_code, const std::vector<DnsRecord>& records,
                                 bool truncated) const {
  std::string reply = octets.substr(0, 2);
  reply += static_cast<char>(0x81 | (truncated ? 0x02 : 0));
  reply += static_cast<char>(0x80 | response_code);
  append_16(reply, 1);
  append_16(reply, records.size());
  append_16(reply, 0);
  append_16(reply, 0);
  reply += octets.substr(12);
  for (const auto& record : records) {
    reply += record.name.empty() ? "\xc0\x0c" : wire_name(record.name);
    append_16(reply, static_cast<std::size_t>(record.type));
    append_16(reply, 1);
    append_16(reply, 0);
    append_16(reply, 60);
    append_16(reply, record.data.size());
    reply += record.data;
  }
  return reply;
}

DnsTestServer::DnsTestServer(Handler handler) : handler_(std::move(handler)) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    udp_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    tcp_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(udp_.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (::bind(tcp_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0) break;
  }
  ::listen(tcp_.get(), 16);
  thread_ = std::thread([this] { serve(); });
}

DnsTestServer::~DnsTestServer() {
  ending_ = true;
  thread_.join();
}

void DnsTestServer::serve() {
  while (!ending_) {
    std::array<pollfd, 2> sockets = {{{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}}};
    if (::poll(sockets.data(), sockets.size(), 10) <= 0) continue;
    if (sockets[0].revents != 0) serve_datagram();
    if (sockets[1].revents != 0) serve_connection();
  }
}

void DnsTestServer::serve_datagram() {
  std::array<char, 1024> buffer;
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const auto count = ::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr*>(&peer), &size);
  if (count < 0) return;
  ++queries_;
  const auto query = parse(std::string(buffer.data(), static_cast<std::size_t>(count)), false);
  if (!query) return;
  if (const auto reply = handler_(*query)) {
    ::sendto(udp_.get(), reply->data(), reply->size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

void DnsTestServer::serve_connection() {
  const UniqueFd connection(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const timeval patience{1, 0};
  ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::array<char, 1024> buffer;
  const auto count = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
  if (count < 2) return;
  ++tcp_queries_;
  const auto query =
      parse(std::string(buffer.data() + 2, static_cast<std::size_t>(count - 2)), true);
  if (!query) return;
  if (const auto reply = handler_(*query)) {
    std::string framed;
    append_16(framed, reply->size());
    framed += *reply;
    // In two parts, as a stream may come.
    ::send(connection.get(), framed.data(), 5, MSG_NOSIGNAL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::send(connection.get(), framed.data() + 5, framed.size() - 5, MSG_NOSIGNAL);
  }
}

}  // namespace nolapse
