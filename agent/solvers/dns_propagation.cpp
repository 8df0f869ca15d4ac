#include "agent/solvers/dns_propagation.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "agent/solvers/dns_zone.h"

namespace nolapse {
namespace {

using namespace std::chrono_literals;

constexpr std::array<Duration, 5> pauses = {500ms, 1s, 2s, 3s, 5s};
constexpr Duration patience_with_silence = 15s;

class Propagation : public std::enable_shared_from_this<Propagation> {
 public:
  Propagation(World world, std::vector<TxtRecord> records, std::uint16_t port,
              PropagationLimits limits, std::function<void(PropagationReport)> done)
      : world_(world), port_(port), limits_(limits), done_(std::move(done)) {
    for (TxtRecord& record : records) records_.push_back({std::move(record), {}});
  }

  void start() {
    began_ = world_.clock.uptime();
    open_ = records_.size() + 1;
    for (Record& record : records_) locate(record);
    world_.clock.start_timer(Duration{0}, [self = shared_from_this()] { self->located({}); });
  }

 private:
  struct Sight {
    NameServer server;
    bool shown = false;
    bool silent = false;     // the last look got no answer
    bool denied = false;     // it speaks for the zone, and what it shows is no proof
    std::string fault = {};  // of the last look
  };
  struct Record {
    TxtRecord wanted;
    std::string name = {};  // aliases followed
    std::string zone = {};
    std::vector<Sight> sights = {};
  };

  void locate(Record& record) {
    find_record_place(world_, record.wanted.name,
                      [self = shared_from_this(), &record](const RecordSearch& search) {
                        if (search.failure) return self->located(search.failure->message);
                        record.name = search.place.name;
                        record.zone = search.place.zone;
                        self->find_servers(record);
                      });
  }

  // Each zone's servers are looked up once.
  void find_servers(Record& record) {
    auto& waiting = waiting_[record.zone];
    waiting.push_back(&record);
    if (waiting.size() > 1) return;
    find_name_servers(world_, record.zone, port_,
                      [self = shared_from_this(), zone = record.zone](Result<NameServers> found) {
                        self->found_servers(zone, found);
                      });
  }

  void found_servers(const std::string& zone, const Result<NameServers>& found) {
    std::vector<Record*> records = std::move(waiting_[zone]);
    waiting_.erase(zone);
    std::string fault;
    if (!found) {
      fault = found.error().message;
    } else {
      for (const std::string& without : found->without) lame_ += "; " + without;
      if (found->servers.empty()) fault = "no name server of " + zone + " has an address";
    }
    for (Record* record : records) {
      if (found) {
        for (const NameServer& server : found->servers) record->sights.push_back({server});
      }
      located(fault);
    }
  }

  void located(const std::string& fault) {
    if (!fault.empty()) fault_ = fault;
    if (--open_ > 0) return;
    if (!fault_.empty()) return finish(false, "the proof could not be looked for: " + fault_);
    look();
  }

  void look() {
    for (const Record& record : records_) {
      for (const Sight& sight : record.sights) open_ += !sight.shown;
    }
    if (open_ == 0) return finish(true, {});
    for (Record& record : records_) {
      for (Sight& sight : record.sights) {
        if (!sight.shown) ask(record, sight);
      }
    }
  }

  void ask(const Record& record, Sight& sight) {
    world_.dns.ask({record.name, DnsType::txt, sight.server.address},
                   [self = shared_from_this(), &record, &sight](Result<DnsAnswer> answer) {
                     self->judge(record, sight, answer);
                     if (--self->open_ == 0) self->looked();
                   });
  }

  static std::string fault_without(const std::string& value,
                                   const std::vector<std::string>& values) {
    const bool there = std::find(values.begin(), values.end(), value) != values.end();
    return there ? "" : "does not show it";
  }

