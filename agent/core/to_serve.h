// What endpoints are to serve of a certificate's generations, what they serve although it is meant
// to be another, and what they serve that is newer than all there are here.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/store.h"
#include "agent/core/verification.h"

namespace nolapse {

// Anchors for chains of this generation: those of the CA that issued it.
std::string issuer_roots(const Config& config, const Generation* generation);

// What is looked for at the endpoints: the first of these, or any other of them, see
// generations_to_serve(). Empty: nothing is there that could be served.
VerificationRequest verification_of(const Config& config, const CertificateSpec& spec,
                                    const std::vector<Generation>& to_serve);
// Those of generations_to_serve() that are there; the newest, where none of them is.
std::vector<Generation> load_to_serve(const Store& store, const Config& config,
                                      const CertificateSpec& spec, const DeploymentRecords& records,
                                      const Generation& newest, Time now);

// What endpoints serve that belong to targets to which a deployment did not come, see
// generations_left(): their fingerprints.
std::set<std::string> fingerprints_left(const Store& store, const Config& config,
                                        const CertificateSpec& spec,
                                        const DeploymentRecords& records, unsigned newest,
                                        Time now);
// Such a certificate, and nothing is wrong with it.
bool is_left(const EndpointState& state, const std::set<std::string>& left);

// What is served instead of the generation, where that is better left alone: newer and good, and
// none that came before it here. Then ours are from a state directory that lost one, or was
// restored. Nothing: there is no such endpoint.
std::optional<EndpointState> served_and_newer(const Store& store, const std::string& name,
                                              const Generation& generation,
                                              const std::vector<EndpointState>& endpoints,
                                              const std::optional<SavedRevocation>& revocation);
std::string describe_newer(const EndpointState& state, const Generation& generation);

}  // namespace nolapse
