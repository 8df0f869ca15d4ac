#include "agent/core/to_serve.h"

#include <algorithm>

#include "agent/core/deployment_rules.h"

namespace nolapse {

std::string issuer_roots(const Config& config, const Generation* generation) {
  if (generation == nullptr) return {};
  const CaConfig* ca = config.find_issuer(generation->ca, generation->ca_directory);
  return ca == nullptr ? std::string() : ca->issuer_roots_file;
}

VerificationRequest verification_of(const Config& config, const CertificateSpec& spec,
                                    const std::vector<Generation>& to_serve) {
  VerificationRequest request = verification_of(spec);
  for (const Generation& generation : to_serve) {
    ExpectedLeaf leaf = expected_leaf(generation.leaf());
    leaf.obtained_at = generation.issued_at;
    leaf.roots_file = issuer_roots(config, &generation);
    request.also.push_back(std::move(leaf));
  }
  if (to_serve.empty()) return request;
  request.expected = std::move(request.also.front());
  request.also.erase(request.also.begin());
  return request;
}

std::vector<Generation> load_to_serve(const Store& store, const Config& config,
                                      const CertificateSpec& spec, const DeploymentRecords& records,
                                      const Generation& newest, Time now) {
  std::vector<Generation> all;
  for (const unsigned number : generations_to_serve(spec, config, records, newest.number, now)) {
    if (number == newest.number) {
      all.push_back(newest);
    } else if (auto older = store.load_generation(spec.name, number)) {
      all.push_back(std::move(*older));
    }
  }
  if (all.empty()) all.push_back(newest);
  return all;
}

std::set<std::string> fingerprints_left(const Store& store, const Config& config,
                                        const CertificateSpec& spec,
                                        const DeploymentRecords& records, unsigned newest,
                                        Time now) {
  std::set<std::string> fingerprints;
  for (const unsigned number : generations_left(spec, config, records, newest, now)) {
    const auto generation = store.load_generation(spec.name, number);
    if (generation) fingerprints.insert(generation->leaf().fingerprint_sha256);
  }
  return fingerprints;
}

bool is_left(const EndpointState& state, const std::set<std::string>& left) {
  return state.service == Service::good && left.contains(state.fingerprint_sha256);
}

std::optional<EndpointState> served_and_newer(const Store& store, const std::string& name,
                                              const Generation& generation,
                                              const std::vector<EndpointState>& endpoints,
                                              const std::optional<SavedRevocation>& revocation) {
  std::vector<std::string> known_before;
  if (std::any_of(endpoints.begin(), endpoints.end(),
                  [](const auto& each) { return each.newer; })) {
    for (const unsigned number : store.generation_numbers(name).value_or(std::vector<unsigned>{})) {
      const auto older = store.load_generation(name, number);
      if (number < generation.number && older) {
        known_before.push_back(older->leaf().fingerprint_sha256);
      }
    }
  }
  const EndpointState* const state = newer_one(endpoints, known_before, revocation);
  return state == nullptr ? std::optional<EndpointState>() : *state;
}

std::string describe_newer(const EndpointState& state, const Generation& generation) {
  return state.endpoint + " " + state.detail + ", newer than generation " +
         std::to_string(generation.number) + ", the newest here";
}

}  // namespace nolapse
