#include "agent/core/diagnosis.h"

#include <algorithm>

#include "acme/json_read.h"
#include "agent/core/diagnosis_disk.h"
#include "agent/core/diagnosis_endpoint.h"
#include "agent/core/diagnosis_fix.h"

namespace nolapse {
namespace {

using Role = SeenEndpoint::Role;

constexpr std::size_t longest_timeline = 8;
// Less is a matter of taste, and breaks no certificate.
constexpr Duration clock_tolerance = std::chrono::hours(1);

std::string some(std::size_t number, const char* one, const char* many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

class Judgement {
 public:
  explicit Judgement(const Evidence& evidence)
      : evidence_(evidence), asked_(judge(evidence.asked, evidence.now)) {
    for (const SeenEndpoint& each : evidence.behind) behind_.push_back(judge(each, evidence.now));
    diagnosis_.target = evidence.asked.endpoint.text;
  }

  Diagnosis take() {
    if (asked_.fault) {
      judge_asked();
    } else if (const SeenAddress* page = failing_page(evidence_.asked)) {
      judge_behind(page_trouble(*page));
    } else {
      judge_fine();
    }
    add_notes();
    add_lines(asked_, diagnosis_.addresses);
    for (const Judged& each : behind_) add_lines(each, diagnosis_.addresses);
    add_timeline();
    return std::move(diagnosis_);
  }

 private:
  void conclude(Cause cause, std::string code, std::string summary, std::string fix) {
    diagnosis_.cause = cause;
    diagnosis_.code = std::move(code);
    diagnosis_.summary = std::move(summary);
    diagnosis_.fix = std::move(fix);
  }

  std::string fix(const Judged& guilty) const {
    return fix_for(*guilty.endpoint, guilty.culprit, *guilty.fault, evidence_.now);
  }

  void judge_asked() {
    guilty_ = &asked_;
    const Fault& fault = *asked_.fault;
    const std::string& where = diagnosis_.target;
    if (const auto clock = clock_fault(fault)) {
      return conclude(clock->cause, clock->code, clock->what,
                      fix_for(evidence_.asked, asked_.culprit, *clock, evidence_.now));
    }
    const std::size_t all = asked_.addresses.size();
    if (asked_.bad > 0 && asked_.bad < all && all > 1) {
      return conclude(fault.cause, "ONE_ADDRESS_BAD",
                      std::to_string(asked_.bad) + " of the " + some(all, "address", "addresses") +
                          " of " + where + (asked_.bad == 1 ? " is" : " are") +
                          " bad: " + asked_.culprit->address + " " + fault.what,
                      fix(asked_));
    }
    conclude(fault.cause, fault.code, where + " " + fault.what, fix(asked_));
  }

  // A certificate is out of its time for whoever has the wrong time. Where this host's clock is
  // behind, the server's is the better witness: certificates are not made for the future. Where it
  // is ahead, one of the two is wrong, and nobody here can say which.
  std::optional<Fault> clock_fault(const Fault& fault) const {
    const SeenAddress* seen = asked_.culprit;
    if (seen == nullptr || seen->chain.empty() || !seen->http || !seen->http->date) return {};
    const acme::Certificate& leaf = seen->chain.front();
    const Time theirs = *seen->http->date;
    const bool valid_there = leaf.not_before <= theirs && theirs < leaf.not_after;
    const Duration ahead = evidence_.now - theirs;
    if (!valid_there || std::chrono::abs(ahead) < clock_tolerance) return {};
    const std::string differ = "this host's clock says " + acme::format_rfc3339(evidence_.now) +
                               ", that of " + diagnosis_.target + " " +
                               acme::format_rfc3339(theirs);
    if (ahead < Duration{0} && evidence_.now < leaf.not_before) {
      return Fault{"CLIENT_CLOCK_WRONG", Cause::other,
                   differ + ": it is " + acme::format_duration(-ahead) +
                       " behind, and so the certificate seems not valid yet"};
    }
    if (ahead > Duration{0} && evidence_.now >= leaf.not_after) {
      return Fault{"CLIENT_CLOCK_WRONG", Cause::unknown,
                   differ + ": one of them is wrong by " + acme::format_duration(ahead) +
                       "; by this one it " + fault.what + ", by the other it is valid"};
    }
    return {};
  }

  // Does what is wrong there keep the request from being answered?
  static bool counts(const Judged& judged) {
    if (!judged.fault) return false;
    const SeenEndpoint& endpoint = *judged.endpoint;
    if (judged.fault->cause == Cause::other || endpoint.verified) return true;
    const bool is_a_matter_of_dates =
        judged.culprit != nullptr && !judged.culprit->chain.empty() &&
        (judged.fault->code == "EXPIRED" || judged.fault->code == "NOT_YET_VALID" ||
         judged.fault->code == "OLD_ONE_SERVED");
    if (is_a_matter_of_dates) return endpoint.dates_checked;
    return judged.fault->cause == Cause::unknown;
  }

  template <class Accept>
  const Judged* find_behind(Cause cause, Accept accept) const {
    const auto found = std::find_if(behind_.begin(), behind_.end(), [&](const Judged& each) {
      return counts(each) && each.fault->cause == cause && accept(*each.endpoint);
    });
    return found == behind_.end() ? nullptr : &*found;
  }
  const Judged* worst_behind(Cause cause, bool known) const {
    return find_behind(cause, [&](const SeenEndpoint& endpoint) {
      return (endpoint.role == Role::known) == known;
    });
  }

  static std::string with_place(const Judged& hop) {
    const SeenEndpoint& endpoint = *hop.endpoint;
    std::string text = endpoint.endpoint.text;
    if (endpoint.role == Role::hop) text += " (" + text_of(endpoint.place) + ")";
    return text;
  }

  static std::string how_it_is_behind(const Judged& hop) {
    return hop.endpoint->role == Role::hop
               ? ", and what it passes on to, " + with_place(hop) + ", "
               : ", and " + with_place(hop) + ", which is declared for the same name, ";
  }

  void judge_behind(const std::string& trouble) {
    const std::string begin = diagnosis_.target + " " + trouble + " behind a healthy handshake";
    const auto is_on_the_way = [](const SeenEndpoint& endpoint) {
      return endpoint.role != Role::known && endpoint.surely;
    };
    if (const Judged* hop = find_behind(Cause::certificate, is_on_the_way)) {
      guilty_ = hop;
      return conclude(Cause::certificate, "INNER_" + hop->fault->code,
                      begin + how_it_is_behind(*hop) + hop->fault->what, fix(*hop));
    }
    if (const Judged* hop = worst_behind(Cause::unknown, false)) {
      guilty_ = hop;
      return conclude(Cause::unknown, "INNER_" + hop->fault->code,
                      begin + how_it_is_behind(*hop) + hop->fault->what, fix(*hop));
    }
    if (const Judged* hop = worst_behind(Cause::certificate, false)) {
      return suspect(begin + "; perhaps it goes to " + with_place(*hop) + ", which ", *hop);
    }
    if (!evidence_.hidden.empty()) return conclude_hidden(begin);
    if (const Judged* hop = worst_behind(Cause::other, false)) {
      guilty_ = hop;
      return conclude(Cause::other,
                      hop->fault->code == "TCP_REFUSED" || hop->fault->code == "TCP_TIMEOUT" ||
                              hop->fault->code == "TCP_UNREACHABLE"
                          ? "UPSTREAM_DOWN"
                          : "UPSTREAM_" + hop->fault->code,
                      begin + how_it_is_behind(*hop) + hop->fault->what, fix(*hop));
    }
    if (const Judged* known = worst_behind(Cause::certificate, true)) {
      return suspect(begin + "; perhaps " + with_place(*known) + " is behind it, which ", *known);
    }
    judge_healthy_hops(begin);
  }

  void suspect(const std::string& begin, const Judged& suspected) {
    guilty_ = &suspected;
    conclude(Cause::unknown, "INNER_SUSPECTED", begin + suspected.fault->what, fix(suspected));
  }

  void conclude_hidden(const std::string& begin) {
    constexpr std::size_t most_shown = 3;
    std::string hidden;
    for (std::size_t i = 0; i < std::min(most_shown, evidence_.hidden.size()); ++i) {
      hidden += (i > 0 ? ", " : "") + acme::printable(evidence_.hidden[i], 200);
    }
    if (evidence_.hidden.size() > most_shown) {
      hidden += " and " + std::to_string(evidence_.hidden.size() - most_shown) + " more";
    }
    conclude(Cause::unknown, "HOPS_UNKNOWN",
             begin + ", and nobody looked at all that may be behind it: " + hidden,
             "name the server behind it: nolapse diagnose " + diagnosis_.target + " HOST:PORT");
  }

  void judge_healthy_hops(const std::string& begin) {
    std::string hops;
    const Judged* failing = nullptr;
    for (const Judged& each : behind_) {
      if (each.endpoint->role != Role::hop) continue;
      hops += (hops.empty() ? "" : ", ") + each.endpoint->endpoint.text;
      if (failing == nullptr && failing_page(*each.endpoint) != nullptr) failing = &each;
    }
    if (hops.empty()) {
      return conclude(
          Cause::unknown, "HOPS_UNKNOWN",
          begin + ", and nobody here knows which servers are behind it",
          "run `nolapse diagnose` on the host that passes the requests on, or name the server "
          "behind it: nolapse diagnose " +
              diagnosis_.target + " HOST:PORT");
    }
    for (const Judged& each : behind_) {
      if (each.endpoint->role == Role::hop && each.fault) {
        note(with_place(each) + " " + each.fault->what + "; whoever passes on to it does not mind");
      }
    }
    std::string summary = begin + ", and what is behind it (" + hops + ") answers, too";
    if (failing != nullptr) {
      summary += "; " + failing->endpoint->endpoint.text + " itself " +
                 page_trouble(*failing_page(*failing->endpoint));
    }
    conclude(Cause::other, "UPSTREAM_ERROR", summary,
             "read the log of the application behind " +
                 (failing != nullptr ? failing->endpoint->endpoint.text : hops));
  }

  void judge_fine() {
    const auto fine = std::find_if(asked_.addresses.begin(), asked_.addresses.end(),
                                   [](const JudgedAddress& each) { return !each.fault; });
    std::string summary = diagnosis_.target;
    if (fine == asked_.addresses.end()) {
      return conclude(Cause::unknown, "NOT_SEEN", summary + " was not seen", {});
    }
    const SeenAddress& seen = *fine->seen;
    summary += " serves " + describe_leaf(seen.chain.front()) + ", valid until " +
               acme::format_rfc3339(seen.chain.front().not_after);
    if (seen.http && seen.http->status > 0) {
      summary += ", and answers HTTP " + std::to_string(seen.http->status);
    }
    conclude(Cause::other, "CERTIFICATE_FINE", summary, {});
  }

  void note(std::string text) { diagnosis_.why.push_back(std::move(text)); }

  // What makes the one command fail comes before it.
  void add_obstacles() {
    const auto& managed = guilty_ != nullptr ? guilty_->endpoint->managed : evidence_.asked.managed;
    if (!managed || !diagnosis_.fix.starts_with("nolapse ")) return;
    for (const std::string& each : managed->obstacles) note("in the way of a renewal: " + each);
  }

  void add_notes() {
    add_obstacles();
    const SeenAddress* culprit = guilty_ != nullptr ? guilty_->culprit : nullptr;
    if (culprit != nullptr && !culprit->chain.empty()) {
      note(culprit->address + " serves " + describe_leaf(culprit->chain.front()));
      if (!culprit->chain_error.empty()) note("it does not validate: " + culprit->chain_error);
    }
    if (guilty_ != nullptr && guilty_->endpoint->role == Role::declared) {
      note("whether requests pass through " + guilty_->endpoint->endpoint.text +
           " is not known here");
    }
    for (const JudgedAddress& each : asked_.addresses) add_notes_on(each);
    if (guilty_ == nullptr) {
      if (auto ahead = trouble_ahead(evidence_.asked); !ahead.empty()) note("but " + ahead);
    }
    if (asked_.fault || guilty_ != nullptr) return;
    for (const Judged& each : behind_) {
      if (each.fault) note("but " + with_place(each) + " " + each.fault->what);
    }
  }

  void add_notes_on(const JudgedAddress& judged) {
    const SeenAddress& seen = *judged.seen;
    if (!seen.revocation_unknown.empty() && !judged.fault) {
      note("whether its CA has revoked it is not known: " + seen.revocation_unknown);
    }
    if (judged.fault || seen.chain.empty()) return;
    const auto better = better_on_disk(evidence_.asked, seen.chain.front(), evidence_.now);
    if (better && better->leaf->not_before > seen.chain.front().not_before) {
      note(seen.address + " does not serve the newer one, valid until " +
           acme::format_rfc3339(better->leaf->not_after) + ", that lies " +
           (better->pair != nullptr ? "in " + better->pair->certificate_file
                                    : "in nolapse's state directory"));
    }
  }

  void add_timeline() {
    const Judged& about = guilty_ != nullptr ? *guilty_ : asked_;
    auto& timeline = diagnosis_.timeline;
    if (about.endpoint->managed) timeline = about.endpoint->managed->history;
    const SeenAddress* seen = about.culprit;
    if (seen == nullptr && !about.addresses.empty()) seen = about.addresses.front().seen;
    if (seen != nullptr && !seen->chain.empty()) {
      const acme::Certificate& leaf = seen->chain.front();
      timeline.push_back({leaf.not_before, "the certificate that is served begins"});
      timeline.push_back(
          {leaf.not_after, leaf.not_after <= evidence_.now ? "it expired" : "it will expire"});
      if (seen->revocation) timeline.push_back({seen->revocation->at, "its CA revoked it"});
    }
    std::stable_sort(timeline.begin(), timeline.end(),
                     [](const TimelineEntry& a, const TimelineEntry& b) { return a.at < b.at; });
    if (timeline.size() > longest_timeline) {
      timeline.erase(timeline.begin(),
                     timeline.end() - static_cast<std::ptrdiff_t>(longest_timeline));
    }
  }

  const Evidence& evidence_;
  const Judged asked_;
  std::vector<Judged> behind_;
  const Judged* guilty_ = nullptr;
  Diagnosis diagnosis_;
};

}  // namespace

Diagnosis diagnose(const Evidence& evidence) {
  return Judgement(evidence).take();
}

Cause worst_cause(const std::vector<Diagnosis>& diagnoses) {
  Cause worst = Cause::other;
  for (const Diagnosis& each : diagnoses) {
    if (rank(each.cause) > rank(worst)) worst = each.cause;
  }
  return diagnoses.empty() ? Cause::unknown : worst;
}

}  // namespace nolapse
