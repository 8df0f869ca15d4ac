// The fake CA's front: routing, authentication of requests, nonces, limits, bad days.
// [RFC 8555 §6, §7.1.1, §7.2]
#include "tests/support/fake_ca.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>

#include "acme/base64url.h"
#include "acme/json_read.h"

namespace nolapse {

namespace {

using acme::HttpHeader;
using acme::HttpRequest;
using acme::HttpResponse;
using nlohmann::json;

constexpr std::size_t nonces_kept = 10'000;  // older ones are bad, as at any CA

constexpr const char* endpoint_names[] = {
    "directory",     "new-nonce", "new-account", "account",     "new-order",          "order",
    "authorization", "challenge", "finalize",    "certificate", "revoke-certificate", "key-change",
    "renewal-info",  "crl",       "unknown"};

std::string http_date(Time time) {
  const std::time_t seconds =
      std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

bool same_field(const std::string& name, const std::string& other) {
  return std::equal(name.begin(), name.end(), other.begin(), other.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

const std::string* find_header(const HttpRequest& request, const std::string& name) {
  for (const HttpHeader& header : request.headers)
    if (same_field(header.name, name)) return &header.value;
  return nullptr;
}

HttpResponse unavailable_page() {
  return {503,
          {{"Content-Type", "text/html"}},
          "<html><head><title>503 Service Unavailable</title></head></html>\n"};
}

}  // namespace

const char* name_of(CaEndpoint endpoint) {
  return endpoint_names[static_cast<std::size_t>(endpoint)];
}

std::string text_member(const json& object, const char* name) {
  return object.is_object() ? acme::string_member(object, name) : "";
}

json problem_json(const Refusal& refusal) {
  const std::string prefix = "urn:ietf:params:acme:error:";
  json document = {
      {"type", prefix + refusal.type}, {"detail", refusal.detail}, {"status", refusal.status}};
  if (!refusal.algorithms.empty()) document["algorithms"] = refusal.algorithms;
  if (!refusal.identifier.empty()) {
    const json identifier = {{"type", "dns"}, {"value", refusal.identifier}};
    document["subproblems"] = json::array({json{
        {"type", prefix + refusal.type}, {"detail", refusal.detail}, {"identifier", identifier}}});
  }
  return document;
}

FakeCa::FakeCa(FakeCaSettings initial_settings, SeededRandom random, Time now)
    : settings(std::move(initial_settings)), random_(random) {
  make_issuers(now);
}

Result<HttpResponse> FakeCa::handle(const HttpRequest& http, Time now) {
  advance(now);
  ++counters_.requests;
  Request request{http, now};
  const std::string prefix = settings.base_url + "/";
  if (http.url == revocation_list_url()) {
    request.endpoint = CaEndpoint::revocation_list;
  } else if (http.url.starts_with(prefix)) {
    const std::string path = http.url.substr(prefix.size());
    const std::size_t slash = std::min(path.find('/'), path.size());
    const auto* const found =
        std::find(std::begin(endpoint_names), std::end(endpoint_names), path.substr(0, slash));
    if (found != std::end(endpoint_names))
      request.endpoint = static_cast<CaEndpoint>(found - std::begin(endpoint_names));
    request.id = slash < path.size() ? path.substr(slash + 1) : "";
  }
  ++counters_.by_endpoint[request.endpoint];
  HttpResponse response;
  for (const CaOutage& outage : settings.outages) {
    if (now < outage.from || now >= outage.until) continue;
    if (outage.kind == CaOutage::Kind::refused)
      return fail(ErrorKind::transient, "CA_UNREACHABLE", http.url + ": connection refused");
    response = unavailable_page();
    if (outage.retry_after) response.headers.push_back(retry_after(now + *outage.retry_after, now));
    return response;
  }
  auto scripted = settings.instead ? settings.instead(request.endpoint, http) : std::nullopt;
  response = scripted ? *scripted : respond(request);
  if (settings.alter) settings.alter(request.endpoint, response);
  const bool ordered = lose_next_.erase(request.endpoint) > 0 || counters_.requests == lose_at_;
  if (ordered || random_.chance(settings.lost_reply_percent))
    return fail(ErrorKind::transient, "CA_UNREACHABLE",
                http.url + ": connection reset by peer before the reply");
  return response;
}

HttpResponse FakeCa::respond(Request& request) {
  Reply reply = dispatch(request);
  HttpResponse response;
  if (reply) {
    response = std::move(*reply);
  } else {
    const Refusal& refusal = reply.error();
    response.status = refusal.status;
    response.headers.push_back({"Content-Type", "application/problem+json"});
    if (!refusal.location.empty()) response.headers.push_back({"Location", refusal.location});
    if (refusal.retry_after)
      response.headers.push_back(retry_after(*refusal.retry_after, request.now));
    response.body = problem_json(refusal).dump();
  }
  if (request.http.method == "POST" || request.endpoint == CaEndpoint::new_nonce)
    response.headers.push_back({"Replay-Nonce", new_nonce()});
  if (request.endpoint != CaEndpoint::directory)
    response.headers.push_back({"Link", "<" + directory_url() + ">;rel=\"index\""});
  if (request.http.method == "HEAD") response.body.clear();
  return response;
}

FakeCa::Reply FakeCa::dispatch(Request& request) {
  const std::string& method = request.http.method;
  const bool get = method == "GET" || method == "HEAD";
  switch (request.endpoint) {
    case CaEndpoint::unknown:
      return refuse(404, "malformed", "no such page");
    case CaEndpoint::directory:
      if (get) return directory();
      break;
    case CaEndpoint::new_nonce:
      if (get)
        return HttpResponse{method == "HEAD" ? 200 : 204, {{"Cache-Control", "no-store"}}, ""};
      break;
    case CaEndpoint::renewal_info:
      if (get) return renewal_info(request);
      break;
    case CaEndpoint::revocation_list:
      if (get) return revocation_list(request);
      break;
    default:
      if (method != "POST") break;
      if (auto known = authenticate(request); !known) return refuse(known.error());
      return dispatch_post(request);
  }
  return refuse(405, "malformed", "method not allowed");
}

FakeCa::Reply FakeCa::dispatch_post(Request& request) {
  switch (request.endpoint) {
    case CaEndpoint::new_account:
      return new_account(request);
    case CaEndpoint::account:
      return account(request);
    case CaEndpoint::key_change:
      return key_change(request);
    case CaEndpoint::new_order:
      return new_order(request);
    case CaEndpoint::order:
      return order(request);
    case CaEndpoint::authorization:
      return authorization(request);
    case CaEndpoint::challenge:
      return challenge(request);
    case CaEndpoint::finalize:
      return finalize(request);
    case CaEndpoint::certificate:
      return certificate(request);
    case CaEndpoint::revoke_certificate:
      return revoke_certificate(request);
    default:
      return refuse(404, "malformed", "no such page");
  }
}

// [RFC 8555 §6.2, §6.4, §6.5]
Answer<void> FakeCa::authenticate(Request& request) {
  const std::string* content_type = find_header(request.http, "Content-Type");
  if (content_type == nullptr || *content_type != "application/jose+json")
    return refuse(415, "malformed", "Content-Type must be application/jose+json");
  if (find_header(request.http, "Replay-Nonce") != nullptr)
    return refuse(400, "malformed", "Replay-Nonce is no field of a request");
  auto message = parse_jws(json::parse(request.http.body, nullptr, false));
  if (!message) return refuse(message.error());
  request.jws = std::move(*message);
  if (auto nonce = spend_nonce(request.jws.text("nonce")); !nonce) return nonce;
  if (request.jws.text("url") != request.http.url)
    return refuse(403, "unauthorized",
                  "the JWS is for '" + request.jws.text("url") + "', not for " + request.http.url);
  if (auto key = find_key(request); !key) return key;
  if (auto good = verify_signature(request.jws, request.key); !good) return good;
  if (request.jws.payload.empty()) return {};
  request.payload = json::parse(request.jws.payload, nullptr, false);
  if (!request.payload.is_object())
    return refuse(400, "malformed", "the payload is no JSON object");
  return {};
}

Answer<void> FakeCa::spend_nonce(const std::string& nonce) {
  const bool known = nonces_.erase(nonce) == 1;
  if (known && !random_.chance(settings.nonce_reject_percent)) return {};
  ++counters_.bad_nonces;
  return refuse(400, "badNonce", known ? "nonce has expired" : "unknown nonce");
}

Answer<void> FakeCa::find_key(Request& request) {
  const json& header = request.jws.header;
  const bool by_key = header.contains("jwk");
  if (by_key == header.contains("kid"))
    return refuse(400, "malformed", "the protected header needs either jwk or kid");
  const bool new_account = request.endpoint == CaEndpoint::new_account;
  if (by_key != new_account && request.endpoint != CaEndpoint::revoke_certificate)
    return refuse(400, "malformed", new_account ? "newAccount needs jwk" : "this needs kid");
  if (by_key) {
    auto key = parse_jwk(header["jwk"]);
    if (!key) return refuse(key.error());
    request.key = std::move(*key);
    return {};
  }
  const std::string kid = request.jws.text("kid");
  for (const auto& [id, account] : accounts_) {
    if (kid != url("account", id)) continue;
    if (account.status != "valid")
      return refuse(403, "unauthorized", "the account is " + account.status);
    request.account = id;
    request.key = account.key;
    return {};
  }
  return refuse(400, "accountDoesNotExist", "no account has the URL '" + kid + "'");
}

FakeCa::Reply FakeCa::directory() const {
  const std::string& base = settings.base_url;
  json meta = {{"externalAccountRequired", settings.external_account_required},
               {"caaIdentities", settings.caa_identities}};
  if (settings.terms_of_service) meta["termsOfService"] = base + "/terms";
  for (const auto& [name, profile] : settings.profiles)
    meta["profiles"][name] = profile.description;
  json document = {{"newNonce", base + "/new-nonce"},
                   {"newAccount", base + "/new-account"},
                   {"newOrder", base + "/new-order"},
                   {"revokeCert", base + "/revoke-certificate"},
                   {"keyChange", base + "/key-change"},
                   {"meta", meta},
                   {"unknown-member", "clients must ignore this"}};
  if (settings.renewal_info) document["renewalInfo"] = base + "/renewal-info";
  return HttpResponse{200, {{"Content-Type", "application/json"}}, document.dump()};
}

std::string FakeCa::new_token() {
  return acme::base64url_encode(random_.octets(16));
}

std::string FakeCa::new_nonce() {
  std::string nonce = new_token();
  nonces_.insert(nonce);
  nonces_by_age_.push_back(nonce);
  if (nonces_by_age_.size() > nonces_kept) {
    nonces_.erase(nonces_by_age_.front());
    nonces_by_age_.pop_front();
  }
  return nonce;
}

std::string FakeCa::url(const std::string& kind, const std::string& id) const {
  return settings.base_url + "/" + kind + "/" + id;
}

// Of one width, so that the order in a map is the order of making.
std::string FakeCa::new_id() {
  char text[16];
  std::snprintf(text, sizeof text, "%06u", static_cast<unsigned>(++last_id_));
  return text;
}

HttpHeader FakeCa::retry_after(Time at, Time now) const {
  if (settings.retry_after_as_date) return {"Retry-After", http_date(at)};
  const auto wait =
      std::max(std::chrono::ceil<std::chrono::seconds>(at - now), std::chrono::seconds(0));
  return {"Retry-After", std::to_string(wait.count())};
}

Answer<void> FakeCa::check_limit(const std::string& what, const CaLimit& limit, Time now) {
  if (limit.count == 0) return {};
  std::deque<Time>& times = spent_[what];
  std::erase_if(times, [&](Time time) { return time + limit.window <= now; });
  if (times.size() < limit.count) return {};
  ++counters_.rate_limited;
  last_limit_ = "too many " + what;
  Refusal refusal{429, "rateLimited", "too many " + what};
  refusal.retry_after = times[times.size() - limit.count] + limit.window;
  return refuse(refusal);
}

void FakeCa::count_towards_limit(const std::string& what, Time now) {
  std::deque<Time>& times = spent_[what];
  times.push_back(now);
  if (times.size() > CaLimit::largest_count) times.pop_front();
}

std::string FakeCa::orders_by(const std::string& account) {
  return "orders by account " + account;
}

std::string FakeCa::failures_of(const std::string& account, const std::string& name) {
  return "failed authorizations of " + name + " by account " + account;
}

std::string FakeCa::certificates_for(const std::vector<acme::Identifier>& identifiers) {
  return "certificates for " + acme::join(identifiers, ",");
}

}  // namespace nolapse
