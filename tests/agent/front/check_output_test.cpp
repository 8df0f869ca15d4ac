// What a self-test found, as people, programs and a monitoring system read it.
#include "agent/front/check_output.h"

#include <doctest/doctest.h>

#include <sstream>

#include "acme/json_read.h"
#include "agent/core/checks/not_known.h"
#include "agent/front/exit_status.h"

using namespace nolapse;

namespace {

Finding finding(const char* code, FindingSeverity severity, const char* summary = "a summary") {
  return {code, "shop", {}, severity, summary, "what was seen", "a fix", {}};
}

Finding fine() {
  return {"NOT_SERVED", "shop", {}, FindingSeverity::ok, {}, {}, {}, {}};
}

Finding partial() {
  return {
      "REHEARSAL_PARTIAL",         "shop", {}, FindingSeverity::ok, "shop: it could not show all",
      "an order; the hook's part", {},     {}};
}

Finding wait() {
  return {"GENERATION_WITHHELD",
          "shop",
          "target nginx",
          FindingSeverity::ok,
          "shop: generation 4 waits for the window of target nginx",
          "it has generation 3; its window opens at night",
          "nolapse deploy shop",
          {}};
}

struct Written {
  std::string text;
  int status;
};

Written write(std::vector<Finding> all, const CheckStyle& style) {
  std::ostringstream out;
  const Findings findings{{}, true, std::move(all)};
  const int status = write_findings(out, style, findings, 1);
  return {out.str(), status};
}

constexpr CheckStyle text{};
constexpr CheckStyle as_json{true, false, 0};
constexpr CheckStyle as_plugin{false, true, 0};

}  // namespace

TEST_CASE(
    "what was shown in part has a line of its own, with what was not shown, and is no fault") {
  const Written told = write({fine(), partial()}, text);
  CHECK(told.text ==
        "PARTIAL REHEARSAL_PARTIAL  shop: it could not show all\n"
        "  not shown: an order; the hook's part\n"
        "fine: 2 checks of 1 certificate, 1 of them partial\n");
  CHECK(told.status == exit_status::ok);
  const Written plugin = write({fine(), partial()}, as_plugin);
  CHECK(plugin.text.starts_with("NOLAPSE OK - 1 certificate, 2 checks fine, 1 of them partial | "));
  CHECK(plugin.status == 0);
  const auto document = acme::parse_object(write({fine(), partial()}, as_json).text, "check");
  REQUIRE(document);
  CHECK((*document)["ok"] == true);
  CHECK((*document)["findings"][0]["partial"] == false);
  CHECK((*document)["findings"][1]["partial"] == true);
  CHECK((*document)["findings"][1]["severity"] == "ok");
}

TEST_CASE("a target that waits for its window as is wished has a word of its own") {
  const Written told = write({fine(), wait(), partial()}, text);
  CHECK(told.text ==
        "WAITS   GENERATION_WITHHELD  shop: generation 4 waits for the window of target nginx\n"
        "  seen: it has generation 3; its window opens at night\n"
        "PARTIAL REHEARSAL_PARTIAL  shop: it could not show all\n"
        "  not shown: an order; the hook's part\n"
        "fine: 3 checks of 1 certificate, 1 of them partial, 1 of them waiting\n");
  CHECK(told.status == exit_status::ok);
  CHECK(write({wait()}, as_plugin)
            .text.starts_with("NOLAPSE OK - 1 certificate, 1 check fine, 1 of them waiting | "));
  const auto document = acme::parse_object(write({wait(), partial()}, as_json).text, "check");
  REQUIRE(document);
  CHECK((*document)["findings"][0]["waits"] == true);
  CHECK((*document)["findings"][0]["partial"] == false);
  CHECK((*document)["findings"][1]["waits"] == false);
}

TEST_CASE("the exit status is that of the worst; to a plugin's master a warning counts more") {
  using enum FindingSeverity;
  struct Row {
    FindingSeverity severity;
    int status;
    int plugin_status;
  };
  for (const Row& row : {Row{ok, 0, 0}, Row{unknown, 3, 3}, Row{warning, 0, 1}, Row{error, 1, 2}}) {
    CAPTURE(name_of(row.severity));
    CHECK(write({finding("DISK_LOW", row.severity)}, text).status == row.status);
    CHECK(write({finding("DISK_LOW", row.severity)}, as_json).status == row.status);
    CHECK(write({finding("DISK_LOW", row.severity)}, as_plugin).status == row.plugin_status);
  }
}

TEST_CASE("a plugin that could not begin says so in one line, which no bar ends") {
  CHECK(nagios_refusal("there is no a|b\nhere") == "NOLAPSE UNKNOWN - there is no a/b here\n");
}

TEST_CASE("what one user may not look at is a line for all of it, unless each is asked for") {
  using enum FindingSeverity;
  const auto denied = [](const char* code) {
    Finding each = finding(code, unknown);
    each.fix = look_as_owner;
    return each;
  };
  const std::vector<Finding> all = {finding("DISK_LOW", warning), denied("EXPIRY_NEAR"),
                                    finding("DNSSEC_BOGUS", unknown), denied("ORPHAN"), fine()};
  const std::string told = write(all, text).text;
  CHECK(told.find("\nUNKNOWN 2 checks may not look, such as EXPIRY_NEAR; -v names each\n"
                  "  seen: what was seen\n  do:   run `nolapse check` as root") !=
        std::string::npos);
  CHECK(told.find("ORPHAN") == std::string::npos);
  CHECK(told.find("\nUNKNOWN DNSSEC_BOGUS  a summary\n") != std::string::npos);
  CHECK(told.find("found: 0 errors, 1 warning, 3 unknown; fine: 1 check") != std::string::npos);
  const std::string each = write(all, {false, false, 1}).text;
  CHECK(each.find("\nUNKNOWN EXPIRY_NEAR  a summary\n") != std::string::npos);
  CHECK(each.find("\nUNKNOWN ORPHAN  a summary\n") != std::string::npos);
  CHECK(each.find("may not look") == std::string::npos);
  // One needs no folding.
  CHECK(write({denied("ORPHAN")}, text).text.starts_with("UNKNOWN ORPHAN  a summary\n"));
}
