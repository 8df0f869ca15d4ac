// What a self-test found, as people, programs and a monitoring system read it.
#include "agent/front/check_output.h"

#include <doctest/doctest.h>

#include <sstream>

#include "acme/json_read.h"
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
