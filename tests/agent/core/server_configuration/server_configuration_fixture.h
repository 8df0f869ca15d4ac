// From the text of a server's configuration to what is understood of it, a line each.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "agent/core/server_configuration.h"
#include "tests/agent/core/config_fixture.h"

namespace nolapse {

using Lines = std::vector<std::string>;

// "FILE:LINE CERTIFICATE key=KEY names=A,B listens=443,8443"
Lines certificates_in(const ServerConfiguration& configuration);
// "FILE:LINE HOST:PORT tls asks=NAME roots=FILE checks=chain,dates,name for=A,B"
Lines upstreams_in(const ServerConfiguration& configuration);

// Reads this file of these files as that server's main file.
ServerConfiguration read_as(const std::string& server, const ConfigFiles& files,
                            const std::string& main);
// Where that is the only file.
ServerConfiguration read_text(const std::string& server, const std::string& main,
                              const std::string& text);

}  // namespace nolapse

namespace doctest {
template <>
struct StringMaker<nolapse::Lines> {
  static String convert(const nolapse::Lines& lines) {
    std::string text;
    for (const std::string& line : lines) text += "\n  " + line;
    return text.c_str();
  }
};
}  // namespace doctest
