// What text has to go through on its way into a page: names, messages of CAs and hooks are hostile.
#pragma once

#include <string>
#include <string_view>

#include "acme/json_read.h"

namespace nolapse {

// For text and for attributes in double quotes. Control characters become spaces.
inline std::string html_escaped(std::string_view text, std::size_t limit = 2000) {
  std::string escaped;
  for (const char c : acme::printable(text, limit)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace nolapse
