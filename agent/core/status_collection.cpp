#include "agent/core/status_collection.h"

#include <algorithm>
#include <memory>

#include "agent/core/deployment.h"
#include "agent/core/own_request.h"
#include "agent/core/renewal_doubts.h"
#include "agent/core/standby.h"

namespace nolapse {
namespace {

struct Collection {
  std::vector<std::unique_ptr<CertificateSpec>> orphans;
  std::vector<CertificateStatus> statuses;
  std::size_t open = 1;
  std::function<void(std::vector<CertificateStatus>)> done;

  void close_one() {
    if (--open == 0) done(std::move(statuses));
  }
};

StatusInput read_records(World world, const Config& config, const CertificateSpec& spec) {
  const Store store(config.state_directory, world.files);
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
  input.own_public_key = own_public_key(world.files, spec);
  return input;
}

std::shared_ptr<const CertificateStatus> standby_status(World world, const Config& config,
                                                        const CertificateSpec& certificate,
                                                        const std::optional<Generation>& in_use) {
  CertificateSpec spec = standby_of(certificate);
  if (in_use) spec.cas = other_cas(spec, config, *in_use);
  if (spec.cas.empty()) return nullptr;
  return std::make_shared<const CertificateStatus>(make_status(read_records(world, config, spec)));
}

std::optional<Generation> generation_to_verify(World world, const Config& config,
                                               const CertificateSpec& spec,
                                               const StatusInput& input) {
  if (!input.newest) return {};
  const unsigned number =
      generation_to_serve(spec, config, input.deployments, input.newest->number, input.now);
  if (number == input.newest->number) return input.newest;
  const Store store(config.state_directory, world.files);
  const auto older = store.load_generation(spec.name, number);
  return older ? *older : input.newest;
}

void collect_one(World world, const Config& config, const CertificateSpec& spec,
                 const std::shared_ptr<Collection>& collection) {
  const std::size_t index = collection->statuses.size();
  collection->statuses.emplace_back();
  ++collection->open;
  collect_status_of(world, config, spec, [collection, index](CertificateStatus status) {
    collection->statuses[index] = std::move(status);
    collection->close_one();
  });
}

}  // namespace

void collect_status_of(World world, const Config& config, const CertificateSpec& spec,
                       std::function<void(CertificateStatus)> done) {
  auto input = std::make_shared<StatusInput>(read_records(world, config, spec));
  if (spec.standby) input->standby = standby_status(world, config, spec, input->newest);
  const auto to_serve = generation_to_verify(world, config, spec, *input);
  VerificationRequest request = verification_of(spec);
  if (to_serve) request.expected = expected_leaf(to_serve->leaf());
  request.roots_file = issuer_roots(config, to_serve ? &*to_serve : nullptr);
  verify_endpoints(world, std::move(request),
                   [input, done = std::move(done)](std::vector<EndpointState> endpoints) {
                     input->endpoints = std::move(endpoints);
                     done(make_status(std::move(*input)));
                   });
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

void collect_status(World world, const Config& config, const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done) {
  auto collection = std::make_shared<Collection>();
  collection->done = std::move(done);
  const auto wanted = [&](const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const CertificateSpec& spec : config.certificates) {
    if (wanted(spec.name)) collect_one(world, config, spec, collection);
  }
  const Store store(config.state_directory, world.files);
  for (const std::string& name : store.names()) {
    if (config.find_certificate(name) != nullptr || !wanted(name)) continue;
    if (auto orphan = orphan_spec(store, name)) {
      collection->orphans.push_back(std::move(orphan));
      collect_one(world, config, *collection->orphans.back(), collection);
    }
  }
  world.clock.start_timer(Duration{0}, [collection] { collection->close_one(); });
}

void collect_weighed_status(World world, const Config& config,
                            const std::vector<std::string>& names,
                            std::function<void(std::vector<CertificateStatus>)> done) {
  collect_status(world, config, names,
                 [world, &config, done = std::move(done)](std::vector<CertificateStatus> statuses) {
                   const Store store(config.state_directory, world.files);
                   const HostEvidence evidence = read_host_evidence(world, config);
                   for (CertificateStatus& status : statuses) {
                     const CertificateSpec* const spec = config.find_certificate(status.name);
                     if (spec == nullptr) continue;
                     weigh(status, *spec, config, evidence, store.load_rehearsals(status.name));
                   }
                   done(std::move(statuses));
                 });
}

}  // namespace nolapse
