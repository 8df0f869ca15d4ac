// One message, put to the name servers until one of them answers. [RFC 1035 §4.2, RFC 7766]
//
// A try is one socket to one server: a fresh random port and id over UDP, then TCP when the answer
// was truncated. A try that fails is followed by the next at once, one that stays silent after the
// configured time-out; it stays open then, because a late answer is an answer.
#pragma once

#include <list>

#include "agent/world/dns_message.h"
#include "agent/world/event_loop.h"
#include "agent/world/resolver_config.h"

namespace nolapse {

class DnsQuery {
 public:
  // Gets NOERROR or NXDOMAIN replies; errors: transient DNS_FAILED, DNS_TIMEOUT. Called from the
  // loop; the query may be destroyed in it.
  using Done = std::function<void(Result<DnsReply>)>;

  // What is asked and how an answer is read; each try has an id of its own.
  struct Message {
    std::string subject;  // for messages: "the look-up of shop.example A"
    std::string advice;   // after a failure; empty: none
    std::function<std::optional<std::string>(std::uint16_t id)> encode;
    std::function<std::optional<DnsReply>(std::string_view octets, std::uint16_t id)> decode;
    // Every response code is an answer, not only NOERROR and NXDOMAIN.
    bool takes_refusals = false;
  };
  static Message question(DnsQuestion question);

  DnsQuery(EventLoop& loop, const ResolverConfig& config, Message message, Duration deadline,
           Done done);
  ~DnsQuery();
  DnsQuery(const DnsQuery&) = delete;
  DnsQuery& operator=(const DnsQuery&) = delete;

  // Ends it as DNS_TIMEOUT unless it is answered within this time.
  void shorten(Duration rest);

 private:
  struct Try {
    SocketAddress server;
    std::uint16_t id = 0;
    UniqueFd fd;
    bool tcp = false;
    std::string outgoing;  // TCP: what is left to send
    std::string incoming;  // TCP: length and message so far
  };
  using Tries = std::list<Try>;

  void start_next_try();
  bool begin(Tries::iterator attempt);
  void on_datagram(Tries::iterator attempt);
  void begin_tcp(Tries::iterator attempt);
  void on_stream(Tries::iterator attempt, unsigned ready);
  void consider(Tries::iterator attempt, std::string_view octets);
  void fail_try(Tries::iterator attempt, const std::string& why);
  void time_out();
  void finish(Result<DnsReply> result);

  EventLoop& loop_;
  const ResolverConfig config_;
  const Message message_;
  Done done_;
  Tries tries_;
  std::size_t started_ = 0;
  std::string last_problem_;
  Clock::TimerId next_try_timer_ = 0;
  Clock::TimerId deadline_timer_ = 0;
};

}  // namespace nolapse
