#include "agent/core/state_document.h"

#include "acme/json_read.h"

namespace nolapse {
namespace {

using nlohmann::json;

constexpr std::int64_t first_schema = 1;

std::int64_t present_schema(SchemaSteps steps) {
  return first_schema + static_cast<std::int64_t>(steps.size());
}

tl::unexpected<acme::Error> refuse(std::string why) {
  return acme::fail(acme::ErrorKind::local, "BAD_STATE", std::move(why));
}

}  // namespace

acme::Result<json> open_state_document(std::string_view text, SchemaSteps steps) {
  auto document = acme::parse_object(text, "the file");
  if (!document) return refuse("not a JSON object");
  const auto schema = acme::integer_member(*document, "schema");
  if (!schema || *schema < first_schema) return refuse("it carries no schema number");
  if (*schema > present_schema(steps)) {
    return refuse("written by a newer nolapse (schema " + std::to_string(*schema) +
                  ", this one knows up to " + std::to_string(present_schema(steps)) + ")");
  }
  for (const SchemaStep step : steps.subspan(static_cast<std::size_t>(*schema - first_schema))) {
    step(*document);
  }
  return document;
}

std::string state_document(json content, SchemaSteps steps) {
  content["schema"] = present_schema(steps);
  return acme::dump(content, 2) + "\n";
}

}  // namespace nolapse
