// The rate ledger of one CA together with its file: asked before an order is placed, told what came
// of it. What was told is on disk before the teller goes on; one save at a time, and one for all
// that was told meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/rate_ledger.h"
#include "agent/core/store.h"

namespace nolapse {

class SavedLedger {
 public:
  SavedLedger(World world, const Store& store, EventStream& events, std::string ca,
              const RateLimits& limits);

  // To be called once before all else. Where `expected`, a file that is missing is a loss: an
  // account that is not new has probably spent something.
  void load(bool expected);
  bool loaded() const { return loaded_; }

  // Both as the ledger's own, and kept in order meanwhile.
  RateVerdict may_order(const std::vector<acme::Identifier>& identifiers, OrderKind kind, Who who);
  RateVerdict may_renew(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                        Time little_is_left_from);

  // What an order that may be placed can cost is held for it, until that is counted or this is
  // gone: others that are as far must not count on it, too.
  std::shared_ptr<const void> hold(RateCosts costs);

  // See RateLedger. Where nothing is loaded yet, there is nothing that follows.
  void follow_clock(Duration forward);

  using Told = std::function<void(RateLedger&, Time now)>;
  // `saved` is called later, whether or not the disk took it; what it did not take is reported.
  void tell(const Told& told, std::function<void()> saved);

 private:
  Time pruned();
  void save();

  World world_;
  const Store& store_;
  EventStream& events_;
  std::string ca_;
  RateLimits limits_;
  RateLedger ledger_;
  bool loaded_ = false;
  std::optional<Time> pruned_at_;
  std::vector<std::function<void()>> waiting_;  // for the next save
  std::vector<std::function<void()>> saving_;   // for the one that runs
};

}  // namespace nolapse
