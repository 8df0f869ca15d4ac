// A name server on loopback that says what the test wants, over UDP and TCP on one port.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/world/unique_fd.h"

namespace nolapse {

struct DnsRecord {
  std::string name;  // empty: the name asked for
  int type = 1;
  std::string data;  // in wire format
};

// Wire format of a name, and of addresses in their textual form.
std::string wire_name(const std::string& name);
std::string wire_address(const std::string& address);

struct DnsTestQuery {
  std::string octets;
  std::string name;
  int type = 0;
  bool tcp = false;

  // An answer with the question echoed.
  std::string answer(int response_code, const std::vector<DnsRecord>& records = {},
                     bool truncated = false) const;
};

class DnsTestServer {
 public:
  // Runs on the server's thread; nothing means no answer.
  using Handler = std::function<std::optional<std::string>(const DnsTestQuery&)>;

  explicit DnsTestServer(Handler handler);
  ~DnsTestServer();
  DnsTestServer(const DnsTestServer&) = delete;
  DnsTestServer& operator=(const DnsTestServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int queries() const { return queries_; }
  int tcp_queries() const { return tcp_queries_; }

 private:
  void serve();
  void serve_datagram();
  void serve_connection();

  Handler handler_;
  UniqueFd udp_;
  UniqueFd tcp_;
  int port_ = 0;
  std::atomic<int> queries_{0};
  std::atomic<int> tcp_queries_{0};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace nolapse
