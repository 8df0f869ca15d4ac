#include "tests/simulation/fleet.h"

#include <algorithm>
#include <charconv>

#include "acme/json_read.h"
#include "agent/solvers/solvers.h"

namespace nolapse {

namespace {

using namespace std::chrono_literals;

constexpr Duration day = 24h;
constexpr Duration restart_after_failure = 60s;
constexpr const char* roots = "/etc/nolapse/roots.pem";

struct Profile {
  const char* name;
  Duration lifetime;
  unsigned share;  // of a hundred certificates
};

// What public CAs sell today and will sell: 90 days as the default, and what is around it.
constexpr Profile profiles[] = {{"six-days", 160h, 10},
                                {"forty-five-days", 45 * day, 20},
                                {"sixty-four-days", 64 * day, 20},
                                {"", 90 * day, 35},
                                {"year", 398 * day, 15}};

std::string padded(std::size_t number) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

}  // namespace

std::optional<Time> Kept::served_until() const {
  Time until = Time::max();
  for (const Host::Site* site : sites) {
    if (!site->served) return {};
    until = std::min(until, site->served->not_after);
  }
  return until;
}

bool Kept::served_as_issued() const {
  return issued && std::all_of(sites.begin(), sites.end(), [this](const Host::Site* site) {
           return site->served && site->served->fingerprint == issued->fingerprint;
         });
}

// ---- the scene

Fleet::Fleet(const Scenario& scenario)
    : world(scenario.seed),
      random_(scenario.seed ^ 0x666c656574U),
      standbys_(scenario.seed ^ 0x7374616e646279U),
      sharing_(scenario.seed ^ 0x7368617265U) {
  beginning_ = now();
  advice_may_be_bad_ = scenario.faults.contains(FaultClass::ari);
  health.fall_ill("process", beginning_);  // until it has started
  world.http.record_exchanges = false;
  world.processes.record_started = false;
  world.files.put_directory("/var/lib");
  config.state_directory = state;
  // A probe of each endpoint an hour, and a heartbeat, would be most of what there is to simulate.
  config.daemon.check_interval = day;
  config.daemon.self_tests = false;
  config.daemon.heartbeat_interval = 6h;
  config.daemon.rehearse_interval = 0h;
  const std::size_t cas = 1 + random_.below(3);
  for (std::size_t i = 0; i < cas; ++i) add_ca(i);
  std::string anchors;
  for (const auto& ca : world.cas)
    for (const std::string& anchor : ca->trust_anchors()) anchors += pem_of(anchor);
  world.files.put(roots, anchors);
  add_challenge();
  const std::size_t hosts = 1 + scenario.certificates / 6;
  for (std::size_t i = 0; i < hosts; ++i) add_host(i);
  config.certificates.reserve(scenario.certificates);
  certificates_.resize(scenario.certificates);
  for (std::size_t i = 0; i < scenario.certificates; ++i) add_certificate(i);
}

Fleet::~Fleet() {
  end_process();
  world.clock.drop_all();
}

void Fleet::add_ca(std::size_t number) {
  FakeCaSettings settings;
  const std::string name = "ca" + std::to_string(number + 1);
  settings.base_url = "https://" + name + ".test";
  settings.name = name;
  for (const Profile& profile : profiles)
    if (*profile.name != '\0') settings.profiles[profile.name] = {profile.name, profile.lifetime};
  settings.reuse_orders = random_.chance(50);
  settings.renewal_info = random_.chance(75);
  settings.renewal_info_retry_after = day;
  settings.validation_delay = Duration(1000 + static_cast<int>(random_.below(5000)));
  settings.processing_delay = Duration(static_cast<int>(random_.below(6000)));
  // At least as much as a client that counts by Let's Encrypt's buckets may spend in that time.
  settings.certificates_per_set = {10, 7 * day};
  settings.failures_per_identifier = {10, 1h};
  settings.orders_per_account = {orders_in_three_hours, 3h};
  settings.renewals_are_exempt = true;
  const FakeCa& ca = world.add_ca(std::move(settings));
  CaConfig known;
  known.name = name;
  known.directory = ca.directory_url();
  known.terms_of_service_agreed = true;
  known.issuer_roots_file = roots;
  config.cas.push_back(std::move(known));
}

void Fleet::add_challenge() {
  ChallengeConfig web;
  web.name = "web";
  web.type = "http-01";
  uses_webroot_ = random_.chance(30);
  if (uses_webroot_) {
    world.add_webroot(80, webroot);
    web.webroot = webroot;
  } else {
    web.listen = "[::]:80";
  }
  config.challenges["web"] = web;
}

void Fleet::add_host(std::size_t number) {
  const std::string name = "host" + std::to_string(number);
  const std::string address = "10." + std::to_string(number / 62500) + "." +
                              std::to_string(number / 250 % 250) + "." +
                              std::to_string(1 + number % 250);
  const bool serves_anything = random_.chance(25);
  hosts_.push_back(std::make_unique<Host>(
      world, name, address, serves_anything,
      [this](const Host& host, const Host::Site& site, const std::optional<Leaf>& before) {
        trace.add(now(), host.name() + " serves for " + certificates_[site.certificate].spec->name +
                             " " + (site.served ? site.served->fingerprint : "nothing"));
        if (watcher_ != nullptr) watcher_->on_served(host, site, before);
      }));
  DeployTarget target;
  target.name = name;
  target.section = name;
  target.hook = hosts_.back()->hook();
  config.targets[name] = target;
}

void Fleet::add_certificate(std::size_t index) {
  CertificateSpec spec;
  spec.name = "c" + padded(index);
  spec.challenges = {"web"};
  for (const CaConfig& ca : config.cas) spec.cas.push_back(ca.name);
  const auto first = static_cast<std::ptrdiff_t>(random_.below(spec.cas.size()));
  std::rotate(spec.cas.begin(), spec.cas.begin() + first, spec.cas.end());
  std::uint64_t share = random_.below(100);
  for (const Profile& profile : profiles) {
    if (share < profile.share) {
      spec.profile = profile.name;
      break;
    }
    share -= profile.share;
  }
  const std::size_t names = 1 + random_.below(3);
  const std::size_t home = random_.below(hosts_.size());
  const bool twice = hosts_.size() > 1 && random_.chance(20);
  for (std::size_t i = 0; i < names; ++i) {
    const std::string host_name =
        (i == 0 ? "" : "n" + std::to_string(i) + ".") + spec.name + ".test";
    spec.domains.push_back({"dns", host_name});
    world.add_local_name(host_name, hosts_[home]->address());
  }
  Kept& kept = certificates_[index];
  kept.index = index;
  kept.parts = {"process", "disk", "clock", "dns", "dns " + spec.name};
  kept.own_names = names;
  share_a_name(spec, kept);
  spec.endpoints.emplace();
  const std::string& first_name = spec.domains.front().value;
  for (const std::size_t at : {home, (home + 1) % hosts_.size()}) {
    if (at != home && !twice) continue;
    if (at == home && !spec.deploy.empty()) continue;
    Host& host = *hosts_[at];
    const std::string where = at == home ? first_name : host.address();
    spec.endpoints->push_back({where + ":443#" + first_name, where, 443, first_name});
    spec.deploy.push_back(host.name());
    kept.sites.push_back(&host.add_site(index, spec.name, first_name));
    kept.parts.push_back(host.name());
  }
  spec.standby = standbys_.chance(10) && spec.cas.size() > 1;
  config.certificates.push_back(std::move(spec));
  kept.spec = &config.certificates.back();
}

// Several certificates have the first name of their block, and with it what a CA counts by name.
void Fleet::share_a_name(CertificateSpec& spec, Kept& kept) {
  constexpr std::size_t block = 12;
  const std::size_t first = kept.index / block * block;
  if (first == kept.index || !sharing_.chance(40)) return;
  const CertificateSpec& owner = config.certificates[first];
  spec.domains.push_back(owner.domains.front());
  kept.parts.push_back("dns " + owner.name);
}

// ---- the process

void Fleet::start_process() {
  const std::uint64_t run = ++run_;
  trace.add(now(), "the daemon starts");
  events_ = std::make_unique<EventStream>(world.clock);
  events_->add_reader([this](const Event& event) { receive(event); });
  daemon_ = std::make_unique<Daemon>(world.world(), config, *events_, make_solver);
  daemon_->start([this, run](Result<void> started) {
    if (started) {
      up_since_ = now();
      health.recover("process", now());
      return;
    }
    trace.add(now(), "the daemon cannot start: " + started.error().code);
    world.clock.outside_after(0s, [this, run] {
      if (run != run_ || !daemon_) return;
      end_process();
      world.kill();
      start_later(restart_after_failure);
    });
  });
}

void Fleet::end_process() {
  daemon_.reset();
  events_.reset();
}

void Fleet::start_later(Duration after) {
  world.clock.outside_after(after, [this, run = run_] {
    if (run == run_ && !daemon_) start_process();
  });
}

void Fleet::die(Death death, Duration down) {
  trace.add(now(), death == Death::kill ? "kill -9" : "power failure");
  ++deaths_;
  if (up_since_) health.fall_ill("process", now());
  up_since_.reset();
  end_process();
  if (death == Death::kill) {
    world.kill();
  } else {
    world.crash();
    for (const auto& host : hosts_) host->restart();
  }
  // Something may be there that was not told of any more, or be gone.
  for (Kept& kept : certificates_) look_for_generation(kept);
  if (watcher_ != nullptr) watcher_->on_death();
  start_later(down);
}

void Fleet::restart_in_order(Duration down) {
  if (!daemon_ || !up_since_) return;
  trace.add(now(), "the daemon is asked to stop");
  daemon_->stop(10s, [this, down, run = run_] {
    world.clock.outside_after(0s, [this, down, run] {
      if (run == run_ && daemon_) die(Death::kill, down);
    });
  });
}

// ---- what is seen

void Fleet::receive(const Event& event) {
  trace.add(now(), event.certificate + " " + event.code + " " + event.message);
  Kept* about = nullptr;
  std::size_t index = certificates_.size();
  if (event.certificate.size() > 1) {
    const std::string_view digits = std::string_view(event.certificate).substr(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
  }
  if (index < certificates_.size()) about = &certificates_[index];
  const bool is_new = event.code == "CERTIFICATE_ISSUED" || event.code == "STANDBY_PROMOTED";
  if (about != nullptr && is_new) look_for_generation(*about);
  if (watcher_ != nullptr) watcher_->on_event(event, about);
}

// The newest whose chain can be read, as somebody would find it who looks into the directory.
void Fleet::look_for_generation(Kept& kept) {
  const std::string folder = std::string(state) + "/certificates/" + kept.spec->name;
  unsigned newest = 0;
  for (const std::string& entry : world.files.list(folder).value_or(std::vector<std::string>{})) {
    unsigned number = 0;
    const auto parsed = std::from_chars(entry.data(), entry.data() + entry.size(), number);
    if (parsed.ptr == entry.data() + entry.size()) newest = std::max(newest, number);
  }
  if (newest == kept.generation) return;
  const auto chain = acme::parse_pem_chain(
      world.files.text(folder + "/" + std::to_string(newest) + "/fullchain.pem"));
  if (!chain) return;
  kept.generation = newest;
  kept.issued = leaf_of(chain->front());
  kept.since = now();
  kept.revoked.reset();
  if (watcher_ != nullptr) watcher_->on_issued(kept);
}

}  // namespace nolapse
