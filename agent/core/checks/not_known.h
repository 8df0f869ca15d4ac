// What a check says where it may not look, or cannot: nobody knows, and that is never fine. A file
// that is damaged has a finding of its own; here it only keeps others from being called good.
#pragma once

#include <string>

#include "agent/core/self_test.h"

namespace nolapse {

inline constexpr const char* look_as_owner =
    "run `nolapse check` as root or as the user who runs nolapse";

inline bool is_denied(const Error& error) {
  return error.code == "PERMISSION_DENIED";
}

inline Finding not_known(const char* code, std::string summary, const Error& error) {
  return {code,
          {},
          {},
          FindingSeverity::unknown,
          std::move(summary),
          error.message,
          is_denied(error) ? look_as_owner : "correct what the evidence names",
          {}};
}

// The newest generation of a certificate; null: none was issued yet. An error: nobody knows.
inline Result<const Generation*> newest_of(const CheckContext& context,
                                           const CertificateSpec& spec) {
  if (const auto& generation = context.status_of(spec).generation) return &*generation;
  const auto newest = context.store.newest_generation(spec.name);
  if (!newest) return fail(newest.error());
  return nullptr;
}

}  // namespace nolapse
