// The order of the members is the order of dependence, so that destroying them in reverse leaves
// nobody with a reference to what is gone; the workers are joined before the loop they post to.
#include "agent/world/real_world.h"

#include <sys/random.h>

#include "agent/world/child_process.h"
#include "agent/world/curl_mail.h"
#include "agent/world/curl_transport.h"
#include "agent/world/dns_client.h"
#include "agent/world/event_loop.h"
#include "agent/world/hook_processes.h"
#include "agent/world/http_responder.h"
#include "agent/world/posix_files.h"
#include "agent/world/tls_alpn_responder.h"
#include "agent/world/tls_probe.h"
#include "agent/world/trust_store.h"
#include "agent/world/worker_pool.h"

namespace nolapse {
namespace {

class WorkerKeyMaker final : public KeyMaker {
 public:
  explicit WorkerKeyMaker(WorkerPool& workers) : workers_(workers) {}
  void generate(acme::KeyType type, Completion<acme::PrivateKey> done) override {
    workers_.run([type] { return acme::PrivateKey::generate(type); }, std::move(done));
  }

 private:
  WorkerPool& workers_;
};

class KernelRandom final : public Random {
 public:
  // Up to 256 octets come whole or, before the kernel is seeded, not yet: it waits.
  std::uint64_t next() override {
    std::uint64_t value = 0;
    while (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    }
    return value;
  }
};

}  // namespace

struct RealWorld::Parts {
  explicit Parts(Options options)
      : workers(loop),
        files(workers, std::move(options.state_directory), std::move(options.webroots)),
        dns(loop, files, {.server = std::move(options.resolver)}),
        trust_stores(workers),
        http(loop, dns, trust_stores),
        tls_probe(loop, trust_stores),
        mail(loop, dns, trust_stores),
        children(loop, workers),
        processes(loop, children, std::move(options.hook_socket)),
        key_maker(workers),
        http_responder(loop, options.passed_sockets, {}),
        tls_alpn_responder(loop, options.passed_sockets, {}) {}

  EventLoop loop;
  WorkerPool workers;
  PosixFiles files;
  DnsClient dns;
  TrustStores trust_stores;
  CurlTransport http;
  SocketTlsProbe tls_probe;
  CurlMail mail;
  ChildProcesses children;
  HookProcesses processes;
  WorkerKeyMaker key_maker;
  MicrohttpdResponder http_responder;
  SocketTlsAlpnResponder tls_alpn_responder;
  KernelRandom random;
};

RealWorld::RealWorld(Options options) : parts_(std::make_unique<Parts>(std::move(options))) {}

RealWorld::~RealWorld() = default;

World RealWorld::world() {
  return {parts_->loop,
          parts_->http,
          parts_->tls_probe,
          parts_->dns,
          parts_->files,
          parts_->processes,
          parts_->key_maker,
          parts_->http_responder,
          parts_->tls_alpn_responder,
          parts_->random,
          parts_->mail};
}

EventLoop& RealWorld::loop() {
  return parts_->loop;
}

Result<std::string> RealWorld::read_part(const std::string& path, std::uint64_t offset,
                                         std::size_t size) const {
  return parts_->files.read_part(path, offset, size);
}

void RealWorld::run_until(const std::function<bool()>& finished) {
  parts_->loop.run_until(finished);
}

void RealWorld::stop() {
  parts_->loop.stop();
}

}  // namespace nolapse
