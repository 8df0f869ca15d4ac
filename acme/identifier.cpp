#include "acme/identifier.h"

// Pure text conversion; the only OS header outside the world.
#include <arpa/inet.h>
#include <idn2.h>

#include <array>

namespace nolapse::acme {
namespace {

tl::unexpected<Error> refuse(std::string_view text, const std::string& why) {
  return fail(ErrorKind::input, "BAD_NAME", "\"" + std::string(text) + "\" " + why);
}

bool looks_like_address(std::string_view text) {
  return text.find(':') != std::string_view::npos ||
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

// What CAs check before they even look at an order. Boulder's policy is the strictest known.
std::string label_fault(std::string_view label) {
  if (label.empty()) return "has an empty label; remove the extra dot";
  if (label.size() > 63) return "has a label above 63 characters";
  if (label.front() == '-' || label.back() == '-') {
    return "has a label that begins or ends with a hyphen";
  }
  for (const char c : label) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!allowed) {
      return std::string("has the character '") + c + "', which no CA accepts in a host name";
    }
  }
  if (label.size() >= 4 && label.substr(2, 2) == "--" && label.substr(0, 2) != "xn") {
    return "has a label with '--' at the third place that is not an IDN (xn--)";
  }
  return {};
}

// A number, in any base that some program takes for an address's: "0x7f.1" is 127.0.0.1 to it. No
// domain at the top is one. [RFC 3696 §2]
bool is_number(std::string_view label) {
  if (label.substr(0, 2) == "0x") {
    return label.substr(2).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  }
  return label.find_first_not_of("0123456789") == std::string_view::npos;
}

// Nothing in it that IDNA could change or would have to check.
bool is_plain(std::string_view name) {
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") ==
             std::string_view::npos &&
         name.find("xn--") == std::string_view::npos;
}

Result<std::string> to_ascii(std::string_view name, std::string_view original) {
  if (is_plain(name)) return std::string(name);
  char* ascii = nullptr;
  const std::string copy(name);
  const int status = idn2_to_ascii_8z(copy.c_str(), &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  if (status != IDN2_OK) {
    return refuse(original, std::string("is not a valid host name: ") + idn2_strerror(status));
  }
  std::string result(ascii);
  idn2_free(ascii);
  return result;
}

}  // namespace

Result<Identifier> parse_identifier(std::string_view text) {
  if (text.empty()) return refuse(text, "is empty; write a host name or an IP address");
  if (text.find('\0') != std::string_view::npos) return refuse(text, "holds a NUL character");
  if (looks_like_address(text)) {
    const std::string address = canonical_address(text);
    if (address.empty()) return refuse(text, "is neither a host name nor an IP address");
    return Identifier{"ip", address};
  }
  std::string_view name = text;
  const bool wildcard = name.substr(0, 2) == "*.";
  if (wildcard) name.remove_prefix(2);
  if (name.find('*') != std::string_view::npos) {
    return refuse(text, "has a '*' that is not the whole first label");
  }
  if (!name.empty() && name.back() == '.') {
    return refuse(text, "ends with a dot; write it without");
  }
  if (name.find('_') != std::string_view::npos) {
    return refuse(text, "has the character '_', which no CA accepts in a host name");
  }
  auto ascii = to_ascii(name, text);
  if (!ascii) return fail(ascii.error());
  if (ascii->size() > 253) return refuse(text, "is longer than 253 characters");
  std::string_view rest = *ascii;
  int labels = 0;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string fault = label_fault(rest.substr(0, dot));
    if (!fault.empty()) return refuse(text, fault);
    ++labels;
    if (dot == std::string_view::npos && is_number(rest)) {
      return refuse(text,
                    "ends with a number, as an address does; write an address as four "
                    "decimal numbers");
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (labels > 10) return refuse(text, "has more than 10 labels, which no public CA accepts");
  if (wildcard && labels < 2) return refuse(text, "is a wildcard for a whole top-level domain");
  return Identifier{"dns", (wildcard ? "*." : "") + *ascii};
}

std::string canonical_address(std::string_view text) {
  const std::string octets = address_octets(text);
  return octets.empty() ? std::string() : address_text(octets);
}

std::string address_text(std::string_view octets) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), buffer.data(),
                buffer.size()) == nullptr) {
    return {};
  }
  return buffer.data();
}

std::string address_octets(std::string_view address) {
  const std::string copy(address);
  if (copy.find('\0') != std::string::npos) return {};
  std::array<char, 16> octets{};
  if (inet_pton(AF_INET, copy.c_str(), octets.data()) == 1) return {octets.data(), 4};
  if (inet_pton(AF_INET6, copy.c_str(), octets.data()) == 1) return {octets.data(), 16};
  return {};
}

bool is_ipv6(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

bool name_covers(std::string_view pattern, std::string_view name) {
  if (pattern == name) return true;
  if (pattern.substr(0, 2) != "*.") return false;
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(0, 2) != "*." &&
         name.substr(dot) == pattern.substr(1);
}

std::string join(const std::vector<Identifier>& identifiers, std::string_view separator) {
  std::string text;
  for (const Identifier& identifier : identifiers) {
    if (!text.empty()) text += separator;
    text += identifier.value;
  }
  return text;
}

}  // namespace nolapse::acme
