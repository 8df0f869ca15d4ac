// What all JSON documents of the state directory have in common: each is an object with the number
// of the schema it was written in. An older one is lifted to the present schema, step by step,
// before anything in it is read; one of a newer nolapse is refused by name.
//
// New members need no new schema, their absence is their default. A step is for what an older
// nolapse would misunderstand. Schema 1 is the first that there was.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "acme/result.h"

namespace nolapse {

// Of one kind of document: the step at i makes schema i + 2 of schema i + 1, in place. Thus the
// present schema is one more than there are steps.
using SchemaStep = void (*)(nlohmann::json& document);
using SchemaSteps = std::span<const SchemaStep>;

// Error: local BAD_STATE, which quotes nothing of the content; the caller adds the path.
acme::Result<nlohmann::json> open_state_document(std::string_view text, SchemaSteps steps = {});

std::string state_document(nlohmann::json content, SchemaSteps steps = {});

}  // namespace nolapse
