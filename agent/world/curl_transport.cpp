// An exchange passes through three hands: Dns for the address of the server (or of the proxy),
// TrustStores for the anchors, then curl. One timer of the loop covers all three.
#include "agent/world/curl_transport.h"

#include "agent/world/curl_exchange.h"

namespace nolapse {

struct CurlTransport::Exchange {
  Exchange(acme::HttpRequest request, const HttpOptions& http_options)
      : url(request.url), options(http_options), curl(std::move(request), http_options) {}

  const std::string url;
  const HttpOptions options;
  HostAndPort peer;
  std::vector<std::string> addresses;
  Clock::TimerId timer = 0;
  CurlExchange curl;
  Completion<acme::HttpResponse> done;
};

CurlTransport::CurlTransport(EventLoop& loop, Dns& dns, TrustStores& trust_stores)
    : loop_(loop), dns_(dns), trust_stores_(trust_stores) {}

CurlTransport::~CurlTransport() {
  for (const auto& [id, exchange] : exchanges_) {
    loop_.cancel_timer(exchange->timer);
    loop_.stop_transfer(exchange->curl.easy());
  }
}

void CurlTransport::send(acme::HttpRequest request, HttpOptions options,
                         Completion<acme::HttpResponse> done) {
  const std::uint64_t id = next_id_++;
  auto exchange = std::make_unique<Exchange>(std::move(request), options);
  exchange->done = std::move(done);
  exchange->timer = loop_.start_timer(options.timeout, [this, id] { time_out(id); });
  exchanges_.emplace(id, std::move(exchange));
  loop_.post([this, id] {
    if (exchanges_.contains(id)) resolve(id);
  });
}

void CurlTransport::resolve(std::uint64_t id) {
  Exchange& exchange = *exchanges_.at(id);
  auto target = parse_url(exchange.url, exchange.options.plain_http);
  if (target && !exchange.options.proxy.empty()) target = parse_proxy(exchange.options.proxy);
  if (!target) return finish(id, fail(std::move(target).error()));
  exchange.peer = std::move(*target);
  if (!exchange.options.address.empty()) {
    exchange.addresses = {exchange.options.address};
    return start(id);
  }
  dns_.resolve(exchange.peer.host, [this, id](Result<std::vector<std::string>> addresses) {
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) return;
    if (!addresses) {
      return finish(id, fail(ErrorKind::transient, "CA_UNREACHABLE",
                             found->second->url + ": " + addresses.error().message));
    }
    found->second->addresses = std::move(*addresses);
    start(id);
  });
}

void CurlTransport::start(std::uint64_t id) {
  trust_stores_.get(exchanges_.at(id)->options.roots_file, [this, id](Result<TrustStore> store) {
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) return;
    if (!store) {
      return finish(id, fail(ErrorKind::transient, "CA_TLS",
                             found->second->url + ": " + store.error().message));
    }
    Exchange& exchange = *found->second;
    auto prepared = exchange.curl.prepare(exchange.peer, exchange.addresses, std::move(*store));
    if (!prepared) return finish(id, fail(std::move(prepared).error()));
    loop_.start_transfer(exchange.curl.easy(), [this, id](int code) { on_done(id, code); });
  });
}

void CurlTransport::on_done(std::uint64_t id, int code) {
  finish(id, exchanges_.at(id)->curl.take_result(code));
}

void CurlTransport::time_out(std::uint64_t id) {
  const Exchange& exchange = *exchanges_.at(id);
  finish(id, fail(ErrorKind::transient, "CA_TIMEOUT",
                  exchange.url + ": " + exchange.curl.pending_step() + " within " +
                      acme::format_duration(exchange.options.timeout)));
}

void CurlTransport::finish(std::uint64_t id, Result<acme::HttpResponse> result) {
  const auto exchange = std::move(exchanges_.extract(id).mapped());
  loop_.cancel_timer(exchange->timer);
  loop_.stop_transfer(exchange->curl.easy());
  exchange->done(std::move(result));
}

}  // namespace nolapse
