#include "agent/core/status_collection.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>

#include "agent/core/deployment.h"
#include "agent/core/own_request.h"
#include "agent/core/renewal_doubts.h"
#include "agent/core/standby.h"
#include "agent/core/withheld.h"

namespace nolapse {
namespace {

void look_at_what_is_in_use(const Store& store, StatusInput& input) {
  const Generation& newest = *input.newest;
  const std::string& name = input.spec.name;
  end_withdrawals(input.deployments, store, name, newest, input.schedule.revocation, input.now);
  const auto instead =
      first_to_end(input.spec, input.deployments, newest,
                   generations_had(store, name, input.deployments, newest.number), true);
  if (instead) input.in_use_instead = instead->has;
  input.lost = lost_generation(store.live_generation(name), newest.number);
}

StatusInput read_records(World world, const Config& config, const Store& store,
                         const CertificateSpec& spec) {
  StatusInput input{spec, config, {}, {}, {}, {}, false, true, world.clock.now()};
  input.orphan = config.find_certificate(certificate_of(spec.name)) == nullptr;
  auto schedule = store.load_schedule(spec.name);
  auto deployments = store.load_deployments(spec.name);
  const auto issuance = store.load_issuance(spec.name);
  input.under_way = issuance && *issuance;
  auto newest = store.newest_generation(spec.name);
  if (newest) input.newest = std::move(*newest);
  input.records_readable = schedule && deployments && newest;
  if (schedule) input.schedule = std::move(*schedule);
  if (deployments) input.deployments = std::move(*deployments);
  if (input.newest) look_at_what_is_in_use(store, input);
  input.own_public_key = own_public_key(world.files, spec);
  return input;
}

// Whose they are may read them; what is damaged is no matter of who asks.
std::string why_unreadable(const Store& store, const std::string& name) {
  const auto why = [](const Error& error) {
    return error.code == "PERMISSION_DENIED"
               ? "; run this as root or as the user who runs nolapse"
               : ": " + error.message + "; `nolapse check` says what to do";
  };
  if (const auto newest = store.newest_generation(name); !newest) return why(newest.error());
  if (const auto schedule = store.load_schedule(name); !schedule) return why(schedule.error());
  const auto deployments = store.load_deployments(name);
  return deployments ? std::string() : why(deployments.error());
}

CertificateStatus status_of(StatusInput input, const Store& store) {
  const bool readable = input.records_readable || input.orphan;
  CertificateStatus status = make_status(std::move(input));
  if (!readable) status.renew_reason += why_unreadable(store, status.name);
  return status;
}

std::shared_ptr<const CertificateStatus> standby_status(World world, const Config& config,
                                                        const Store& store,
                                                        const CertificateSpec& certificate,
                                                        const std::optional<Generation>& in_use) {
  CertificateSpec spec = standby_of(certificate);
  if (in_use) spec.cas = other_cas(spec, config, *in_use);
  if (spec.cas.empty()) return nullptr;
  return std::make_shared<const CertificateStatus>(
      status_of(read_records(world, config, store, spec), store));
}

VerificationRequest request_of(const Config& config, const Store& store,
                               const CertificateSpec& spec, const StatusInput& input) {
  std::vector<Generation> to_serve;
  if (input.newest) {
    to_serve = load_to_serve(store, config, spec, input.deployments, *input.newest, input.now);
  }
  VerificationRequest request = verification_of(config, spec, to_serve);
  request.known_places = input.schedule.served_at;
  return request;
}

void verify(World world, const Config& config, const Store& store, const CertificateSpec& spec,
            Looks looks, std::function<void(CertificateStatus)> done) {
  auto input = std::make_shared<StatusInput>(read_records(world, config, store, spec));
  if (spec.standby) input->standby = standby_status(world, config, store, spec, input->newest);
  const auto verify = looks == Looks::two ? verify_endpoints_twice : verify_endpoints;
  verify(world, request_of(config, store, spec, *input),
         [input, &store, done = std::move(done)](std::vector<EndpointState> endpoints) {
           input->endpoints = std::move(endpoints);
           done(status_of(std::move(*input), store));
         });
}

// Some in each turn; what they wait for they wait for together.
class Collection : public std::enable_shared_from_this<Collection> {
 public:
  Collection(World world, const Config& config, const Store& store, Looks looks,
             std::function<void(std::vector<CertificateStatus>)> done)
      : world_(world), config_(config), store_(store), looks_(looks), done_(std::move(done)) {}

