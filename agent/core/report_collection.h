// Gathers what a report is made of: the state directory as it is, the endpoints as they answer now,
// the events of the period. Needs no lock and changes nothing. In slices, so that the loop turns
// meanwhile, however many certificates and events there are.
#pragma once

#include <functional>
#include <memory>

#include "agent/core/report.h"
#include "agent/core/watched.h"

namespace nolapse {

// Reads at most `size` octets of a file from `offset` on; none at its end. Months of events may be
// larger than what Files reads at once.
using ReadPart = std::function<Result<std::string>(const std::string& path, std::uint64_t offset,
                                                   std::size_t size)>;
// Where no other is at hand: of small files.
ReadPart read_part_of(const Files& files);

struct ReportRequest {
  Time since{};
  Time until{};                                                 // at most now
  ReadPart read_part = {};                                      // empty: read_part_of()
  std::optional<std::vector<CertificateStatus>> statuses = {};  // nothing: they are collected
  std::vector<Finding> configuration_doubts = {};               // for weighing those
  std::optional<std::vector<WatchedCertificate>> watched = {};  // likewise
};

// The references must outlive the answer. The request is taken over where it is: at a copy of its
// lists GCC 12 warns under the sanitizers, of nothing.
void collect_report(World world, const Config& config, ReportRequest&& request,
                    std::function<void(Report)> done);

}  // namespace nolapse
