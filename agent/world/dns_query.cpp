// Sockets are connected: the kernel then drops what comes from elsewhere, and a closed port is
// told at once (ECONNREFUSED) instead of by silence.
#include "agent/world/dns_query.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/world/system_error.h"

namespace nolapse {
namespace {

constexpr std::size_t largest_message = 65535;

std::uint16_t random_id() {
  std::uint16_t id = 0;
  while (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) {
  }
  return id;
}

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EINTR;
}

}  // namespace

DnsQuery::Message DnsQuery::question(DnsQuestion question) {
  Message message;
  message.subject = "the look-up of " + question.name + " " + name_of(question.type);
  if (question.recursive) message.advice = "; check the name server or set `resolver`";
  message.encode = [question](std::uint16_t id) { return encode_question(question, id); };
  message.decode = [question](std::string_view octets, std::uint16_t id) {
    return decode_reply(octets, question, id);
  };
  return message;
}

DnsQuery::DnsQuery(EventLoop& loop, const ResolverConfig& config, Message message,
                   Duration deadline, Done done)
    : loop_(loop), config_(config), message_(std::move(message)), done_(std::move(done)) {
  deadline_timer_ = loop_.start_timer(deadline, [this] { time_out(); });
  next_try_timer_ = loop_.start_timer(Duration::zero(), [this] { start_next_try(); });
}

DnsQuery::~DnsQuery() {
  loop_.cancel_timer(deadline_timer_);
  loop_.cancel_timer(next_try_timer_);
  for (const Try& attempt : tries_) loop_.unwatch(attempt.fd.get());
}

void DnsQuery::shorten(Duration rest) {
  loop_.cancel_timer(deadline_timer_);
  deadline_timer_ = loop_.start_timer(rest, [this] { time_out(); });
}

void DnsQuery::start_next_try() {
  loop_.cancel_timer(next_try_timer_);
  const std::size_t all = config_.servers.size() * static_cast<std::size_t>(config_.attempts);
  while (started_ < all) {
    Try fresh;
    fresh.server = config_.servers[started_ % config_.servers.size()];
    fresh.id = random_id();
    ++started_;
    tries_.push_back(std::move(fresh));
    const auto attempt = std::prev(tries_.end());
    if (begin(attempt)) {
      next_try_timer_ = loop_.start_timer(config_.timeout, [this] { start_next_try(); });
      return;
    }
    last_problem_ = attempt->server.text() + ": " + describe_errno(errno);
    loop_.unwatch(attempt->fd.get());
    tries_.erase(attempt);
  }
  if (tries_.empty()) {
    finish(fail(ErrorKind::transient, "DNS_FAILED",
                message_.subject + " failed: " + last_problem_ + message_.advice));
  }
}

bool DnsQuery::begin(Tries::iterator attempt) {
  const auto octets = message_.encode(attempt->id);
  if (!octets) {
    errno = EINVAL;
    return false;
  }
  attempt->fd = open_socket(attempt->server.family(), SocketKind::datagram);
  if (!attempt->fd) return false;
  if (const int error_number = start_connecting(attempt->fd.get(), attempt->server)) {
    errno = error_number;
    return false;
  }
  if (::send(attempt->fd.get(), octets->data(), octets->size(), MSG_NOSIGNAL) < 0) return false;
  loop_.watch(attempt->fd.get(), EventLoop::readable,
              [this, attempt](unsigned) { on_datagram(attempt); });
  return true;
}

