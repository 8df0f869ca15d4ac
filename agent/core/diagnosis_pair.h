// The files of a certificate that a server of this host is to show, and where it listens.
#pragma once

#include <vector>

#include "agent/core/diagnosis.h"

namespace nolapse {

// With its key. What cannot be read for want of permission is no fault of the pair's.
PairOnDisk read_pair(const ShownCertificate& shown, const Files& files);
// Without looking at the key.
PairOnDisk read_chain(const ShownCertificate& shown, const Files& files);

// The files beside a certificate file that may hold the rest of its chain, for finding what a
// server leaves out: fullchain.pem, chain.pem.
std::vector<PairOnDisk> read_siblings(const PairOnDisk& pair, const Files& files);

// All certificates in a file, whatever else is in it.
std::vector<acme::Certificate> certificates_in(const std::string& pem);

// Where to ask for it: each listener on this host, for so many of its names.
std::vector<Endpoint> endpoints_of(const ShownCertificate& shown, std::size_t most_names);

}  // namespace nolapse
