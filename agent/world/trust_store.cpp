// Every certificate in a roots file is an anchor, whether it signed itself or not: the operator
// put it there (X509_V_FLAG_PARTIAL_CHAIN). Security level 1 refuses what browsers refuse (SHA-1
// signatures, RSA below 1024 bits) without the stricter taste of single distributions.
#include "agent/world/trust_store.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>

#include "acme/identifier.h"
#include "agent/world/system_error.h"

namespace nolapse {
namespace {

constexpr std::size_t most_reasons = 4;
constexpr off_t largest_roots_file = 16 << 20;

// Changes whenever the file is replaced or written.
std::string version_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path + " absent";
  return path + " " + std::to_string(status.st_dev) + "." + std::to_string(status.st_ino) + "." +
         std::to_string(status.st_size) + "." + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

std::string default_path(const char* variable, const char* otherwise) {
  const char* const value = std::getenv(variable);
  return value != nullptr ? value : otherwise;
}

std::string identity_of(const std::string& roots_file) {
  if (!roots_file.empty()) return version_of(roots_file);
  return version_of(default_path(X509_get_default_cert_file_env(), X509_get_default_cert_file())) +
         " " +
         version_of(default_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()));
}

Result<void> load_file(X509_STORE* store, const std::string& path) {
  const std::string subject = "cannot read the trust anchors in " + path;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(file_error(errno, subject));
  if (!S_ISREG(status.st_mode) || status.st_size > largest_roots_file) {
    return fail(ErrorKind::local, "FILE_ERROR", subject + ": it is not a file of sane size");
  }
  errno = 0;
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  if (!file) return fail(file_error(errno != 0 ? errno : EIO, subject));
  int count = 0;
  while (X509* const certificate = PEM_read_bio_X509_AUX(file.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
    ++count;
  }
  ERR_clear_error();
  if (count == 0) {
    return fail(ErrorKind::local, "FILE_ERROR", subject + ": no PEM certificate in it");
  }
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

}  // namespace

Result<TrustStore> load_trust_store(const std::string& roots_file) {
  TrustStore store;
  store.identity = identity_of(roots_file);
  store.anchors = {X509_STORE_new(), &X509_STORE_free};
  X509_STORE_set_flags(store.anchors.get(), X509_V_FLAG_TRUSTED_FIRST);
  if (roots_file.empty()) {
    X509_STORE_set_default_paths(store.anchors.get());
    ERR_clear_error();
    return store;
  }
  if (auto loaded = load_file(store.anchors.get(), roots_file); !loaded) {
    return fail(std::move(loaded).error());
  }
  return store;
}

namespace {

std::string text_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return "an unreadable date";
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text;
}

std::string common_name(const X509* certificate) {
  char text[128] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  std::string name;
  for (const char* c = text; *c != '\0'; ++c) name += *c >= ' ' && *c <= '~' ? *c : '?';
  return name;
}

std::string describe(X509_STORE_CTX* context, const std::string& name) {
  const int error = X509_STORE_CTX_get_error(context);
  const int depth = X509_STORE_CTX_get_error_depth(context);
  const X509* const certificate = X509_STORE_CTX_get_current_cert(context);
  std::string which =
      depth == 0 ? "the leaf certificate" : "the certificate at depth " + std::to_string(depth);
  if (certificate != nullptr) {
    if (const std::string subject = common_name(certificate); !subject.empty()) {
      which += " (" + subject + ")";
    }
    if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
      return which + " expired on " + text_of(X509_get0_notAfter(certificate));
    }
    if (error == X509_V_ERR_CERT_NOT_YET_VALID) {
      return which + " is not valid before " + text_of(X509_get0_notBefore(certificate));
    }
  }
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return which + " does not name " + name;
  }
  return which + ": " + X509_verify_cert_error_string(error);
}

struct Reasons {
  const std::string& name;
  std::vector<std::string> texts;
};

