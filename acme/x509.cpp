#include "acme/x509.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "acme/base64url.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

// The content octets of the DER integer: with the zero in front that keeps it positive.
std::string serial_octets(const X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &data);
  if (size <= 2) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  // Serial numbers have at most 20 octets, so the length takes one. [RFC 5280 §4.1.2.2]
  return der.substr(2);
}

std::string one_line(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string common_name(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return {};
  return octets(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
}

std::vector<Identifier> read_names(const X509* certificate) {
  std::vector<Identifier> found;
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) {
      std::string value = octets(name->d.dNSName);
      std::transform(value.begin(), value.end(), value.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      found.push_back({"dns", std::move(value)});
    } else if (name->type == GEN_IPADD) {
      const std::string raw = octets(name->d.iPAddress);
      if (raw.size() != 4 && raw.size() != 16) continue;
      found.push_back({"ip", address_text(raw)});
    }
  }
  GENERAL_NAMES_free(alternatives);
  std::sort(found.begin(), found.end());
  return found;
}

std::string read_authority_key_identifier(const X509* certificate) {
  auto* extension = static_cast<AUTHORITY_KEYID*>(
      X509_get_ext_d2i(certificate, NID_authority_key_identifier, nullptr, nullptr));
  if (extension == nullptr) return {};
  std::string identifier;
  if (extension->keyid != nullptr) identifier = octets(extension->keyid);
  AUTHORITY_KEYID_free(extension);
  return identifier;
}

bool is_web_url(const std::string& url) {
  return (url.starts_with("http://") || url.starts_with("https://")) &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Without the lists of others than the issuer. [RFC 5280 §4.2.1.13]
std::vector<std::string> read_revocation_list_urls(const X509* certificate) {
  std::vector<std::string> urls;
  auto* points = static_cast<CRL_DIST_POINTS*>(
      X509_get_ext_d2i(certificate, NID_crl_distribution_points, nullptr, nullptr));
  for (int i = 0; i < sk_DIST_POINT_num(points); ++i) {
    const DIST_POINT* point = sk_DIST_POINT_value(points, i);
    if (point->CRLissuer != nullptr || point->distpoint == nullptr || point->distpoint->type != 0) {
      continue;
    }
    const GENERAL_NAMES* names = point->distpoint->name.fullname;
    for (int j = 0; j < sk_GENERAL_NAME_num(names); ++j) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, j);
      if (name->type != GEN_URI) continue;
      std::string url = octets(name->d.uniformResourceIdentifier);
      if (is_web_url(url)) urls.push_back(std::move(url));
    }
  }
  CRL_DIST_POINTS_free(points);
  return urls;
}

std::string public_key_octets(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

bool is_signed_by(const Certificate& child, const Certificate& parent) {
  const X509Pointer subject = decode_certificate(child.der);
  const X509Pointer issuer = decode_certificate(parent.der);
  return subject != nullptr && issuer != nullptr &&
         X509_check_issued(issuer.get(), subject.get()) == X509_V_OK &&
         X509_verify(subject.get(), X509_get0_pubkey(issuer.get())) == 1;
}

tl::unexpected<Error> refuse_chain(const std::string& why) {
  return fail(ErrorKind::transient, "BAD_CERTIFICATE", "the CA issued a certificate that " + why);
}

}  // namespace

std::string fingerprint_sha256(std::string_view der) {
  return hex_encode(sha256(der));
}

Result<Certificate> parse_certificate(std::string_view der) {
  const X509Pointer x509 = decode_to_read(der);
  if (x509 == nullptr) {
    return fail(ErrorKind::transient, "BAD_CERTIFICATE", "not an X.509 certificate");
  }
  Certificate certificate;
  certificate.der = der;
  certificate.serial_number = hex_encode(serial_octets(x509.get()));
  certificate.subject = one_line(X509_get_subject_name(x509.get()));
  certificate.subject_common_name = common_name(X509_get_subject_name(x509.get()));
  certificate.issuer = one_line(X509_get_issuer_name(x509.get()));
  certificate.issuer_common_name = common_name(X509_get_issuer_name(x509.get()));
  certificate.subject_alternative_names = read_names(x509.get());
  certificate.not_before = read_time(X509_get0_notBefore(x509.get())).value_or(Time{});
  certificate.not_after = read_time(X509_get0_notAfter(x509.get())).value_or(Time{});
  certificate.fingerprint_sha256 = acme::fingerprint_sha256(der);
  certificate.public_key_der = public_key_octets(x509.get());
  certificate.authority_key_identifier = read_authority_key_identifier(x509.get());
  certificate.revocation_list_urls = read_revocation_list_urls(x509.get());
  return certificate;
}

