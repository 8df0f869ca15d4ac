#include "agent/core/used_proofs.h"

#include <memory>
#include <vector>

#include "acme/resources.h"

namespace nolapse {
namespace {

using acme::HttpResponse;

// No CA lists more; a hostile one must not keep us busy.
constexpr std::size_t most_authorizations = 1000;

struct Ending {
  CaClient& ca;
  std::vector<std::string> authorizations;  // still to look at
  Completion<void> done;
};

void send(CaClient& ca, const std::string& url, std::string payload,
          Completion<HttpResponse> done) {
  acme::Call call;
  call.target = acme::Call::Target::url;
  call.url = url;
  call.context = payload.empty() ? "reading an authorization" : "ending an authorization";
  call.payload = std::move(payload);
  ca.send(std::move(call), std::move(done));
}

void next(const std::shared_ptr<Ending>& ending) {
  if (ending->authorizations.empty()) return ending->done({});
  const std::string url = std::move(ending->authorizations.back());
  ending->authorizations.pop_back();
  send(ending->ca, url, {}, [ending, url](const Result<HttpResponse>& reply) {
    if (!reply) return ending->done(fail(reply.error()));
    const auto authorization = acme::parse_authorization(reply->body);
    if (!authorization) return ending->done(fail(authorization.error()));
    if (authorization->status != "valid") return next(ending);
    send(ending->ca, url, R"({"status":"deactivated"})",
         [ending](const Result<HttpResponse>& ended) {
           if (!ended) return ending->done(fail(ended.error()));
           next(ending);
         });
  });
}

}  // namespace

void end_valid_authorizations(CaClient& ca, const std::string& order_url, Completion<void> done) {
  const auto ending = std::make_shared<Ending>(Ending{ca, {}, std::move(done)});
  send(ca, order_url, {}, [ending](const Result<HttpResponse>& reply) {
    if (!reply) return ending->done(fail(reply.error()));
    auto order = acme::parse_order(reply->body);
    if (!order) return ending->done(fail(order.error()));
    ending->authorizations = std::move(order->authorizations);
    if (ending->authorizations.size() > most_authorizations) {
      ending->authorizations.resize(most_authorizations);
    }
    next(ending);
  });
}

}  // namespace nolapse
