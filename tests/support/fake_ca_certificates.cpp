// The fake CA's certificates: CSRs, issuance, chains, download, revocation, renewal windows.
// [RFC 8555 §7.4, §7.4.2, §7.6, RFC 9773]
#include <algorithm>

#include "acme/base64url.h"
#include "acme/json_read.h"
#include "tests/support/fake_ca.h"
#include "tests/support/signing_request.h"

namespace nolapse {

using acme::HttpResponse;
using acme::Identifier;
using nlohmann::json;

namespace {

// Content octets of the DER INTEGER: a zero in front where the top bit is set.
std::string integer_octets(const std::string& unsigned_octets) {
  const bool top_bit = (static_cast<unsigned char>(unsigned_octets.front()) & 0x80U) != 0;
  return (top_bit ? std::string(1, '\0') : std::string()) + unsigned_octets;
}

}  // namespace

void FakeCa::make_issuers(Time now) {
  const Time from = now - std::chrono::hours(24 * 365);
  const Time until = now + std::chrono::hours(24 * 365 * 20);
  root_ = TestIssuer::root(settings.name + " Root", from, until);
  for (std::size_t i = 0; i < settings.intermediates; ++i) {
    const TestIssuer& above = intermediates_.empty() ? root_ : intermediates_.back();
    intermediates_.push_back(
        above.intermediate(settings.name + " Intermediate " + std::to_string(i + 1)));
  }
  for (std::size_t i = 0; i < settings.alternate_chains && !intermediates_.empty(); ++i)
    alternate_roots_.push_back(
        TestIssuer::root(settings.name + " Alternate Root " + std::to_string(i + 1), from, until));
}

std::vector<std::string> FakeCa::trust_anchors() const {
  std::vector<std::string> anchors{root_.certificate()};
  for (const TestIssuer& each : alternate_roots_) anchors.push_back(each.certificate());
  return anchors;
}

FakeCa::Reply FakeCa::finalize(const Request& request) {
  const auto found = orders_.find(request.id);
  if (found == orders_.end()) return refuse(404, "malformed", "no such order");
  CaOrder& order = found->second;
  if (order.account != request.account)
    return refuse(403, "unauthorized", "another account's order");
  refresh(order, request.now);
  if (order.status != "ready") return refuse(403, "orderNotReady", "the order is " + order.status);
  const auto der = acme::base64url_decode(text_member(request.payload, "csr"));
  if (!der || der->empty()) return refuse(400, "malformed", "csr is not base64url");
  auto key = check_signing_request(*der, order.identifiers, accounts_.at(order.account).key);
  if (!key) return refuse(key.error());
  order.certificate_key = std::move(*key);
  order.status = "processing";
  order.issue_at = request.now + settings.processing_delay;
  if (settings.processing_delay == Duration(0)) {
    issue(order);
  } else {
    plan(*order.issue_at, Task::issue, order.id);
  }
  Reply reply = order_reply(order, request.now, 200);
  if (reply && !settings.finalize_location)
    std::erase_if(reply->headers, [](const auto& header) { return header.name == "Location"; });
  return reply;
}

void FakeCa::issue(CaOrder& order) {
  const Time at = *order.issue_at;
  order.issue_at.reset();
  const TestIssuer& issuer = intermediates_.empty() ? root_ : intermediates_.back();
  const auto profile = settings.profiles.find(order.profile);
  CaCertificate certificate;
  certificate.id = new_id();
  certificate.order = order.id;
  certificate.account = order.account;
  certificate.identifiers = order.identifiers;
  certificate.key = order.certificate_key;
  certificate.not_before = std::chrono::floor<std::chrono::seconds>(at - settings.backdate);
  certificate.not_after =
      certificate.not_before + (profile == settings.profiles.end() ? settings.certificate_lifetime
                                                                   : profile->second.lifetime);
  std::string serial = random_.octets(16);
  if (serial.front() == '\0') serial.front() = '\x01';
  LeafOptions leaf;
  leaf.identifiers = order.identifiers;
  leaf.not_before = certificate.not_before;
  leaf.not_after = certificate.not_after;
  leaf.serial = serial;
  if (settings.revocation_list) leaf.revocation_list_urls = {revocation_list_url()};
  certificate.serial = serial;
  certificate.leaf = issuer.issue(leaf, order.certificate_key);
  certificate.renewal_id = acme::base64url_encode(issuer.key_identifier()) + "." +
                           acme::base64url_encode(integer_octets(serial));
  std::vector<std::string> chain{certificate.leaf};
  for (std::size_t i = intermediates_.size(); i-- > 0;)
    chain.push_back(intermediates_[i].certificate());
  certificate.chains.push_back(chain);
  for (const TestIssuer& alternate : alternate_roots_) {
    chain.back() = alternate.cross_sign(intermediates_.front());
    certificate.chains.push_back(chain);
  }
  order.status = "valid";
  order.certificate = certificate.id;
  ++counters_.certificates_issued;
  count_towards_limit(certificates_for(order.identifiers), at);
  issued_sets_.insert(certificates_for(order.identifiers));
  certificates_by_renewal_id_[certificate.renewal_id] = certificate.id;
  forget_at(certificate.not_after, Memory::certificate, certificate.id);
  certificates_[certificate.id] = std::move(certificate);
}

FakeCa::Reply FakeCa::certificate(const Request& request) {
  const std::size_t slash = request.id.find('/');
  const auto found = certificates_.find(request.id.substr(0, slash));
  if (found == certificates_.end()) return refuse(404, "malformed", "no such certificate");
  const CaCertificate& certificate = found->second;
  if (certificate.account != request.account)
    return refuse(403, "unauthorized", "another account's certificate");
  std::size_t wanted = 0;
  if (slash != std::string::npos) {
    for (std::size_t i = 1; i < certificate.chains.size(); ++i)
      if (request.id.substr(slash + 1) == std::to_string(i)) wanted = i;
    if (wanted == 0) return refuse(404, "malformed", "no such chain");
  }
  HttpResponse response{200,
                        {{"Content-Type", "application/pem-certificate-chain"}},
                        pem_of(certificate.chains[wanted])};
  for (std::size_t i = 0; i < certificate.chains.size(); ++i) {
    if (i == wanted) continue;
    const std::string suffix = i == 0 ? "" : "/" + std::to_string(i);
    response.headers.push_back(
        {"Link", "<" + url("certificate", certificate.id) + suffix + ">;rel=\"alternate\""});
  }
  return response;
}

FakeCa::Reply FakeCa::revoke_certificate(const Request& request) {
  const auto der = acme::base64url_decode(text_member(request.payload, "certificate"));
  if (!der || der->empty()) return refuse(400, "malformed", "certificate is not base64url");
  const auto reason = acme::integer_member(request.payload, "reason").value_or(0);
  for (auto& [id, certificate] : certificates_) {
    if (certificate.leaf != *der) continue;
    const bool own = request.account.empty() ? same_key(request.key, certificate.key)
                                             : certificate.account == request.account;
    if (!own) return refuse(403, "unauthorized", "the certificate belongs to somebody else");
    if (reason != 0 && reason != 1 && reason != 4 && reason != 5)
      return refuse(400, "badRevocationReason", "reasons 0, 1, 4 and 5 are accepted");
    if (certificate.revoked) return refuse(400, "alreadyRevoked", "it has been revoked before");
    revoke(id, request.now, static_cast<int>(reason));
    return HttpResponse{200, {}, ""};
  }
  return refuse(404, "malformed", "this CA did not issue the certificate");
}

void FakeCa::revoke(const std::string& id, Time now, int reason) {
  CaCertificate& certificate = certificates_.at(id);
  certificate.revoked = now;
  certificate.revocation_reason = reason;
}

std::string FakeCa::revocation_list_url() const {
  return "http" + settings.base_url.substr(settings.base_url.find(':')) + "/crl";
}

// As Let's Encrypt's: it names the place where it is to be found. [RFC 5280 §5.2.5]
FakeCa::Reply FakeCa::revocation_list(const Request& request) const {
  if (!settings.revocation_list || request.http.url != revocation_list_url())
    return refuse(404, "malformed", "no such page");
  RevocationListOptions list;
  list.this_update = request.now - std::chrono::hours(1);
  list.next_update = request.now + std::chrono::hours(24 * 7);
  list.place = revocation_list_url();
  for (const auto& [id, certificate] : certificates_) {
    if (!certificate.revoked) continue;
    list.revoked.push_back(
        {certificate.serial, *certificate.revoked, certificate.revocation_reason});
  }
  const TestIssuer& issuer = intermediates_.empty() ? root_ : intermediates_.back();
  return HttpResponse{
      200, {{"Content-Type", "application/pkix-crl"}}, issuer.sign_revocation_list(list)};
}

const CaCertificate* FakeCa::certificate_with_renewal_id(const std::string& renewal_id) const {
  const auto found = certificates_by_renewal_id_.find(renewal_id);
  return found == certificates_by_renewal_id_.end() ? nullptr : &certificates_.at(found->second);
}

// Boulder's rule: two thirds of the lifetime (half below ten days), one per cent either side; in
// the past once revoked.
FakeCa::Reply FakeCa::renewal_info(const Request& request) const {
  const CaCertificate* certificate = certificate_with_renewal_id(request.id);
  if (!settings.renewal_info || certificate == nullptr)
    return refuse(404, "malformed", "no such certificate");
  const Duration lifetime = certificate->not_after - certificate->not_before;
  const Time ideal =
      certificate->not_after - lifetime / (lifetime < std::chrono::hours(240) ? 2 : 3);
  CaWindow window =
      settings.renewal_window.value_or(CaWindow{ideal - lifetime / 100, ideal + lifetime / 100});
  if (certificate->revoked)
    window = {*certificate->revoked - std::chrono::hours(1),
              *certificate->revoked - std::chrono::minutes(30)};
  const json document = {
      {"suggestedWindow",
       {{"start", acme::format_rfc3339(window.start)}, {"end", acme::format_rfc3339(window.end)}}}};
  HttpResponse response{200, {{"Content-Type", "application/json"}}, document.dump()};
  response.headers.push_back(
      retry_after(request.now + settings.renewal_info_retry_after, request.now));
  return response;
}

}  // namespace nolapse
