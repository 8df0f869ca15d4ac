#include "agent/core/issuer_anchors.h"

#include <openssl/x509.h>

#include "acme/x509_authority.h"
#include "acme/x509_issuer.h"

namespace nolapse {
namespace {

// In a directory of anchors each is a file that is named after its subject, as OpenSSL's own look
// into it; two of one name are told apart by a number.
std::string anchors_in(const Files& files, const std::string& directory, const std::string& hash) {
  constexpr int most_of_one_name = 10;
  std::string anchors;
  for (int number = 0; number < most_of_one_name; ++number) {
    const auto text = files.read(directory + "/" + hash + "." + std::to_string(number));
    if (!text) break;
    anchors += *text + "\n";
  }
  return anchors;
}

// Those of the system that may stand behind the chain. Where they are is OpenSSL's to say; the
// environment, which may move them for the CA's API, is not the core's to read.
std::string system_anchors(const Files& files, const std::vector<acme::Certificate>& chain) {
  std::string anchors = files.read(X509_get_default_cert_file()).value_or("") + "\n";
  const std::string directories = std::string(X509_get_default_cert_dir()) + ":";
  for (std::size_t begin = 0; begin < directories.size();) {
    const std::size_t end = directories.find(':', begin);
    for (const acme::Certificate& each : chain) {
      const std::string hash = acme::issuer_hash(each.der);
      if (hash.empty()) continue;
      anchors += anchors_in(files, directories.substr(begin, end - begin), hash);
    }
    begin = end + 1;
  }
  return anchors;
}

}  // namespace

Result<void> check_known_issuer(const Files& files, const CaConfig& ca,
                                const std::vector<acme::Certificate>& chain, Time when) {
  if (!ca.issuer_roots_file.empty()) {
    return acme::check_issuer(chain, files.read(ca.issuer_roots_file).value_or(""),
                              "in issuer_roots", when);
  }
  std::string anchors = system_anchors(files, chain);
  if (!ca.roots_file.empty()) anchors += files.read(ca.roots_file).value_or("");
  return acme::check_issuer(chain, anchors, "that this host knows", when);
}

}  // namespace nolapse