  static void judge(const Record& record, Sight& sight, const Result<DnsAnswer>& answer) {
    sight.silent = !answer;
    sight.denied = false;
    if (!answer) {
      sight.fault = answer.error().message;
      return;
    }
    sight.fault = record.wanted.fault ? record.wanted.fault(answer->values)
                                      : fault_without(record.wanted.value, answer->values);
    sight.shown = sight.fault.empty() && answer->authoritative;
    sight.denied = !sight.fault.empty() && answer->authoritative;
    if (!answer->authoritative) sight.fault = "does not speak for " + record.zone + " (lame)";
  }

  void looked() {
    bool all = true;
    bool all_but_silent = true;
    bool nowhere = false;  // one of the records
    for (const Record& record : records_) {
      bool any = false;
      bool none = true;
      for (const Sight& sight : record.sights) {
        all = all && sight.shown;
        all_but_silent = all_but_silent && (sight.shown || sight.silent);
        any = any || sight.shown;
        none = none && sight.denied;
      }
      nowhere = nowhere || none;
      all_but_silent = all_but_silent && any;
    }
    const Duration passed = world_.clock.uptime() - began_;
    if (all || (all_but_silent && passed >= patience_with_silence)) return finish(true, {});
    const bool in_vain =
        nowhere && limits_.patience_with_nothing && passed >= *limits_.patience_with_nothing;
    if (in_vain || passed >= limits_.patience) {
      return finish(false, "not all name servers show the proof after ");
    }
    const Duration pause = pauses[std::min(rounds_++, pauses.size() - 1)];
    world_.clock.start_timer(pause, [self = shared_from_this()] { self->look(); });
  }

  // Of what is not seen; of several the first in the order of Cause.
  Solver::ProofReport::Cause cause() const {
    using Cause = Solver::ProofReport::Cause;
    if (!fault_.empty()) return Cause::not_found;
    Cause worst = lame_.empty() ? Cause::none : Cause::lame;
    for (const Record& record : records_) {
      for (const Sight& sight : record.sights) {
        if (sight.shown) continue;
        const Cause cause = sight.silent   ? Cause::no_answer
                            : sight.denied ? Cause::wrong_answer
                                           : Cause::lame;
        worst = worst == Cause::none ? cause : std::min(worst, cause);
      }
    }
    return worst;
  }

  std::string unseen() const {
    std::string text;
    for (const Record& record : records_) {
      for (const Sight& sight : record.sights) {
        if (sight.shown) continue;
        if (text.size() > 600) return text + "; and others";
        text += "; " + sight.server.text() + " for " + record.name + ": " + sight.fault;
      }
    }
    return text + lame_;
  }

  void finish(bool seen, std::string text) {
    const Duration passed = world_.clock.uptime() - began_;
    const std::string took = acme::format_duration(
        std::max<Duration>(1s, std::chrono::floor<std::chrono::seconds>(passed)));
    if (seen) {
      text = "the name servers show the proof after " + took;
    } else if (fault_.empty()) {
      text += took;
    }
    PropagationReport report{{seen, text + unseen(), passed, {}, {}, cause()}, {}};
    for (const Record& record : records_) {
      const auto denied = std::find_if(record.sights.begin(), record.sights.end(),
                                       [](const Sight& sight) { return sight.denied; });
      report.faults.push_back(denied == record.sights.end() ? "" : denied->fault);
    }
    done_(std::move(report));
  }

  World world_;
  const std::uint16_t port_;
  const PropagationLimits limits_;
  std::function<void(PropagationReport)> done_;
  std::chrono::milliseconds began_{};
  std::vector<Record> records_;
  std::map<std::string, std::vector<Record*>> waiting_;  // by zone
  std::size_t open_ = 0;
  std::size_t rounds_ = 0;
  std::string fault_;
  std::string lame_;
};

}  // namespace

void await_propagation(World world, std::vector<TxtRecord> records, std::uint16_t port,
                       PropagationLimits limits, std::function<void(PropagationReport)> done) {
  std::make_shared<Propagation>(world, std::move(records), port, limits, std::move(done))->start();
}

}  // namespace nolapse
