// [[ca]]: a certification authority, its account settings and trust anchors. [RFC 8555 §7.1.1,
// §7.3.3 (terms of service), §7.3.4 (external account binding)]
// Files are read here already: a missing key file should fail `config check`, not a renewal at
// night. Their content is never quoted.
#include <string_view>

#include "acme/base64url.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// What stands between the scheme and the first of "/?#".
std::string_view authority_of(std::string_view url) {
  const std::size_t begin = url.find("://");
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = url.substr(begin + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

bool is_visible_ascii(std::string_view text) {
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

std::string read_directory_url(ConfigSection& section, const std::string& key) {
  constexpr const char* form =
      "write the CA's directory URL, such as \"https://ca.example/directory\"";
  const auto url = section.text(key);
  if (!url) return {};
  const std::string_view authority = authority_of(*url);
  if (!has_prefix(*url, "https://")) {
    section.problem(key, "\"" + *url + "\" is not an https URL", form);
  } else if (!is_visible_ascii(*url) || authority.empty() || authority.front() == ':' ||
             authority.find('@') != std::string_view::npos || url->find('#') != std::string::npos) {
    section.problem(key, "\"" + *url + "\" is not a usable URL", form);
  }
  return *url;
}

}  // namespace

std::string read_proxy(ConfigSection& section) {
  const auto url = section.text("proxy");
  if (!url) return {};
  const std::string_view authority = authority_of(*url);
  if (authority.find('@') != std::string_view::npos) {
    // Not quoted: it probably holds a password.
    section.problem("proxy", "holds a user name or password, and secrets are never in this file",
                    "write it without, and let the proxy admit this host by its address");
  } else if (!(has_prefix(*url, "http://") || has_prefix(*url, "https://") ||
               has_prefix(*url, "socks5h://")) ||
             authority.empty() || !is_visible_ascii(*url)) {
    section.problem("proxy", "\"" + *url + "\" is not a proxy URL",
                    "write http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT");
  }
  return *url;
}

namespace {

struct NamedFile {
  std::string path;
  std::optional<std::string> content;  // nothing when absent or reported
};

NamedFile read_named_file(ConfigSection& section, const std::string& key, const Files& files,
                          ConfigUse use) {
  NamedFile file{read_path(section, key), {}};
  if (file.path.empty() || use == ConfigUse::look) return file;
  auto content = files.read(file.path);
  if (content) {
    file.content = std::move(*content);
  } else if (content.error().code == "FILE_MISSING") {
    section.problem(key, file.path + " does not exist", "create it, or correct the path");
  } else if (content.error().code == "PERMISSION_DENIED") {
    section.problem(key, file.path + " may not be read by the user who runs nolapse",
                    "give that user permission to read it, or run nolapse as its owner");
  } else {
    section.problem_at(*section.table().find(key), key, content.error(), "name a readable file");
  }
  return file;
}

std::string read_trust_anchors(ConfigSection& section, const std::string& key, const Files& files,
                               ConfigUse use) {
  NamedFile file = read_named_file(section, key, files, use);
  if (file.content && file.content->find("-----BEGIN ") == std::string::npos) {
    section.problem(key, file.path + " holds no certificate in PEM form",
                    "convert it with: openssl x509 -in FILE -out FILE.pem");
  }
  return file.path;
}

void read_external_account(ConfigSection& section, CaConfig& ca, const ConfigContext& context) {
  ca.eab_key_id = section.text("eab_key_id").value_or("");
  const NamedFile file = read_named_file(section, "eab_hmac_key_file", context.files, context.use);
  ca.eab_hmac_key_file = file.path;
  const bool has_id = section.table().find("eab_key_id") != nullptr;
  const bool has_file = section.table().find("eab_hmac_key_file") != nullptr;
  if (has_id != has_file) {
    section.problem(
        has_id ? "eab_key_id" : "eab_hmac_key_file",
        std::string("needs ") + (has_id ? "eab_hmac_key_file" : "eab_key_id") + " beside it",
        "add the other one; the CA hands out both");
  }
  if (!file.content) return;
  std::string_view key = *file.content;
  while (!key.empty() && std::string_view(" \t\r\n").find(key.back()) != std::string_view::npos) {
    key.remove_suffix(1);
  }
  const auto octets = acme::base64_decode_lenient(key);
  if (!octets || octets->empty()) {
    section.problem("eab_hmac_key_file", file.path + " holds no HMAC key in base64url form",
                    "put the key into it as the CA shows it, and nothing else");
  }
}

}  // namespace

void read_ca(const ConfigNode& table, int number, ConfigContext& context) {
  ConfigSection section(table, "ca", "", context.problems);
  CaConfig ca;
  ca.name = read_name(section, number, context);
  ca.directory = read_directory_url(section, "directory");
  if (table.find("directory") == nullptr) {
    section.problem("directory", "this CA has no directory URL",
                    "add directory = \"https://...\" from the CA's documentation");
  }
  ca.staging = read_directory_url(section, "staging");
  const auto agreed = section.boolean("terms_of_service_agreed");
  ca.terms_of_service_agreed = agreed.value_or(false);
  if (!ca.terms_of_service_agreed && (agreed || !table.find("terms_of_service_agreed"))) {
    section.problem("terms_of_service_agreed", "the CA's terms of service are not agreed to",
                    "read them, then write terms_of_service_agreed = true");
  }
  ca.roots_file = read_trust_anchors(section, "roots", context.files, context.use);
  ca.issuer_roots_file =
      read_trust_anchors(section, "issuer_roots", context.files, ConfigUse::work);
  read_external_account(section, ca, context);
  ca.profile = section.text("profile").value_or("");
  ca.preferred_chain = section.text("preferred_chain").value_or("");
  ca.account_key_type = read_key_type(section, "account_key_type").value_or(ca.account_key_type);
  ca.proxy = read_proxy(section);
  read_rate_limits(section, ca.rate_limits);
  section.refuse_unknown_keys();
  if (!ca.name.empty()) context.config.cas.push_back(std::move(ca));
}

}  // namespace nolapse
