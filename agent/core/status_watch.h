// What the status page knows of the certificates, without anybody having to wait for a handshake:
// the newest status of each, kept fresh while somebody looks. Whoever looks never causes more than
// one round over all of them, a few at a time, and rounds take a small part of the time. A
// certificate to which something happened is looked at again soon.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/renewal_doubts.h"
#include "agent/core/status.h"
#include "agent/core/watched.h"

namespace nolapse {

struct KnownStatus {
  CertificateStatus status;
  std::optional<Time> succeeded_at;  // when a renewal went well to its end, last; else its issue
  RehearsalRecords rehearsals;       // by CA
};
using KnownStatusPointer = std::shared_ptr<const KnownStatus>;  // shared with other threads
// Of one [[watch]]: each place.
using KnownWatchPointer = std::shared_ptr<const std::vector<WatchedCertificate>>;

class StatusWatch {
 public:
  static constexpr Duration shortest_pause = std::chrono::minutes(1);  // from round to round
  static constexpr unsigned share_of_time = 20;  // rounds take one part in so many
  static constexpr std::size_t most_at_once = 16;
  static constexpr Duration evidence_keeps = std::chrono::seconds(1);
  static constexpr Duration settling = std::chrono::seconds(1);  // several events are one change

  // The references must outlive it.
  StatusWatch(World world, const Config& config, const Store& store, EventStream& events);

  // The first round. Not before the state directory is there.
  void start();
  void stop();
  void somebody_looks();

  // In the order of the configuration, then the orphans by name.
  std::vector<KnownStatusPointer> certificates() const;
  std::vector<KnownWatchPointer> watched() const;  // in the order of the configuration
  // Nothing of it is older; nothing: the first round has not ended.
  std::optional<Time> as_of() const { return as_of_; }

 private:
  void begin_round();
  void end_round();
  void look_soon(const std::string& name);
  void look_at_next();
  void look_at(const std::string& name);
  void look_at_certificate(const std::string& name);
  void looked_at(const std::string& name);
  const HostEvidence& evidence();

  World world_;
  const Config& config_;
  const Store& store_;
  std::vector<std::string> names_;  // of the round's certificates; no [[watch]] has one of them
  std::map<std::string, const CertificateSpec*> configured_;
  std::map<std::string, std::unique_ptr<CertificateSpec>> orphans_;
  std::map<std::string, const WatchSpec*> watches_;
  std::map<std::string, KnownStatusPointer> known_;
  std::map<std::string, KnownWatchPointer> known_watches_;
  std::deque<std::string> queue_;
  std::set<std::string> queued_;  // the same
  std::set<std::string> left_;    // of the round
  std::size_t under_way_ = 0;
  Time round_began_{};
  std::chrono::milliseconds round_began_at_{};  // by uptime
  std::chrono::milliseconds next_round_{};      // likewise, not before
  std::optional<Time> as_of_;
  std::optional<HostEvidence> evidence_;  // of that moment, by uptime
  std::chrono::milliseconds evidence_at_{};
  bool started_ = false;
};

}  // namespace nolapse
