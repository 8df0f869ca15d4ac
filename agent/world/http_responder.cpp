#include "agent/world/http_responder.h"

#include <microhttpd.h>

namespace nolapse {
namespace {

constexpr std::string_view challenge_path = "/.well-known/acme-challenge/";

// application/octet-stream is what RFC 8555 §8.3 shows, and nobody renders it.
HttpReply reply(unsigned status, std::string body = {}) {
  HttpReply made{status, {{MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream"}}};
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    made.headers.emplace_back(MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  made.body = std::make_shared<const std::string>(std::move(body));
  return made;
}

}  // namespace

class MicrohttpdResponder::Listener {
 public:
  bool start(EventLoop& loop, UniqueFd socket, const Limits& limits);
  void put(const std::string& token, const std::string& body) { challenges_[token].body = body; }
  unsigned remove(const std::string& token);
  bool empty() const { return challenges_.empty(); }

 private:
  struct Challenge {
    std::string body;
    unsigned fetches = 0;
  };

  HttpReply answer(const HttpQuestion& question);

  std::map<std::string, Challenge, std::less<>> challenges_;
  std::unique_ptr<MicrohttpdListener> http_;
};

bool MicrohttpdResponder::Listener::start(EventLoop& loop, UniqueFd socket, const Limits& limits) {
  http_ = MicrohttpdListener::start(
      loop, std::move(socket), limits,
      [this](const HttpQuestion& question, const MicrohttpdListener::Reply& done) {
        done(answer(question));
      });
  return http_ != nullptr;
}

unsigned MicrohttpdResponder::Listener::remove(const std::string& token) {
  const auto challenge = challenges_.extract(token);
  return challenge.empty() ? 0 : challenge.mapped().fetches;
}

HttpReply MicrohttpdResponder::Listener::answer(const HttpQuestion& question) {
  if (question.method != MHD_HTTP_METHOD_GET && question.method != MHD_HTTP_METHOD_HEAD) {
    return reply(MHD_HTTP_METHOD_NOT_ALLOWED);
  }
  std::string_view path = question.path;
  if (!path.starts_with(challenge_path)) return reply(MHD_HTTP_NOT_FOUND);
  path.remove_prefix(challenge_path.size());
  const auto challenge = challenges_.find(path);
  if (challenge == challenges_.end()) return reply(MHD_HTTP_NOT_FOUND);
  if (question.method == MHD_HTTP_METHOD_GET) ++challenge->second.fetches;
  return reply(MHD_HTTP_OK, challenge->second.body);
}

MicrohttpdResponder::MicrohttpdResponder(EventLoop& loop, PassedSockets passed, Limits limits)
    : loop_(loop), passed_(std::move(passed)), limits_(limits) {}

MicrohttpdResponder::~MicrohttpdResponder() = default;

Result<void> MicrohttpdResponder::serve(const std::string& listen, const std::string& token,
                                        const std::string& body) {
  auto& listener = listeners_[listen];
  if (!listener) {
    auto socket = listening_socket(listen, passed_);
    auto fresh = std::make_unique<Listener>();
    if (!socket || !fresh->start(loop_, std::move(*socket), limits_)) {
      listeners_.erase(listen);
      if (!socket) return fail(std::move(socket).error());
      return fail(ErrorKind::local, "LISTEN_FAILED",
                  "cannot listen on " + listen + ": the HTTP responder did not start");
    }
    listener = std::move(fresh);
  }
  listener->put(token, body);
  return {};
}

unsigned MicrohttpdResponder::withdraw(const std::string& listen, const std::string& token) {
  const auto found = listeners_.find(listen);
  if (found == listeners_.end()) return 0;
  const unsigned fetches = found->second->remove(token);
  if (found->second->empty()) listeners_.erase(found);
  return fetches;
}

}  // namespace nolapse
