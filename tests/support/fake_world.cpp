// Putting the fakes together. Each gets a branch of the seed, so that one asking more often does
// not change the others' luck.
#include "tests/support/fake_world.h"

#include "acme/challenge_response.h"
#include "acme/persist_record.h"

namespace nolapse {

namespace {
constexpr Time start_of_time{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} +
                             std::chrono::hours(9)};
constexpr Duration key_time = std::chrono::milliseconds(1);

// [RFC 8555 §8.4]
std::optional<ValidationFailure> validate_dns01(const ValidationRequest& request,
                                                const FakeDns& dns) {
  const std::string name = "_acme-challenge." + request.identifier.value;
  const auto answer = dns.ask_now({name, DnsType::txt});
  if (!answer) return ValidationFailure{"dns", answer.error().message};
  if (answer->values.empty()) return ValidationFailure{"unauthorized", "no TXT record at " + name};
  const std::string wanted = acme::dns01_value(request.key_authorization);
  for (const std::string& value : answer->values) {
    if (value == wanted) return std::nullopt;
  }
  return ValidationFailure{"unauthorized", "incorrect TXT record at " + name};
}

// Any record that is as it should be. [draft-ietf-acme-dns-persist-01]
std::optional<ValidationFailure> validate_dns_persist01(const ValidationRequest& request,
                                                        const FakeDns& dns, Time now) {
  const std::string name = acme::persist_record_name(request.identifier.value);
  const auto answer = dns.ask_now({name, DnsType::txt});
  if (!answer) return ValidationFailure{"dns", answer.error().message};
  const acme::PersistRequest wanted{{"ca.test"}, {request.account_url}, request.wildcard};
  const std::string fault = acme::judge_persist_records(answer->values, wanted, now).fault;
  if (fault.empty()) return std::nullopt;
  return ValidationFailure{"unauthorized", name + ": " + fault};
}
}  // namespace

void FakeKeyMaker::generate(acme::KeyType type, Completion<acme::PrivateKey> done) {
  clock_.post_after(key_time,
                    [type, done = std::move(done)] { done(acme::PrivateKey::generate(type)); });
}

FakeWorld::FakeWorld(std::uint64_t seed)
    : openssl_(seed),
      seeds_(seed),
      clock(start_of_time),
      files(clock, seeds_.branch()),
      dns(clock),
      http(clock),
      validation(dns, http_responder, files),
      tls_probe(clock, files),
      processes(clock),
      key_maker(clock),
      random(seeds_.branch()),
      mail(clock) {
  http.front_door = [this](const std::string& address, const std::string& token) {
    return validation.visit(address, token);
  };
  tls_probe.alpn_responder = &tls_alpn_responder;
}

World FakeWorld::world() {
  return {clock,     http,           tls_probe,          dns,    files, processes,
          key_maker, http_responder, tls_alpn_responder, random, mail};
}

FakeCa& FakeWorld::add_ca(FakeCaSettings settings) {
  const std::string base_url = settings.base_url;
  cas.push_back(std::make_unique<FakeCa>(std::move(settings), seeds_.branch(), clock.true_time()));
  FakeCa& ca = *cas.back();
  ca.set_validator([this](const ValidationRequest& request) {
    if (request.type == "dns-01") return validate_dns01(request, dns);
    if (request.type == acme::persist_type)
      return validate_dns_persist01(request, dns, clock.true_time());
    if (request.type == "tls-alpn-01") return tls_alpn_responder.validate(request);
    return validation.validate(request);
  });
  http.route(base_url).ca = &ca;
  for (const std::string& root : ca.trust_anchors()) tls_probe.trust(root);
  return ca;
}

FakeService& FakeWorld::add_service(const std::string& name, const std::string& hook_path,
                                    const std::string& address, std::uint16_t port,
                                    const std::string& server_name) {
  services.push_back(std::make_unique<FakeService>(name));
  FakeService& service = *services.back();
  files.put(hook_path, "#!/bin/sh\n", 0755);
  processes.add(hook_path, deploy_hook(service, files));
  tls_probe.listen(address, port, server_name, service);
  return service;
}

void FakeWorld::add_local_name(const std::string& host, const std::string& address) {
  dns.name(host).addresses.push_back(address);
  validation.local_addresses.insert(address);
}

void FakeWorld::add_webroot(std::uint16_t port, const std::string& directory) {
  files.put_directory(directory);
  validation.webroots[port] = directory;
  http_responder.occupy(port, "nginx");
}

void FakeWorld::kill() {
  http.drop_process();
  http_responder.drop_process();
  tls_alpn_responder.drop_process();
  processes.drop_process();
  files.kill();
  clock.drop_all();
}

void FakeWorld::crash() {
  kill();
  processes.power_failure();
  files.crash();
  for (const auto& service : services) service->restart();
}

}  // namespace nolapse
