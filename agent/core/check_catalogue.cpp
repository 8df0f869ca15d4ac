#include "agent/core/check_catalogue.h"

#include "agent/core/checks/families.h"

namespace nolapse {
namespace {

const std::vector<CheckFamily>& families() {
  static const std::vector<CheckFamily> all = {
      served_checks(), life_checks(),  rehearsal_checks(), scheduler_checks(), config_checks(),
      tool_checks(),   state_checks(), material_checks(),  ca_checks(),        name_checks(),
      proof_checks(),  alert_checks(), watch_checks()};
  return all;
}

const std::vector<CodePage> pages_on_checks = {
    {"CHECK_FAILED", "a check itself failed, so nobody knows",
     "A check met something that it was not written for, or was not allowed to look.",
     "Read the evidence; run `nolapse check` as the user who runs nolapse.",
     "Look by hand as the page of the check's own code says, and report the fault."},
    {"CHECK_TIMED_OUT", "a check did not end in time, so nobody knows",
     "Something that the check waits for does not answer: a disk, a name server, a hook.",
     "Run `nolapse check --deep NAME` again and see which one waits.",
     "Look by hand as the page of the check's own code says."},
    {"SELF_TEST_OLD", "the daemon's self-tests have not ended for too long, so nobody knows",
     "The daemon does not run, or something that its self-tests wait for never answers.",
     "jq '.checked_at, .deep_checked_at' STATE_DIR/findings.json; journalctl -u nolapse",
     "nolapse check --deep, and do what it says; see that the daemon runs."},
};

}  // namespace

const std::vector<CodePage>& code_pages() {
  static const std::vector<CodePage> all = [] {
    std::vector<CodePage> pages;
    for (const CheckFamily& family : families()) {
      pages.insert(pages.end(), family.pages.begin(), family.pages.end());
    }
    pages.insert(pages.end(), pages_on_checks.begin(), pages_on_checks.end());
    return pages;
  }();
  return all;
}

const CodePage* find_code_page(std::string_view code) {
  for (const CodePage& page : code_pages()) {
    if (code == page.code) return &page;
  }
  return nullptr;
}

const std::vector<Check>& all_checks() {
  static const std::vector<Check> all = [] {
    std::vector<Check> checks;
    for (const CheckFamily& family : families()) {
      checks.insert(checks.end(), family.checks.begin(), family.checks.end());
    }
    return checks;
  }();
  return all;
}

}  // namespace nolapse
