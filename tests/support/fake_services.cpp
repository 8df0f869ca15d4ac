// Services and the probe. A probe sees the service as it is when its handshake would end.
#include "tests/support/fake_services.h"

#include <algorithm>
#include <utility>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/x509.h"
#include "tests/support/chain_validation.h"

namespace nolapse {

bool is_matching(const KeyPair& pair) {
  return FakeService::facts_of(pair).matching;
}

FakeService::Facts FakeService::facts_of(const KeyPair& pair) {
  const auto key = acme::PrivateKey::from_pem(pair.private_key);
  auto chain = acme::parse_pem_chain(pair.fullchain);
  if (!chain) return {};
  const bool matching = key && chain->front().public_key_der == key->public_key_der();
  return {matching, std::move(*chain)};
}

void FakeService::install(KeyPair pair, Facts facts) {
  installed_ = std::move(pair);
  installed_facts_ = std::move(facts);
}

bool FakeService::reload() {
  if (ignores_reload) return true;
  if (broken_configuration || !installed_) return false;
  if (!installed_facts_.matching && !serves_anything) return false;
  serving_ = installed_;
  serving_facts_ = installed_facts_;
  served_.push_back(serving_facts_.chain.empty() ? ""
                                                 : serving_facts_.chain.front().fingerprint_sha256);
  return true;
}

const std::vector<acme::Certificate>* FakeService::shown_chain() const {
  if (!serving_ || !serving_facts_.matching) return nullptr;
  if (chokes_on && chokes_on(serving_facts_.chain.front())) return nullptr;
  return &serving_facts_.chain;
}

void FakeService::restart() {
  serving_.reset();
  const bool ignored = std::exchange(ignores_reload, false);
  reload();
  ignores_reload = ignored;
}

void FakeTlsProbe::listen(const std::string& address, std::uint16_t port,
                          const std::string& server_name, FakeService& service) {
  listeners_[{address, port, server_name}] = &service;
}

FakeService* FakeTlsProbe::find(const ProbeRequest& request) const {
  auto found = listeners_.find({request.address, request.port, request.server_name});
  if (found == listeners_.end()) found = listeners_.find({request.address, request.port, ""});
  return found == listeners_.end() ? nullptr : found->second;
}

void FakeTlsProbe::probe(ProbeRequest request, std::function<void(ProbeReply)> done) {
  const FakeService* service = find(request);
  const bool silent = service != nullptr && service->unreachable;
  const Duration wait = silent               ? request.timeout
                        : service != nullptr ? service->latency
                                             : std::chrono::milliseconds(1);
  clock_.post_after(
      wait, [this, request = std::move(request), done = std::move(done)] { done(look(request)); });
}

ProbeReply FakeTlsProbe::look(const ProbeRequest& request) {
  const std::string where = request.address + " port " + std::to_string(request.port);
  FakeService* service = find(request);
  ProbeReply reply;
  if (!request.application_protocol.empty() && alpn_responder != nullptr) {
    const auto certificate = alpn_responder->show(request.server_name);
    reply.outcome = certificate ? ProbeReply::Outcome::handshake : ProbeReply::Outcome::unreachable;
    reply.detail = certificate ? "" : where + ": connection refused";
    if (certificate) reply.chain_der = {*certificate};
    return reply;
  }
  if (service == nullptr || service->unreachable) {
    reply.detail = where + (service == nullptr ? ": connection refused" : ": connection timed out");
    return reply;
  }
  reply.outcome = ProbeReply::Outcome::no_handshake;
  if (service->closes > 0) {
    --service->closes;
    reply.detail = where + ": the connection was closed";
    return reply;
  }
  const auto* chain = service->shown_chain();
  if (chain == nullptr) {
    reply.detail = where + ": TLS alert handshake failure";
    return reply;
  }
  reply.outcome = ProbeReply::Outcome::handshake;
  for (const acme::Certificate& each : *chain) reply.chain_der.push_back(each.der);
  reply.chain_error = cached_chain_error(*service, request);
  return reply;
}

std::string FakeTlsProbe::cached_chain_error(const FakeService& service,
                                             const ProbeRequest& request) {
  const auto& chain = *service.shown_chain();
  const Time now = clock_.now();
  const std::string roots =
      request.roots_file.empty() ? "" : files_.read(request.roots_file).value_or("");
  Validated& known = validated_[&service];
  if (known.reloads == service.reloads() && known.server_name == request.server_name &&
      known.roots == roots && known.from <= now && now < known.until)
    return "";
  std::vector<std::string> der;
  known = {service.reloads(), request.server_name, roots, Time::min(), Time::max()};
  for (const acme::Certificate& each : chain) {
    der.push_back(each.der);
    known.from = std::max(known.from, each.not_before);
    known.until = std::min(known.until, each.not_after);
  }
  std::string error = chain_error(der, request);
  if (!error.empty()) known = {};
  return error;
}

std::string FakeTlsProbe::chain_error(const std::vector<std::string>& chain,
                                      const ProbeRequest& request) const {
  std::vector<std::string> anchors = system_roots_;
  if (!request.roots_file.empty()) {
    anchors.clear();
    const auto pem = acme::parse_pem_chain(files_.read(request.roots_file).value_or(""));
    if (!pem) return "cannot read the trust anchors in " + request.roots_file;
    for (const acme::Certificate& each : *pem) anchors.push_back(each.der);
  }
  return validate_chain(chain, anchors, request.server_name, clock_.now());
}

}  // namespace nolapse
