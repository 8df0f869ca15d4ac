// The families of checks, a file each: what they report and the pages that explain it.
#pragma once

#include "agent/core/check_catalogue.h"
#include "agent/core/self_test.h"

namespace nolapse {

struct CheckFamily {
  std::vector<CodePage> pages;
  std::vector<Check> checks;
};

CheckFamily life_checks();       // is each certificate renewed, and when not, why
CheckFamily scheduler_checks();  // does anybody run nolapse
CheckFamily config_checks();     // the configuration, and who may read and write what
CheckFamily tool_checks();       // hooks and other programs
CheckFamily state_checks();      // the state directory and its disk
CheckFamily material_checks();   // keys, names and chains
CheckFamily ca_checks();         // can each CA be asked, and would it take an order
CheckFamily name_checks();       // does the DNS say what a renewal needs
CheckFamily proof_checks();      // would each proof of control succeed
CheckFamily rehearsal_checks();  // what the rehearsals showed
CheckFamily alert_checks();      // can anybody be told
CheckFamily served_checks();     // what clients get
CheckFamily watch_checks();      // the certificates that somebody else renews

}  // namespace nolapse
