// What `nolapse scan` prints: a line for each certificate, what needs somebody first; a document;
// or [[watch]] sections for those that nobody renews.
#pragma once

#include <iosfwd>

#include "agent/core/inventory.h"

namespace nolapse {

struct ScanStyle {
  bool json = false;
  int verbosity = 0;  // 1: all places of each
};

// Returns the exit status: 1 where a certificate that nobody renews is over or near its end, or
// does not fit its key; else 3 where something could not be looked at.
int write_inventory(std::ostream& out, const ScanStyle& style, const Inventory& inventory,
                    const AlertsConfig& alerts, Time now);

// Sections for the configuration, of all that nobody renews and nobody watches; what cannot be said
// in one stands there as a comment. `config` names what there is already.
void write_watch_sections(std::ostream& out, const Inventory& inventory, const Config& config,
                          Time now);

}  // namespace nolapse
