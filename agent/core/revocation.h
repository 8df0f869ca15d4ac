// Has a CA take back one certificate, at a person's word: signed for the account, or, where the CA
// does not let the account do it, with the certificate's own key. What is revoked is noted in its
// schedule, so that the next look replaces it. [RFC 8555 §7.6]
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/core/ca_client.h"
#include "agent/core/event_stream.h"
#include "agent/core/store.h"

namespace nolapse {

struct RevocationRequest {
  std::string name;                    // a certificate's, or a series of one's
  std::optional<unsigned> generation;  // nothing: the one in use
  int reason = 0;                      // [RFC 5280 §5.3.1]
};

struct RevocationOutcome {
  Generation generation;
  std::string reason;               // as it is noted
  bool revoked_before = false;      // the CA said
  bool by_certificate_key = false;  // signed with it
  bool newest = false;
  bool due = false;  // the next look replaces it: it is the newest, and configured
};

class Revocation {
 public:
  // The references must outlive it. `unsaved` is what the disk did not take of the certificate's
  // schedule, if anything.
  Revocation(World world, const Store& store, EventStream& events, const Config& config,
             std::function<CaClient&(const std::string& name)> ca,
             std::unique_ptr<ScheduleRecord>& unsaved, RevocationRequest request);

  // At most once. Errors: input UNKNOWN_GENERATION, UNKNOWN_CA; those of the CA; those of Files.
  void start(Completion<RevocationOutcome> done);

 private:
  std::optional<Error> find();
  void send(bool with_certificate_key);
  void answered(const Result<acme::HttpResponse>& reply);
  void note();

  World world_;
  const Store& store_;
  EventStream& events_;
  const Config& config_;
  std::function<CaClient&(const std::string& name)> find_ca_;
  std::unique_ptr<ScheduleRecord>& unsaved_;
  RevocationRequest request_;
  Completion<RevocationOutcome> done_;
  RevocationOutcome outcome_;
  std::string der_;
  acme::PrivateKey key_;  // the certificate's; none: it cannot be read
  CaClient* ca_ = nullptr;
};

}  // namespace nolapse
