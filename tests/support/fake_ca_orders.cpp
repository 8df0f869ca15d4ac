// The fake CA's orders: what may be ordered, reuse, limits, status. [RFC 8555 §7.1.6, §7.4]
#include <algorithm>

#include "acme/json_read.h"
#include "tests/support/fake_ca.h"

namespace nolapse {

using acme::HttpResponse;
using acme::Identifier;
using nlohmann::json;

Answer<std::vector<Identifier>> FakeCa::read_identifiers(const Request& request) const {
  std::vector<Identifier> identifiers;
  for (const json& each : acme::array_member(request.payload, "identifiers")) {
    const Identifier identifier{text_member(each, "type"), text_member(each, "value")};
    if (identifier.type != "dns" && !(identifier.type == "ip" && settings.ip_identifiers))
      return refuse(400, "unsupportedIdentifier", "type '" + identifier.type + "'");
    const auto canonical = acme::parse_identifier(identifier.value);
    if (!canonical || *canonical != identifier)
      return refuse(400, "malformed", "'" + identifier.value + "' is not in canonical form");
    if (settings.rejected_identifiers.contains(identifier.value)) {
      Refusal refusal{400, "rejectedIdentifier", "policy forbids " + identifier.value};
      refusal.identifier = identifier.value;
      return refuse(refusal);
    }
    identifiers.push_back(identifier);
  }
  if (identifiers.empty()) return refuse(400, "malformed", "an order needs identifiers");
  std::sort(identifiers.begin(), identifiers.end());
  if (std::adjacent_find(identifiers.begin(), identifiers.end()) != identifiers.end())
    return refuse(400, "malformed", "an identifier is there twice");
  return identifiers;
}

Answer<void> FakeCa::check_order_limits(const Request& request,
                                        const std::vector<Identifier>& identifiers) {
  if (!is_exempt(identifiers)) {
    auto fits = check_limit(orders_by(request.account), settings.orders_per_account, request.now);
    if (!fits) return fits;
  }
  if (auto fits =
          check_limit(certificates_for(identifiers), settings.certificates_per_set, request.now);
      !fits)
    return fits;
  for (const Identifier& each : identifiers) {
    auto fits = check_limit(failures_of(request.account, each.value),
                            settings.failures_per_identifier, request.now);
    if (!fits) return fits;
  }
  return {};
}

// [RFC 9773 §5]
Answer<void> FakeCa::check_replaces(const Request& request,
                                    const std::vector<Identifier>& identifiers) const {
  const std::string renewal_id = text_member(request.payload, "replaces");
  if (renewal_id.empty()) return {};
  if (!settings.replaces_refusal.empty())
    return refuse(409, settings.replaces_refusal, "this CA refuses `replaces`");
  const CaCertificate* old = certificate_with_renewal_id(renewal_id);
  if (old == nullptr) return refuse(404, "malformed", "`replaces` names no certificate");
  if (old->account != request.account)
    return refuse(403, "unauthorized", "`replaces` names another account's certificate");
  const auto replacement = orders_.find(old->replaced_by);
  if (replacement != orders_.end() && replacement->second.status != "invalid")
    return refuse(409, "alreadyReplaced", "the certificate has its replacement");
  const bool shared = std::any_of(identifiers.begin(), identifiers.end(), [&](const auto& each) {
    return std::find(old->identifiers.begin(), old->identifiers.end(), each) !=
           old->identifiers.end();
  });
  if (!shared) return refuse(400, "malformed", "`replaces` shares no identifier");
  return {};
}

namespace {

std::string usable_key(const std::string& account, const Identifier& identifier) {
  return account + " " + identifier.type + " " + identifier.value;
}

}  // namespace

std::string FakeCa::authorization_for(const std::string& account, const Identifier& identifier,
                                      Time now) {
  auto& candidates = usable_authorizations_[usable_key(account, identifier)];
  std::erase_if(candidates, [&](const std::string& id) {
    const auto each = authorizations_.find(id);
    return each == authorizations_.end() || each->second.expires <= now ||
           (each->second.status != "pending" && each->second.status != "valid");
  });
  for (const std::string& id : candidates) {
    const bool pending = authorizations_.at(id).status == "pending";
    if (pending ? settings.reuse_pending_authorizations : settings.reuse_authorizations) return id;
  }
  CaAuthorization fresh;
  fresh.id = new_id();
  fresh.account = account;
  fresh.wildcard = identifier.value.starts_with("*.");
  fresh.identifier = {identifier.type, identifier.value.substr(fresh.wildcard ? 2 : 0)};
  fresh.expires = now + settings.order_lifetime;
  if (!fresh.wildcard) {
    add_challenge(fresh, "http-01");
    add_challenge(fresh, "tls-alpn-01");
  }
  if (identifier.type == "dns") {
    add_challenge(fresh, "dns-01");
    add_challenge(fresh, "dns-persist-01");
  }
  shuffle(fresh.challenges);
  const std::string id = fresh.id;
  candidates.insert(id);
  forget_at(fresh.expires, Memory::authorization, id);
  authorizations_[id] = std::move(fresh);
  return id;
}

CaOrder* FakeCa::reusable_order(const CaOrder& wanted) {
  if (!settings.reuse_orders) return nullptr;
  for (const std::string& id : open_orders_) {
    CaOrder& each = orders_.at(id);
    const bool open = each.status == "pending" || each.status == "ready";
    if (open && each.account == wanted.account && each.identifiers == wanted.identifiers &&
        each.profile == wanted.profile)
      return &each;
  }
  return nullptr;
}

FakeCa::Reply FakeCa::new_order(const Request& request) {
  auto identifiers = read_identifiers(request);
  if (!identifiers) return refuse(identifiers.error());
  CaOrder wanted;
  wanted.account = request.account;
  wanted.identifiers = std::move(*identifiers);
  wanted.profile = text_member(request.payload, "profile");
  wanted.replaces = text_member(request.payload, "replaces");
  if (!wanted.profile.empty() && !settings.profiles.contains(wanted.profile))
    return refuse(400, "invalidProfile", "no profile is called '" + wanted.profile + "'");
  if (auto fine = check_replaces(request, wanted.identifiers); !fine) return refuse(fine.error());
  refresh_open_orders(request.now);
  if (CaOrder* known = reusable_order(wanted)) return order_reply(*known, request.now, 201);
  if (auto fits = check_order_limits(request, wanted.identifiers); !fits)
    return refuse(fits.error());
  if (!is_exempt(wanted.identifiers)) {
    count_towards_limit(orders_by(request.account), request.now);
  }
  wanted.id = new_id();
  wanted.expires = request.now + settings.order_lifetime;
  for (const Identifier& each : wanted.identifiers)
    wanted.authorizations.push_back(authorization_for(request.account, each, request.now));
  shuffle(wanted.authorizations);
  const auto replaced = certificates_by_renewal_id_.find(wanted.replaces);
  if (replaced != certificates_by_renewal_id_.end())
    certificates_.at(replaced->second).replaced_by = wanted.id;
  ++counters_.orders_created;
  forget_at(wanted.expires, Memory::order, wanted.id);
  open_orders_.insert(wanted.id);
  CaOrder& made = orders_[wanted.id] = wanted;
  refresh(made, request.now);
  return order_reply(made, request.now, 201);
}

FakeCa::Reply FakeCa::order(const Request& request) {
  const auto found = orders_.find(request.id);
  if (found == orders_.end()) return refuse(404, "malformed", "no such order");
  if (found->second.account != request.account)
    return refuse(403, "unauthorized", "another account's order");
  refresh(found->second, request.now);
  return order_reply(found->second, request.now, 200);
}

FakeCa::Reply FakeCa::order_reply(const CaOrder& order, Time now, int status) {
  json document = {{"status", order.status},
                   {"expires", acme::format_rfc3339(order.expires)},
                   {"finalize", url("finalize", order.id)},
                   {"identifiers", json::array()},
                   {"authorizations", json::array()}};
  auto identifiers = order.identifiers;
  shuffle(identifiers);
  for (const Identifier& each : identifiers)
    document["identifiers"].push_back({{"type", each.type}, {"value", each.value}});
  for (const std::string& id : order.authorizations)
    document["authorizations"].push_back(url("authorization", id));
  if (!order.profile.empty()) document["profile"] = order.profile;
  if (!order.replaces.empty()) document["replaces"] = order.replaces;
  if (!order.error.is_null()) document["error"] = order.error;
  if (order.status == "valid") document["certificate"] = url("certificate", order.certificate);
  HttpResponse response{status, {{"Content-Type", "application/json"}}, document.dump()};
  response.headers.push_back({"Location", url("order", order.id)});
  if (order.status == "processing" && settings.retry_after > Duration(0))
    response.headers.push_back(retry_after(now + settings.retry_after, now));
  return response;
}

void FakeCa::refresh_open_orders(Time now) {
  std::erase_if(open_orders_, [&](const std::string& id) {
    CaOrder& order = orders_.at(id);
    refresh(order, now);
    return order.status != "pending" && order.status != "ready";
  });
}

// [RFC 8555 §7.1.6]
void FakeCa::refresh(CaOrder& order, Time now) {
  if (order.status != "pending" && order.status != "ready") return;
  bool all_valid = true;
  for (const std::string& id : order.authorizations) {
    CaAuthorization& each = authorizations_.at(id);
    if (each.status == "pending" && each.expires <= now) each.status = "invalid";
    if (each.status == "valid" && each.expires <= now) each.status = "expired";
    if (each.status != "pending" && each.status != "valid") {
      order.status = "invalid";
      order.error = problem_json(
          {403, "unauthorized", "the authorization for " + each.ordered_name() + " failed"});
      return;
    }
    all_valid = all_valid && each.status == "valid";
  }
  if (order.expires <= now) {
    order.status = "invalid";
    order.error = problem_json({403, "malformed", "the order has expired"});
    return;
  }
  order.status = all_valid ? "ready" : "pending";
}

}  // namespace nolapse
