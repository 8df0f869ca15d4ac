// What the configuration format defines and this version cannot do. Such a setting is an error
// that says so; to skip it in silence would leave an operator with a protection that is not there.
// A line goes away with the feature that makes it untrue.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace nolapse {

struct NotYet {
  std::string_view section;  // empty: top level
  std::string_view key;
  std::string_view value = {};  // only this value of the key; empty: the key itself
};

inline constexpr std::array not_yet_supported = {
    NotYet{"storage", "type", "etcd"},
    NotYet{"storage", "endpoints"},
    NotYet{"storage", "prefix"},
    NotYet{"storage", "tls"},
    NotYet{"storage", "encryption_key_file"},
};

inline bool is_not_yet_supported(std::string_view section, std::string_view key,
                                 std::string_view value = {}) {
  return std::any_of(not_yet_supported.begin(), not_yet_supported.end(), [&](const NotYet& entry) {
    return entry.section == section && entry.key == key && entry.value == value;
  });
}

}  // namespace nolapse
