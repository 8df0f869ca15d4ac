#include "agent/world/status_listener.h"

#include <microhttpd.h>

#include <algorithm>

#include "agent/world/listen_socket.h"
#include "agent/world/sockets.h"

namespace nolapse {
namespace {

constexpr const char* security_policy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

HttpReply http_reply(PageReply page) {
  HttpReply reply{page.status,
                  {{MHD_HTTP_HEADER_CONTENT_TYPE, std::move(page.content_type)},
                   {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
                   {"Content-Security-Policy", security_policy},
                   {"X-Content-Type-Options", "nosniff"},
                   {"X-Frame-Options", "DENY"},
                   {"Referrer-Policy", "no-referrer"}}};
  if (page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    reply.headers.emplace_back(MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  reply.body = std::move(page.body);
  return reply;
}

std::optional<PageReply> refusal(const HttpQuestion& question, bool loopback) {
  if (question.method != MHD_HTTP_METHOD_GET && question.method != MHD_HTTP_METHOD_HEAD) {
    return plain_page(MHD_HTTP_METHOD_NOT_ALLOWED, "this page can only be read: GET or HEAD");
  }
  if (loopback && !is_host_of_loopback(question.host)) {
    return plain_page(MHD_HTTP_MISDIRECTED_REQUEST,
                      "ask for this page by its address or as localhost, not by another name");
  }
  return {};
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

}  // namespace

PageReply plain_page(unsigned status, std::string line) {
  PageReply page;
  page.status = status;
  page.body = std::make_shared<const std::string>(std::move(line) + "\n");
  return page;
}

bool is_host_of_loopback(std::string_view host) {
  if (host.empty()) return true;  // HTTP/1.0, which no browser speaks
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos &&
                        host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos &&
                        (host.front() != '[' || host[colon - 1] == ']');
  if (has_port) host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string name = lower_case(host);
  if (name == "localhost" || name.ends_with(".localhost")) return true;  // [RFC 6761 §6.3]
  return SocketAddress::parse(name + ":0").has_value();
}

Result<std::unique_ptr<StatusListener>> StatusListener::open(EventLoop& loop,
                                                             const std::string& listen,
                                                             UniqueFd inherited, Pages pages,
                                                             const Limits& limits) {
  if (!inherited) {
    auto opened = listening_socket(listen, nullptr, "stop it, or choose another status_listen");
    if (!opened) return fail(std::move(opened).error());
    inherited = std::move(*opened);
  }
  const auto address = SocketAddress::local_end(inherited.get());
  const bool loopback = !address || address->is_loopback();
  std::unique_ptr<StatusListener> listener(new StatusListener);
  listener->http_ = MicrohttpdListener::start(
      loop, std::move(inherited), limits,
      [loopback, pages = std::move(pages)](const HttpQuestion& question,
                                           const MicrohttpdListener::Reply& done) {
        if (auto refused = refusal(question, loopback)) {
          return done(http_reply(std::move(*refused)));
        }
        pages(std::string(question.path),
              [done](PageReply page) { done(http_reply(std::move(page))); });
      });
  if (!listener->http_) {
    return fail(ErrorKind::local, "LISTEN_FAILED",
                "cannot listen on " + listen + ": libmicrohttpd did not start");
  }
  return listener;
}

}  // namespace nolapse
