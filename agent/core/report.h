// The audit: every certificate with what happened to it in a period, what is to come, and what
// somebody has to do. A value, made by a pure function; text, document and page are made of it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/alert_rules.h"
#include "agent/core/expiry.h"
#include "agent/core/report_history.h"
#include "agent/core/status.h"

namespace nolapse {

struct ReportedGeneration {
  unsigned number = 0;
  std::string ca;
  Time issued_at{};
  Time not_before{};
  Time not_after{};
};

// What the state directory says of a certificate besides its status.
struct CertificateRecords {
  std::vector<ReportedGeneration> generations;  // the newest last
  std::optional<Time> planned_renewal;          // nothing: nobody renews it, or none is issued
  RehearsalRecords rehearsals;
  std::optional<Time> proven_at;  // when a renewal went well to its end, last
  std::string changed;            // since then, of what it rests on; empty: nothing
};

// Only `fine` is provable.
enum class Judgement { fine, unknown, attention };
const char* name_of(Judgement judgement);

// How often in the period.
struct Tally {
  unsigned renewed = 0;
  unsigned failed = 0;
  unsigned deployed = 0;
  unsigned rolled_back = 0;
  unsigned revoked = 0;
  unsigned rehearsals_passed = 0;  // also those that were partial
  unsigned rehearsals_failed = 0;
  unsigned found = 0;
};

struct ReportedCertificate {
  CertificateStatus status;
  CertificateRecords records;
  Judgement judgement = Judgement::unknown;
  std::string why;            // of what is not fine, one line
  std::string fix;            // the command that ends it, or shows more; empty: nothing to do
  ExpiryDays thresholds{};    // before its end
  int step = 0;               // of expiry.h: how many of them are passed; 4: expired
  std::vector<Finding> open;  // what self-tests found and still find
  std::vector<std::string> drift;
  ReportMoments story;
  unsigned left_out = 0;  // of the story's beginning
  Tally tally;

  const acme::Certificate* leaf() const {
    return status.generation ? &status.generation->leaf() : nullptr;
  }
};

// A certificate that somebody else renews, at one place where it was looked for.
struct ReportedWatch {
  std::string name;
  std::string place;
  bool ok = false;
  std::string detail;
  std::string issuer;
  std::optional<Time> not_before;
  std::optional<Time> not_after;
  int step = 0;  // of expiry.h
};

// One that has a story in the period, and is not renewed here: any more, or ever.
struct ReportedOther {
  std::string name;
  ReportMoments story;
  bool watched = false;  // false: it is in the configuration no more
};

struct ReportedAlert {
  Alert alert;
  std::optional<Silence> silence;
};

struct ReportedChannel {
  std::string name;
  std::string type;
  ChannelRecord record;
  std::size_t waiting = 0;  // messages
};

struct Report {
  std::string host;
  Time since{};
  Time until{};  // the end of the period
  Time made_at{};
  std::vector<ReportedCertificate> certificates;  // the most urgent first
  std::vector<ReportedWatch> watched;             // likewise
  std::vector<ReportedOther> others;
  std::vector<Finding> host_findings;
  ReportMoments host_story;
  unsigned host_left_out = 0;
  std::optional<Time> self_tested_at;  // by the daemon; nothing: never
  std::vector<ReportedAlert> alerts;   // open ones
  std::vector<Silence> silences;
  std::vector<ReportedChannel> channels;
  std::vector<ReportedMonth> months;
  std::vector<std::string> problems;  // what could not be read, "FILE: why"
  Tally tally;                        // of all

  Judgement judgement() const;
  std::size_t count(Judgement judgement) const;  // of the certificates and those watched
};

// What a report is made of.
struct ReportInput {
  const Config& config;
  std::string host;
  Time now{};
  std::vector<CertificateStatus> statuses;
  std::map<std::string, CertificateRecords> records;  // by certificate
  std::vector<ReportedWatch> watched;                 // `step` is left to the report
  ReportHistory history;
  SavedFindings findings;
  AlertState alerts;
  std::vector<std::string> problems;
};

Report make_report(ReportInput input);

// The story of one that something went wrong with: from the last success before it, with what
// somebody was told meanwhile, to its end. Empty: nothing went wrong in the period.
ReportMoments incident_of(const Report& report, const ReportedCertificate& certificate);

// "all 3 certificates are provably renewed", "2 of 3 certificates need attention: shop, mail".
std::string verdict_of(const Report& report);

}  // namespace nolapse
