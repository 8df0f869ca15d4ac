#include "acme/signing_request.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "acme/json_read.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using Request = std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)>;

constexpr const char* make_one =
    "make one with: openssl req -new -key KEY -subj / -addext subjectAltName=DNS:NAME";

tl::unexpected<Error> refuse(const std::string& what, const std::string& fix) {
  return fail(ErrorKind::input, "BAD_SIGNING_REQUEST", what + "; " + fix);
}

struct Block {
  std::string name;
  std::string der;
};

std::optional<Block> first_block(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) return {};
  Block block{name, {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)}};
  OPENSSL_free(name);
  OPENSSL_free(header);
  // It may have been a key.
  OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  return block;
}

Request decode(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = data + der.size();
  Request request(d2i_X509_REQ(nullptr, &data, static_cast<long>(der.size())), X509_REQ_free);
  if (request != nullptr && data != end) request.reset();
  return request;
}

Result<std::string> read_der(std::string_view pem) {
  const auto block = first_block(pem);
  if (!block) {
    if (decode(pem) != nullptr) {
      return refuse("it is in DER form, not PEM",
                    "convert it with: openssl req -inform DER -in OLD -out NEW");
    }
    return refuse("it is no certificate signing request in PEM form", make_one);
  }
  if (block->name != PEM_STRING_X509_REQ && block->name != PEM_STRING_X509_REQ_OLD) {
    return refuse("it holds a " + printable(block->name, 40) + ", no certificate signing request",
                  make_one);
  }
  const std::string_view begin = "-----BEGIN ";
  if (pem.find(begin, pem.find(begin) + 1) != std::string_view::npos) {
    return refuse("it holds more than the certificate signing request",
                  "leave only that block in it");
  }
  return block->der;
}

// Nothing where it is one that CAs take.
std::optional<std::string> weak_digest(const X509_REQ* request) {
  int digest = NID_undef;
  if (OBJ_find_sigid_algs(X509_REQ_get_signature_nid(request), &digest, nullptr) != 1) return {};
  if (digest != NID_md5 && digest != NID_sha1) return {};
  return OBJ_nid2sn(digest);
}

std::string describe(const EVP_PKEY* key) {
  const char* kind = EVP_PKEY_get0_type_name(key);
  return std::string(kind == nullptr ? "unknown" : kind) + " of " +
         std::to_string(EVP_PKEY_get_bits(key)) + " bits";
}

Result<std::vector<Identifier>> read_names(X509_REQ* request) {
  using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), void (*)(STACK_OF(X509_EXTENSION)*)>;
  const Extensions extensions(X509_REQ_get_extensions(request),
                              [](STACK_OF(X509_EXTENSION) * stack) {
                                sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
                              });
  const GeneralNames names(static_cast<GENERAL_NAMES*>(X509V3_get_d2i(
                               extensions.get(), NID_subject_alt_name, nullptr, nullptr)),
                           GENERAL_NAMES_free);
  std::vector<Identifier> identifiers;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    std::string text;
    if (name->type == GEN_DNS) text = octets(name->d.dNSName);
    if (name->type == GEN_IPADD) text = address_text(octets(name->d.iPAddress));
    if (text.empty()) {
      return refuse("it asks for a name that is neither a host name nor an address",
                    "make it anew without that one");
    }
    auto identifier = parse_identifier(printable(text, 260));
    if (!identifier) return refuse("its name " + identifier.error().message, "make it anew");
    identifiers.push_back(std::move(*identifier));
  }
  std::sort(identifiers.begin(), identifiers.end());
  identifiers.erase(std::unique(identifiers.begin(), identifiers.end()), identifiers.end());
  return identifiers;
}

// CAs take a common name for one more name. Empty: there is none.
std::string common_name(const X509_REQ* request) {
  const X509_NAME* subject = X509_REQ_get_subject_name(request);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return printable(octets(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index))), 80);
}

std::string public_key_octets(EVP_PKEY* key) {
  unsigned char* data = nullptr;
  const int size = i2d_PUBKEY(key, &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

}  // namespace

Result<SigningRequest> parse_signing_request(std::string_view pem) {
  auto der = read_der(pem);
  if (!der) return fail(der.error());
  const Request request = decode(*der);
  EVP_PKEY* raw_key = request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get());
  if (raw_key == nullptr) return refuse("it is damaged", "make it anew");
  const PrivateKey key(raw_key);  // its public half
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return refuse("its signature is not that of its key: it was damaged or changed",
                  "make it anew");
  }
  if (const auto digest = weak_digest(request.get())) {
    return refuse("it is signed with " + *digest + ", which CAs refuse",
                  "make it anew with -sha256");
  }
  const auto type = key.type();
  if (!type) {
    return refuse("its key (" + describe(key.get()) + ") is none that CAs take",
                  "make it with a key on P-256 or P-384, or of RSA with 2048, 3072 or 4096 bits");
  }
  auto identifiers = read_names(request.get());
  if (!identifiers) return fail(identifiers.error());
  if (identifiers->empty()) return refuse("it has no subjectAltName, so it names nobody", make_one);
  if (const std::string name = common_name(request.get()); !name.empty()) {
    const auto as_name = parse_identifier(name);
    if (!as_name ||
        std::find(identifiers->begin(), identifiers->end(), *as_name) == identifiers->end()) {
      return refuse("its common name \"" + name + "\" is not in its subjectAltName",
                    "CAs take it for a name, so leave it out (-subj /) or add it there");
    }
  }
  return SigningRequest{std::move(*der), public_key_octets(key.get()), *type,
                        std::move(*identifiers)};
}

std::string to_pem(const SigningRequest& request) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio(bio.get(), PEM_STRING_X509_REQ, "",
                reinterpret_cast<const unsigned char*>(request.der.data()),
                static_cast<long>(request.der.size()));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace nolapse::acme
