// Trust anchors in memory, and the question whether a served chain leads to one of them.
//
// Reading the system's anchors takes tens of milliseconds, so stores are built on a worker and
// shared by the HTTP transport and the probe until the files behind them change.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/world/worker_pool.h"

typedef struct x509_store_st X509_STORE;
typedef struct x509_st X509;

namespace nolapse {

// One version of a set of anchors.
struct TrustStore {
  std::shared_ptr<X509_STORE> anchors;
  std::string identity;  // differs whenever the anchors may differ
};

// Errors as of TrustStores. It blocks: for a worker, which asks seldom.
Result<TrustStore> load_trust_store(const std::string& roots_file);

class TrustStores {
 public:
  explicit TrustStores(WorkerPool& workers);

  // `roots_file` is PEM; empty means the system's anchors. `done` is called later, from the loop.
  // Who asks while they are being read waits for that.
  // Error: local FILE_MISSING, PERMISSION_DENIED or FILE_ERROR.
  void get(const std::string& roots_file, Completion<TrustStore> done);

 private:
  WorkerPool& workers_;
  std::map<std::string, TrustStore> known_;                            // by roots_file
  std::map<std::string, std::vector<Completion<TrustStore>>> askers_;  // of a load under way
};

// Why the chain (leaf first) is not good for a connection to `name`, a host name or an address,
// now; empty when it is. All reasons are collected, each with the certificate it concerns.
std::string chain_error(const TrustStore& store, const std::vector<X509*>& chain,
                        const std::string& name);

// Why none of the anchors stands behind the chain (DER, leaf first), whomever it names and whenever
// it was valid; empty when one does.
std::string issuer_error(const TrustStore& store, const std::vector<std::string>& chain_der);

}  // namespace nolapse
