// What lies in a file of others: certificates, a key, both, in any order. Servers and other clients
// keep them in more ways than a CA serves a chain (see parse_pem_chain).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/x509.h"
#include "agent/world/world.h"

namespace nolapse {

struct PemFile {
  std::vector<acme::Certificate> certificates;  // in the order of the file
  std::vector<std::string> broken;              // of blocks that are no certificate, why
  std::string public_key_der;                   // of the private key in it; empty: none is readable
  bool has_key = false;                         // there is one, readable or not
};

PemFile parse_pem_file(std::string_view text);

// Of the first certificate, followed by those that sign it. Of a file in DER, that one.
// Errors: of reading; input NO_CERTIFICATE says what is there instead.
Result<std::vector<acme::Certificate>> read_certificate_file(const Files& files,
                                                             const std::string& path);

// With all symbolic links on the way resolved, so that one file has one name; and so that it can be
// read in the state directory, where no link is followed. Errors as Files::status.
Result<std::string> real_path(const Files& files, const std::string& path);

}  // namespace nolapse
