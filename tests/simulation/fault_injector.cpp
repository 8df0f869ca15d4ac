#include "tests/simulation/fault_injector.h"

#include <algorithm>

namespace nolapse {

using namespace std::chrono_literals;
using acme::HttpResponse;

FaultInjector::FaultInjector(Fleet& fleet, const Scenario& scenario)
    : fleet_(fleet),
      faults_(plan_faults(
          scenario, {fleet.world.cas.size(), fleet.hosts().size(), fleet.certificates().size()})),
      quiet_(quiet_times(24h * scenario.days)),
      moods_(fleet.world.cas.size()),
      random_(scenario.seed ^ 0x696e6a656374U) {
  for (std::size_t i = 0; i < fleet.world.cas.size(); ++i) {
    FakeCaSettings& settings = fleet.world.cas[i]->settings;
    settings.instead = [this, i](CaEndpoint endpoint, const acme::HttpRequest&) {
      return instead(i, endpoint);
    };
    settings.alter = [this, i](CaEndpoint endpoint, HttpResponse& response) {
      alter(i, endpoint, response);
    };
    usual_.push_back(settings);
  }
}

void FaultInjector::begin() {
  for (const Fault& fault : faults_) {
    fleet_.world.clock.outside_at(fleet_.beginning() + fault.from,
                                  [this, &fault] { set(fault, true); });
    if (fault.until > fault.from) {
      fleet_.world.clock.outside_at(fleet_.beginning() + fault.until,
                                    [this, &fault] { set(fault, false); });
    }
  }
}

void FaultInjector::sicken(const std::string& part, bool on) {
  if (on) {
    fleet_.health.fall_ill(part, fleet_.now());
  } else {
    fleet_.health.recover(part, fleet_.now());
  }
}

bool FaultInjector::quiet_now() const {
  const Duration at = fleet_.now() - fleet_.beginning();
  return std::any_of(quiet_.begin(), quiet_.end(),
                     [at](Duration begin) { return at + 1h >= begin && at < begin + quiet_time; });
}

void FaultInjector::set(const Fault& fault, bool on) {
  fleet_.trace.add(fleet_.now(), std::string(on ? "begins: " : "ends: ") + name_of(fault.fault) +
                                     " " + fault.kind + " " + std::to_string(fault.target));
  switch (fault.fault) {
    case FaultClass::ca_outage:
      return set_outage(fault, on);
    case FaultClass::ca_errors:
    case FaultClass::rate:
      return set_errors(fault, on);
    case FaultClass::ari:
      return set_advice(fault, on);
    case FaultClass::dns:
      return set_names(fault, on);
    case FaultClass::disk:
      return set_disk(fault, on);
    case FaultClass::crash:
      return crash(fault);
    case FaultClass::hook:
    case FaultClass::service:
      return set_host(fault, on);
    case FaultClass::clock:
      return set_clock(fault, on);
    case FaultClass::revoke:
      return revoke(fault);
  }
}

// ---- CAs

void FaultInjector::set_outage(const Fault& fault, bool on) {
  sicken(ca_part(fault), on);
  if (fault.kind == "no-answer") {
    fleet_.world.http.route(ca(fault).settings.base_url).fault =
        on ? FakeHttp::Fault::no_answer : FakeHttp::Fault::none;
    return;
  }
  auto& outages = ca(fault).settings.outages;
  const Time now = fleet_.now();
  std::erase_if(outages, [now](const CaOutage& outage) { return outage.until <= now; });
  if (!on) return;
  CaOutage outage{now, now + (fault.until - fault.from)};
  if (fault.kind == "refused" || (fault.kind == "dead" && fault.amount % 2 == 0))
    outage.kind = CaOutage::Kind::refused;
  if (fault.kind == "unavailable" && fault.amount % 3 == 0)
    outage.retry_after = Duration(60'000 * static_cast<int>(1 + fault.amount % 60));
  outages.push_back(outage);
}

void FaultInjector::set_errors(const Fault& fault, bool on) {
  FakeCaSettings& settings = ca(fault).settings;
  const FakeCaSettings& usual = usual_[fault.target];
  Mood& mood = moods_[fault.target];
  if (fault.kind == "nonces") settings.nonce_reject_percent = on ? 40 : 0;
  if (fault.kind == "slow") settings.processing_delay = on ? 10min : usual.processing_delay;
  if (fault.kind == "nonces" || fault.kind == "slow") return;
  sicken(ca_part(fault), on);
  if (fault.kind == "5xx") mood.errors = on;
  if (fault.kind == "429") mood.too_many = on;
  if (fault.kind == "garbage") mood.garbage = on;
  if (fault.kind == "lost") settings.lost_reply_percent = on ? 20 : 0;
  if (fault.kind == "tight") {
    const std::size_t few = 2 + fleet_.certificates().size() / 20;
    settings.orders_per_account = on ? CaLimit{few, 3h} : usual.orders_per_account;
    settings.renewals_are_exempt = !on;
  }
}

std::optional<HttpResponse> FaultInjector::instead(std::size_t ca, CaEndpoint endpoint) {
  const Mood& mood = moods_[ca];
  if (mood.errors && random_.chance(40)) {
    const int status = 500 + static_cast<int>(random_.below(5));
    return HttpResponse{status, {{"Content-Type", "text/html"}}, "<html>an error</html>\n"};
  }
  if (mood.too_many && endpoint == CaEndpoint::new_order && random_.chance(70)) {
    return HttpResponse{
        429,
        {{"Content-Type", "application/problem+json"},
         {"Retry-After", std::to_string(60 + random_.below(7200))}},
        R"({"type":"urn:ietf:params:acme:error:rateLimited","detail":"busy","status":429})"};
  }
  return {};
}

void FaultInjector::alter(std::size_t ca, CaEndpoint endpoint, HttpResponse& response) {
  const Mood& mood = moods_[ca];
  if (mood.bad_advice && endpoint == CaEndpoint::renewal_info)
    response.body = R"({"suggestedWindow":{"start":"soon","end":[]}})";
  if (!mood.garbage || !random_.chance(20)) return;
  const std::uint64_t fate = random_.below(3);
  if (fate == 0) response.body = "<html>maintenance</html>";
  if (fate == 1) response.body.resize(response.body.size() / 2);
  if (fate == 2) response.headers.clear();
}

void FaultInjector::set_advice(const Fault& fault, bool on) {
  FakeCaSettings& settings = ca(fault).settings;
  const Time now = fleet_.now();
  if (fault.kind == "garbage") {
    moods_[fault.target].bad_advice = on;
  } else if (fault.kind == "gone") {
    settings.renewal_info = on ? false : usual_[fault.target].renewal_info;
  } else if (fault.kind == "replaces") {
    const char* const types[] = {"alreadyReplaced", "malformed", "serverInternal", "unauthorized"};
    settings.replaces_refusal = on ? types[fault.amount % 4] : "";
  } else if (!on) {
    settings.renewal_window.reset();
  } else if (fault.kind == "early") {
    settings.renewal_window = CaWindow{now, now + 6h};
  } else if (fault.kind == "late") {
    settings.renewal_window = CaWindow{now + 24h * 3650, now + 24h * 3651};
  } else {
    settings.renewal_window = CaWindow{now + 24h, now - 24h};
  }
}

void FaultInjector::revoke(const Fault& fault) {
  Kept& kept = fleet_.certificate(fault.target);
  if (!kept.issued) return;
  const Time now = fleet_.now();
  for (const auto& authority : fleet_.world.cas) {
    for (const auto& [id, certificate] : authority->certificates()) {
      if (certificate.not_after <= now || certificate.revoked ||
          certificate.not_before != kept.issued->not_before)
        continue;
      // Its standby may have begun in the same second.
      const auto leaf = acme::parse_certificate(certificate.leaf);
      if (!leaf || leaf->fingerprint_sha256 != kept.issued->fingerprint) continue;
      authority->revoke(id, now, fault.amount % 2 == 0 ? 1 : 4);
      kept.revoked = now;
      return;
    }
  }
}

// ---- this machine and its neighbours

void FaultInjector::set_names(const Fault& fault, bool on) {
  FakeDns& dns = fleet_.world.dns;
  const auto fault_of = [&](FakeDns::Fault kind) { return on ? kind : FakeDns::Fault::none; };
  if (fault.kind == "resolver") {
    sicken("dns", on);
    for (const Kept& kept : fleet_.certificates())
      for (const auto& name : kept.spec->domains)
        dns.name(name.value).fault = fault_of(FakeDns::Fault::server_failure);
    return;
  }
  Kept& kept = fleet_.certificate(fault.target);
  const std::vector<acme::Identifier> own(
      kept.spec->domains.begin(),
      kept.spec->domains.begin() + static_cast<std::ptrdiff_t>(kept.own_names));
  if (fault.kind == "one-gone") {
    // No sickness: the other names are to be renewed in time without it.
    if (own.size() == 1) return;
    dns.name(own.back().value).addresses.clear();
    kept.one_name_gone = true;
    return;
  }
  sicken("dns " + kept.spec->name, on);
  if (fault.kind == "gone") kept.hopeless = on;
  for (const auto& name : own) {
    if (fault.kind == "servfail")
      dns.name(name.value).fault = fault_of(FakeDns::Fault::server_failure);
    if (fault.kind == "timeout") dns.name(name.value).fault = fault_of(FakeDns::Fault::no_answer);
    if (fault.kind == "split")
      dns.public_name(name.value).addresses = {on ? "203.0.113.9" : kept.sites.front()->address};
    if (fault.kind == "vanish" || fault.kind == "gone") {
      dns.name(name.value).addresses.clear();
      if (!on && !kept.hopeless)
        dns.name(name.value).addresses.push_back(kept.sites.front()->address);
    }
    // One of several is as bad as all of them, and harder to see.
    if (fault.kind != "gone" && fault.amount % 3 == 0) break;
  }
}

void FaultInjector::set_disk(const Fault& fault, bool on) {
  if (fault.kind == "once") return fleet_.world.files.fail_operation(1 + fault.amount % 300);
  sicken("disk", on);
  if (fault.kind == "full") fleet_.world.files.set_disk_full(on);
  if (fault.kind == "read-only") fleet_.world.files.set_read_only(Fleet::state, on);
}

void FaultInjector::crash(const Fault& fault) {
  const bool quiet = quiet_now();
  if (fault.kind == "restart") return fleet_.restart_in_order(5s);
  Duration down = 1s + Duration(static_cast<int>(fault.amount % 600'000));
  if (fault.kind == "down" && !quiet) down = 1h * static_cast<int>(1 + fault.amount % 47);
  const auto death = fault.kind == "power" ? Fleet::Death::power_failure : Fleet::Death::kill;
  fleet_.world.files.crash_after(1 + fault.amount % 60, [this, death, down] {
    fleet_.die(death, quiet_now() ? std::min<Duration>(down, 10min) : down);
  });
}

void FaultInjector::set_host(const Fault& fault, bool on) {
  Host& host = *fleet_.hosts()[fault.target];
  if (fault.kind == "restored") return host.restore_backup();
  sicken(host.name(), on);
  if (fault.kind == "hangs") host.set_hangs(on);
  if (fault.kind == "fails") host.set_fails(on);
  if (fault.kind == "half") host.set_half(on);
  if (fault.kind == "later") host.set_later(on);
  if (fault.kind == "ignores-reload") host.set_ignores_reload(on);
  if (fault.kind == "unreachable") host.set_unreachable(on);
}

void FaultInjector::set_clock(const Fault& fault, bool on) {
  sicken("clock", on);
  const bool days = fault.amount % 3 == 0;
  const Duration unit = days ? Duration(24h) : Duration(1min);
  Duration step = unit * static_cast<int>(1 + fault.amount / 8 % (days ? 10 : 120));
  if (fault.amount % 2 == 1) step = -step;
  fleet_.world.clock.step_wall_clock(on ? step : -step);
}

}  // namespace nolapse