  void add(const CertificateSpec& spec) { left_.push_back({&spec, {}}); }
  void add_orphan(std::string name) { left_.push_back({nullptr, std::move(name)}); }

  void begin() {
    world_.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->take_some(); });
  }

 private:
  struct Entry {
    const CertificateSpec* spec;
    std::string orphan;  // its name, where there is no configuration
  };

  void take_some() {
    for (std::size_t i = 0; i < certificates_a_turn && !left_.empty(); ++i) {
      const Entry entry = std::move(left_.front());
      left_.pop_front();
      if (entry.spec != nullptr) {
        take(*entry.spec);
      } else if (auto orphan = orphan_spec(store_, entry.orphan)) {
        orphans_.push_back(std::move(orphan));
        take(*orphans_.back());
      }
    }
    if (!left_.empty()) return begin();
    close_one();
  }

  void take(const CertificateSpec& spec) {
    const std::size_t index = statuses_.size();
    statuses_.emplace_back();
    ++open_;
    verify(world_, config_, store_, spec, looks_,
           [self = shared_from_this(), index](CertificateStatus status) {
             self->statuses_[index] = std::move(status);
             self->close_one();
           });
  }

  void close_one() {
    if (--open_ == 0) done_(std::move(statuses_));
  }

  World world_;
  const Config& config_;
  const Store& store_;
  const Looks looks_;
  std::function<void(std::vector<CertificateStatus>)> done_;
  std::deque<Entry> left_;
  std::vector<std::unique_ptr<CertificateSpec>> orphans_;
  std::vector<CertificateStatus> statuses_;
  std::size_t open_ = 1;  // the one that all have been taken
};

}  // namespace

void collect_status_of(World world, const Config& config, const Store& store,
                       const CertificateSpec& spec, std::function<void(CertificateStatus)> done) {
  verify(world, config, store, spec, Looks::one, std::move(done));
}

std::unique_ptr<CertificateSpec> orphan_spec(const Store& store, const std::string& name) {
  const auto newest = store.newest_generation(name);
  if (!newest || !*newest) return nullptr;
  auto spec = std::make_unique<CertificateSpec>();
  spec->name = name;
  spec->domains = (*newest)->leaf().subject_alternative_names;
  spec->cas = {(*newest)->ca};
  return spec;
}

void collect_status(World world, const Config& config, const Store& store,
                    const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done, Looks looks) {
  const auto collection =
      std::make_shared<Collection>(world, config, store, looks, std::move(done));
  const auto wanted = [&](const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::set<std::string_view> configured;
  for (const CertificateSpec& spec : config.certificates) {
    configured.insert(spec.name);
    if (wanted(spec.name)) collection->add(spec);
  }
  for (std::string& name : store.names()) {
    if (!configured.contains(name) && wanted(name)) collection->add_orphan(std::move(name));
  }
  collection->begin();
}

void collect_status(World world, const Config& config, const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done, Looks looks) {
  const auto store = std::make_shared<const Store>(config.state_directory, world.files);
  collect_status(
      world, config, *store, names,
      [store, done = std::move(done)](std::vector<CertificateStatus> statuses) {
        done(std::move(statuses));
      },
      looks);
}

void collect_weighed_status(World world, const Config& config,
                            const std::vector<std::string>& names,
                            std::function<void(std::vector<CertificateStatus>)> done,
                            std::vector<Finding> configuration_doubts) {
  collect_status(world, config, names,
                 [world, &config, done = std::move(done), doubts = std::move(configuration_doubts)](
                     std::vector<CertificateStatus> statuses) {
                   const Store store(config.state_directory, world.files);
                   HostEvidence evidence = read_host_evidence(world, config);
                   evidence.configuration = doubts;
                   for (CertificateStatus& status : statuses) {
                     const CertificateSpec* const spec = config.find_certificate(status.name);
                     if (spec == nullptr) continue;
                     weigh(status, *spec, config, evidence, store.load_rehearsals(status.name));
                   }
                   done(std::move(statuses));
                 });
}

}  // namespace nolapse