Result<std::vector<Certificate>> parse_pem_chain(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::vector<Certificate> chain;
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    const std::string block = name;
    const std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    if (block != "CERTIFICATE") {
      return fail(ErrorKind::transient, "BAD_CERTIFICATE",
                  "a certificate chain holds a \"" + block + "\" block; refused");
    }
    auto certificate = parse_certificate(der);
    if (!certificate) return fail(certificate.error());
    chain.push_back(std::move(*certificate));
  }
  // PEM_read_bio skips what it cannot read; a block that was begun must have been read.
  std::size_t begun = 0;
  for (std::size_t at = pem.find("-----BEGIN "); at != std::string_view::npos;
       at = pem.find("-----BEGIN ", at + 1)) {
    ++begun;
  }
  if (chain.empty() || begun != chain.size()) {
    return fail(ErrorKind::transient, "BAD_CERTIFICATE", "not a certificate chain in PEM form");
  }
  return chain;
}

std::string to_pem(const Certificate& certificate) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio(bio.get(), "CERTIFICATE", "",
                reinterpret_cast<const unsigned char*>(certificate.der.data()),
                static_cast<long>(certificate.der.size()));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// 112 bits of security are the least that the CA/Browser Forum admits: RSA of 2048 bits.
std::string weakness_of(const Certificate& certificate) {
  constexpr int least_security_bits = 112;
  const X509Pointer x509 = decode_certificate(certificate.der);
  if (x509 == nullptr) return {};
  const EVP_PKEY* const key = X509_get0_pubkey(x509.get());
  if (key == nullptr) return "a kind of key that is not known here";
  if (EVP_PKEY_get_security_bits(key) < least_security_bits) {
    return "a " + std::string(EVP_PKEY_get0_type_name(key)) + " key of " +
           std::to_string(EVP_PKEY_get_bits(key)) + " bits";
  }
  int digest = NID_undef;
  X509_get_signature_info(x509.get(), &digest, nullptr, nullptr, nullptr);
  if (digest == NID_md5 || digest == NID_sha1) {
    return std::string("its signature uses ") + OBJ_nid2sn(digest);
  }
  return {};
}

bool names(const Certificate& certificate, const Identifier& identifier) {
  return std::any_of(certificate.subject_alternative_names.begin(),
                     certificate.subject_alternative_names.end(), [&](const Identifier& name) {
                       return name.type == identifier.type &&
                              name_covers(name.value, identifier.value);
                     });
}

Result<void> check_issued_chain(const std::vector<Certificate>& chain,
                                const std::string& public_key_der,
                                const std::vector<Identifier>& identifiers, Time now) {
  if (chain.empty()) return refuse_chain("is missing");
  const Certificate& leaf = chain.front();
  if (leaf.public_key_der != public_key_der) {
    return refuse_chain("does not carry the key that was asked for");
  }
  for (const Identifier& identifier : identifiers) {
    const auto& present = leaf.subject_alternative_names;
    if (std::find(present.begin(), present.end(), identifier) == present.end()) {
      return refuse_chain("does not name " + identifier.value);
    }
  }
  if (leaf.not_after <= now) {
    return refuse_chain("had expired by " + format_rfc3339(leaf.not_after) +
                        "; is this machine's clock right?");
  }
  if (leaf.not_before > now + std::chrono::hours(1)) {
    return refuse_chain("is not valid before " + format_rfc3339(leaf.not_before) +
                        "; is this machine's clock right?");
  }
  return check_signatures(chain);
}

Result<void> check_signatures(const std::vector<Certificate>& chain) {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    if (!is_signed_by(chain[i], chain[i + 1])) {
      return refuse_chain("comes with a broken chain: \"" + chain[i].subject +
                          "\" is not signed by \"" + chain[i + 1].subject + "\"");
    }
  }
  return {};
}

}  // namespace nolapse::acme
