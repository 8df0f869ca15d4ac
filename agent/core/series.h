// A certificate has the series of generations that is in use and, where one is kept, its standby's.
// "shop/standby" names that series wherever "shop" names the certificate: in the Store, on the
// agenda, in outcomes. No configured name has a slash, so the two never meet.
#pragma once

#include <string>

namespace nolapse {

inline std::string standby_name(const std::string& certificate) {
  return certificate + "/standby";
}

inline std::string rehearsal_name(const std::string& certificate) {
  return certificate + "/rehearsal";
}

inline bool is_standby(const std::string& name) {
  return name.find('/') != std::string::npos;
}

inline std::string certificate_of(const std::string& name) {
  return name.substr(0, name.find('/'));
}

// "standby"; empty: the one in use.
inline std::string series_of(const std::string& name) {
  return is_standby(name) ? name.substr(name.find('/') + 1) : std::string();
}

}  // namespace nolapse
