#include "tests/simulation/host.h"

#include <algorithm>
#include <utility>

namespace nolapse {

Leaf leaf_of(const acme::Certificate& certificate) {
  return {certificate.fingerprint_sha256, certificate.not_before, certificate.not_after};
}

Host::Host(FakeWorld& world, std::string name, std::string address, bool serves_anything,
           Observer observer)
    : world_(world),
      name_(std::move(name)),
      address_(std::move(address)),
      hook_("/hooks/" + name_),
      serves_anything_(serves_anything),
      observer_(std::move(observer)) {
  world_.files.put(hook_, "#!/bin/sh\n", 0755);
  FakeProgram program;
  program.hangs = [this] { return hangs_; };
  program.main = [this](const ProcessSpec& spec) { return run_hook(spec); };
  world_.processes.add(hook_, std::move(program));
}

Host::Site& Host::add_site(std::size_t certificate, const std::string& name,
                           const std::string& server_name) {
  Site& site = sites_[name];
  site.certificate = certificate;
  site.address = address_;
  site.service = std::make_unique<FakeService>(name_);
  site.service->serves_anything = serves_anything_;
  site.hook = deploy_hook(*site.service, world_.files);
  world_.tls_probe.listen(address_, 443, server_name, *site.service);
  return site;
}

ProcessResult Host::run_hook(const ProcessSpec& spec) {
  const auto name = spec.environment.find("NOLAPSE_NAME");
  const auto found = name == spec.environment.end() ? sites_.end() : sites_.find(name->second);
  const std::string verb = spec.argv.size() > 1 ? spec.argv[1] : "";
  if (found == sites_.end()) return {ProcessResult::Ending::exited, 1, "", "no such site\n"};
  Site& site = found->second;
  if (later_ && verb == "reload")
    return {ProcessResult::Ending::exited, 75, "", name_ + ": busy\n"};
  const auto installed = site.service->installed();
  ProcessResult result = site.hook.main(spec);
  if (site.service->installed() != installed) {
    site.before = installed;
    site.by_somebody_else = false;
    changed_.push_back(&site);
  }
  if ((verb == "reload" || verb == "rollback") && result.code == 0) {
    site.rolled_back = verb == "rollback";
    reload_all();
    notice(site);
  }
  if (half_) result = {ProcessResult::Ending::exited, 1, "", name_ + ": lost the connection\n"};
  return result;
}

// What else was installed since the last one comes into use with it.
void Host::reload_all() {
  for (Site* site : std::exchange(changed_, {})) {
    site->service->reload();
    notice(*site);
  }
}

void Host::notice(Site& site) {
  if (site.service->reloads() == site.reloads_seen) return;
  site.reloads_seen = site.service->reloads();
  site.put_back = site.by_somebody_else;
  const auto before = site.served;
  const auto* chain = site.service->shown_chain();
  site.served = chain != nullptr ? std::optional(leaf_of(chain->front())) : std::nullopt;
  observer_(*this, site, before);
}

void Host::for_each(const std::function<void(FakeService&)>& change) {
  for (auto& [name, site] : sites_) change(*site.service);
}

void Host::set_fails(bool fails) {
  for_each([fails](FakeService& service) { service.broken_configuration = fails; });
}

void Host::set_ignores_reload(bool ignores) {
  for_each([ignores](FakeService& service) { service.ignores_reload = ignores; });
}

void Host::set_unreachable(bool unreachable) {
  for_each([unreachable](FakeService& service) { service.unreachable = unreachable; });
}

void Host::restore_backup() {
  for (auto& [name, site] : sites_) {
    if (!site.before) continue;
    site.service->install(*site.before);
    site.before.reset();
    site.by_somebody_else = true;
    site.service->reload();
    notice(site);
  }
}

void Host::restart() {
  changed_.clear();
  for (auto& [name, site] : sites_) {
    site.service->restart();
    notice(site);
  }
}

}  // namespace nolapse
