#include "agent/core/diagnosis_pair.h"

#include <algorithm>

#include "agent/core/config_files.h"
#include "agent/core/diagnosis_target.h"

namespace nolapse {
namespace {

// Each block of that label, with its first and last line.
std::vector<std::string> blocks(const std::string& pem, const std::string& label_end) {
  std::vector<std::string> found;
  const std::string begin_mark = "-----BEGIN ";
  for (std::size_t at = pem.find(begin_mark); at != std::string::npos;
       at = pem.find(begin_mark, at + 1)) {
    const std::size_t label = at + begin_mark.size();
    const std::size_t label_stop = pem.find("-----", label);
    if (label_stop == std::string::npos) break;
    const std::string name = pem.substr(label, label_stop - label);
    if (!name.ends_with(label_end)) continue;
    const std::string end_mark = "-----END " + name + "-----";
    const std::size_t end = pem.find(end_mark, label_stop);
    if (end == std::string::npos) break;
    found.push_back(pem.substr(at, end + end_mark.size() - at) + "\n");
  }
  return found;
}

void read_key(PairOnDisk& pair, const Files& files) {
  if (pair.chain.empty()) return;
  std::vector<std::string> keys;
  for (const std::string& path :
       {pair.key_file, pair.certificate_file, pair.certificate_file + ".key"}) {
    if (path.empty() || !keys.empty()) continue;
    const auto pem = files.read(path);
    if (pem) {
      keys = blocks(*pem, "PRIVATE KEY");
    } else if (path == pair.key_file && pem.error().code == "FILE_MISSING") {
      pair.missing = true;
      pair.fault = pem.error().message;
    }
    if (!pair.key_file.empty()) break;
  }
  if (keys.empty()) return;
  const auto key = acme::PrivateKey::from_pem(keys.front());
  pair.mismatched = key && key->public_key_der() != pair.chain.front().public_key_der;
}

// A listener of this host as an address to connect to.
std::string reachable(const std::string& address) {
  if (address.empty() || address == "*" || address == "0.0.0.0") return "127.0.0.1";
  if (address == "[::]" || address == "::" || address == "[*]") return "[::1]";
  return address;
}

}  // namespace

std::vector<acme::Certificate> certificates_in(const std::string& pem) {
  std::vector<acme::Certificate> certificates;
  for (const std::string& block : blocks(pem, "CERTIFICATE")) {
    auto parsed = acme::parse_pem_chain(block);
    if (parsed) certificates.push_back(std::move(parsed->front()));
  }
  return certificates;
}

PairOnDisk read_chain(const ShownCertificate& shown, const Files& files) {
  PairOnDisk pair;
  pair.place = shown.place;
  pair.certificate_file = shown.certificate_file;
  pair.key_file = shown.key_file;
  const auto pem = files.read(shown.certificate_file);
  if (!pem) {
    pair.missing = pem.error().code == "FILE_MISSING";
    pair.fault = pem.error().message;
    return pair;
  }
  pair.chain = certificates_in(*pem);
  if (pair.chain.empty()) pair.fault = shown.certificate_file + " holds no certificate";
  return pair;
}

PairOnDisk read_pair(const ShownCertificate& shown, const Files& files) {
  PairOnDisk pair = read_chain(shown, files);
  read_key(pair, files);
  return pair;
}

std::vector<PairOnDisk> read_siblings(const PairOnDisk& pair, const Files& files) {
  std::vector<PairOnDisk> siblings;
  if (pair.chain.size() != 1) return siblings;
  for (const char* name : {"fullchain.pem", "chain.pem"}) {
    ShownCertificate sibling;
    sibling.certificate_file = directory_of(pair.certificate_file) + "/" + name;
    if (sibling.certificate_file == pair.certificate_file) continue;
    PairOnDisk read = read_chain(sibling, files);
    if (!read.chain.empty()) siblings.push_back(std::move(read));
  }
  return siblings;
}

std::vector<Endpoint> endpoints_of(const ShownCertificate& shown, std::size_t most_names) {
  std::vector<Endpoint> endpoints;
  std::vector<std::string> names;
  for (const std::string& name : shown.names) {
    const auto identifier = acme::parse_identifier(name);
    const bool can_be_asked_for = identifier && !identifier->value.starts_with("*");
    if (can_be_asked_for && names.size() < most_names) names.push_back(identifier->value);
  }
  for (const std::string& listen : shown.listens) {
    const std::size_t colon = listen.rfind(':');
    const std::string address =
        reachable(colon == std::string::npos ? std::string() : listen.substr(0, colon));
    const std::string at =
        address + ":" + (colon == std::string::npos ? listen : listen.substr(colon + 1));
    if (names.empty()) {
      if (auto target = parse_diagnosis_target(at)) endpoints.push_back(target->endpoint);
    }
    for (const std::string& name : names) {
      if (auto target = parse_diagnosis_target(at + "#" + name)) {
        endpoints.push_back(target->endpoint);
      }
    }
  }
  return endpoints;
}

}  // namespace nolapse