void DnsQuery::on_datagram(Tries::iterator attempt) {
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(attempt->fd.get(), buffer.data(), buffer.size(), 0);
  if (count >= 0) {
    consider(attempt, std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  } else if (!would_block(errno)) {
    fail_try(attempt, describe_errno(errno));
  }
}

void DnsQuery::begin_tcp(Tries::iterator attempt) {
  loop_.unwatch(attempt->fd.get());
  attempt->tcp = true;
  attempt->fd = open_socket(attempt->server.family(), SocketKind::stream);
  const auto octets = message_.encode(attempt->id);
  int error_number = !attempt->fd ? errno : start_connecting(attempt->fd.get(), attempt->server);
  if (!octets) error_number = EINVAL;
  if (error_number != 0) return fail_try(attempt, describe_errno(error_number));
  attempt->outgoing = {static_cast<char>(octets->size() >> 8), static_cast<char>(octets->size())};
  attempt->outgoing += *octets;
  loop_.watch(attempt->fd.get(), EventLoop::writable,
              [this, attempt](unsigned ready) { on_stream(attempt, ready); });
}

void DnsQuery::on_stream(Tries::iterator attempt, unsigned ready) {
  const int fd = attempt->fd.get();
  if (!attempt->outgoing.empty()) {
    if (const int error_number = connect_result(fd)) {
      return fail_try(attempt, "over TCP: " + describe_errno(error_number));
    }
    const ssize_t sent =
        ::send(fd, attempt->outgoing.data(), attempt->outgoing.size(), MSG_NOSIGNAL);
    if (sent < 0 && would_block(errno)) return;
    if (sent < 0) return fail_try(attempt, "over TCP: " + describe_errno(errno));
    attempt->outgoing.erase(0, static_cast<std::size_t>(sent));
    if (attempt->outgoing.empty()) {
      loop_.watch(fd, EventLoop::readable,
                  [this, attempt](unsigned now_ready) { on_stream(attempt, now_ready); });
    }
    return;
  }
  if (!(ready & EventLoop::readable)) return;
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (count < 0 && would_block(errno)) return;
  if (count <= 0) return fail_try(attempt, "the connection over TCP ended before the answer");
  std::string& incoming = attempt->incoming;
  incoming.append(buffer.data(), static_cast<std::size_t>(count));
  if (incoming.size() < 2) return;
  const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(incoming[0])) << 8 |
                           static_cast<unsigned char>(incoming[1]);
  if (incoming.size() >= size + 2) {
    const std::string message = incoming.substr(2, std::min(size, largest_message));
    consider(attempt, message);
  }
}

void DnsQuery::consider(Tries::iterator attempt, std::string_view octets) {
  auto reply = message_.decode(octets, attempt->id);
  if (!reply) {
    // Over UDP it may be a forgery, and the true answer is still to come.
    if (attempt->tcp) return fail_try(attempt, "sent an answer that makes no sense");
    last_problem_ = attempt->server.text() + ": sent an answer that makes no sense";
    return;
  }
  if (reply->truncated && !attempt->tcp) return begin_tcp(attempt);
  constexpr int no_error = 0;
  constexpr int no_such_name = 3;
  if (!message_.takes_refusals && reply->response_code != no_error &&
      reply->response_code != no_such_name) {
    return fail_try(attempt, "answered " + name_of_response_code(reply->response_code));
  }
  finish(std::move(*reply));
}

void DnsQuery::fail_try(Tries::iterator attempt, const std::string& why) {
  last_problem_ = attempt->server.text() + ": " + why;
  loop_.unwatch(attempt->fd.get());
  tries_.erase(attempt);
  start_next_try();
}

void DnsQuery::time_out() {
  std::string message = "no answer to " + message_.subject + " from " + config_.server_names();
  if (!last_problem_.empty()) message += " (" + last_problem_ + ")";
  finish(fail(ErrorKind::transient, "DNS_TIMEOUT", message + message_.advice));
}

void DnsQuery::finish(Result<DnsReply> result) {
  for (const Try& attempt : tries_) loop_.unwatch(attempt.fd.get());
  tries_.clear();
  loop_.cancel_timer(deadline_timer_);
  loop_.cancel_timer(next_try_timer_);
  const Done done = std::move(done_);
  done(std::move(result));  // the query may be gone now
}

}  // namespace nolapse