int next_reason_index() {
  static const int index = X509_STORE_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// Goes on after an error: an expired leaf of an unknown issuer has both faults.
int collect(int good, X509_STORE_CTX* context) {
  if (good == 1) return 1;
  auto* const reasons =
      static_cast<Reasons*>(X509_STORE_CTX_get_ex_data(context, next_reason_index()));
  std::string text = describe(context, reasons->name);
  const bool known =
      std::find(reasons->texts.begin(), reasons->texts.end(), text) != reasons->texts.end();
  if (!known && reasons->texts.size() < most_reasons) reasons->texts.push_back(std::move(text));
  return 1;
}

}  // namespace

TrustStores::TrustStores(WorkerPool& workers) : workers_(workers) {}

// The files are looked at on the worker as well: they may lie on a slow file system.
void TrustStores::get(const std::string& roots_file, Completion<TrustStore> done) {
  auto& askers = askers_[roots_file];
  askers.push_back(std::move(done));
  if (askers.size() > 1) return;
  const auto known = known_.find(roots_file);
  TrustStore before = known != known_.end() ? known->second : TrustStore{};
  workers_.run(
      [roots_file, before = std::move(before)]() -> Result<TrustStore> {
        if (before.anchors && before.identity == identity_of(roots_file)) return before;
        return load_trust_store(roots_file);
      },
      [this, roots_file](const Result<TrustStore>& result) {
        if (result) known_[roots_file] = *result;
        // Taken out first: who is answered may ask again.
        const auto answered = askers_.extract(roots_file);
        for (const auto& asker : answered.mapped()) asker(result);
      });
}

namespace {

void limit_to_name(X509_VERIFY_PARAM* parameters, const std::string& name) {
  X509_VERIFY_PARAM_set_hostflags(
      parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (acme::canonical_address(name).empty()) {
    X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
  }
}

std::string joined(const std::vector<std::string>& texts) {
  std::string text;
  for (const auto& each : texts) text += (text.empty() ? "" : "; ") + each;
  return text;
}

// `limit` sets what is asked besides the issuers.
std::string verify(const TrustStore& store, const std::vector<X509*>& chain,
                   const std::string& name, const std::function<void(X509_VERIFY_PARAM*)>& limit) {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(
      X509_STORE_CTX_new(), &X509_STORE_CTX_free);
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> untrusted(
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
  for (X509* certificate : chain) sk_X509_push(untrusted.get(), certificate);
  if (X509_STORE_CTX_init(context.get(), store.anchors.get(), chain.front(), untrusted.get()) !=
      1) {
    ERR_clear_error();
    return "the chain could not be checked";
  }
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(parameters, 1);
  limit(parameters);
  Reasons reasons{name, {}};
  X509_STORE_CTX_set_ex_data(context.get(), next_reason_index(), &reasons);
  X509_STORE_CTX_set_verify_cb(context.get(), &collect);
  if (X509_verify_cert(context.get()) != 1 && reasons.texts.empty()) {
    reasons.texts.emplace_back(
        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  ERR_clear_error();
  return joined(reasons.texts);
}

}  // namespace

std::string chain_error(const TrustStore& store, const std::vector<X509*>& chain,
                        const std::string& name) {
  if (chain.empty()) return "no certificate was served";
  return verify(store, chain, name,
                [&name](X509_VERIFY_PARAM* parameters) { limit_to_name(parameters, name); });
}

std::string issuer_error(const TrustStore& store, const std::vector<std::string>& chain_der) {
  std::vector<std::unique_ptr<X509, decltype(&X509_free)>> owners;
  std::vector<X509*> chain;
  for (const std::string& der : chain_der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    owners.emplace_back(d2i_X509(nullptr, &data, static_cast<long>(der.size())), &X509_free);
    chain.push_back(owners.back().get());
    if (chain.back() != nullptr) continue;
    ERR_clear_error();
    return "a certificate of the chain cannot be read";
  }
  if (chain.empty()) return "there is no certificate";
  return verify(store, chain, {}, [](X509_VERIFY_PARAM* parameters) {
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME);
  });
}

}  // namespace nolapse
