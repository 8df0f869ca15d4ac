// A name server that answers one family and fails for the other is common (broken load balancers
// for AAAA above all): the addresses that there are count, and the other family gets a short grace.
#include "agent/world/dns_client.h"

#include <algorithm>
#include <array>

#include "acme/identifier.h"
#include "agent/world/dns_update.h"

namespace nolapse {
namespace {

// Each holds a descriptor or a few for each family.
constexpr std::size_t most_lookups = 64;
constexpr std::array families = {DnsType::a, DnsType::aaaa};
// For a name server that is asked by its address: nobody else could answer instead.
constexpr Duration server_deadline = std::chrono::seconds(5);
// Long enough for one repetition after a lost packet.
constexpr Duration grace_for_other_family = std::chrono::seconds(3);

bool is_localhost(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace

struct DnsClient::Lookup {
  std::uint64_t id = 0;
  std::string host;
  ResolverConfig config;
  std::vector<std::string> candidates;  // full names still to be tried, the current one first
  std::chrono::milliseconds deadline{0};
  std::array<std::unique_ptr<DnsQuery>, families.size()> queries;
  std::array<std::optional<Result<DnsReply>>, families.size()> replies;
  std::optional<Error> failure;  // of a candidate that could not be looked up
  bool name_exists = false;
  Completion<Addresses> done;
};

DnsClient::DnsClient(EventLoop& loop, const Files& files, Options options)
    : loop_(loop), files_(files), options_(std::move(options)), slots_(most_lookups) {}

DnsClient::~DnsClient() = default;

void DnsClient::resolve(std::string host, Completion<Addresses> done) {
  const bool absolute = host.ends_with('.');
  if (absolute) host.pop_back();
  if (auto addresses = local_answer(host); !addresses.empty()) {
    return finish_later(std::move(done), std::move(addresses));
  }
  if (!is_host_name(host)) {
    return finish_later(std::move(done), fail(ErrorKind::input, "NAME_NOT_FOUND",
                                              "\"" + host + "\" is not a host name"));
  }
  auto config = resolver_config();
  if (!config) return finish_later(std::move(done), fail(std::move(config).error()));

  auto lookup = std::make_unique<Lookup>();
  lookup->id = next_id_++;
  lookup->config = std::move(*config);
  if (!absolute && host.find('.') == std::string::npos) {
    for (const auto& domain : lookup->config.search) {
      if (is_host_name(host + "." + domain)) lookup->candidates.push_back(host + "." + domain);
    }
  }
  lookup->candidates.push_back(host);
  lookup->host = std::move(host);
  lookup->done = std::move(done);
  const std::uint64_t id = lookup->id;
  lookups_.emplace(id, std::move(lookup));
  slots_.enter([this, id] { begin(id); });
}

void DnsClient::begin(std::uint64_t id) {
  Lookup& lookup = *lookups_.at(id);
  lookup.deadline = loop_.uptime() + options_.deadline;
  ask(lookup);
}

// A configured server replaces those of resolv.conf; its search domains and limits stay.
Result<ResolverConfig> DnsClient::resolver_config() const {
  const auto text = files_.read(options_.resolv_conf);
  ResolverConfig config = parse_resolv_conf(text ? *text : std::string());
  if (options_.server.empty()) return config;
  const auto server = SocketAddress::parse(options_.server);
  if (!server) {
    return fail(ErrorKind::input, "DNS_FAILED",
                "resolver \"" + options_.server + "\" is not ADDRESS:PORT; correct `resolver`");
  }
  config.servers = {*server};
  return config;
}

DnsClient::Addresses DnsClient::local_answer(const std::string& host) const {
  const std::string literal = acme::canonical_address(host);
  if (!literal.empty()) return {literal};
  if (const auto text = files_.read(options_.hosts)) {
    if (auto addresses = addresses_in_hosts(*text, host); !addresses.empty()) return addresses;
  }
  if (is_localhost(host)) return {"127.0.0.1", "::1"};  // never asked of anybody [RFC 6761 §6.3]
  return {};
}

void DnsClient::finish_later(Completion<Addresses> done, Result<Addresses> result) {
  loop_.post([done = std::move(done), result = std::move(result)] { done(result); });
}

void DnsClient::ask(Lookup& lookup) {
  const Duration rest =
      std::max<Duration>(lookup.deadline - loop_.uptime(), std::chrono::milliseconds(1));
  for (std::size_t family = 0; family < families.size(); ++family) {
    DnsQuestion question;
    question.name = lookup.candidates.front();
    question.type = families[family];
    lookup.replies[family].reset();
    lookup.queries[family] =
        std::make_unique<DnsQuery>(loop_, lookup.config, DnsQuery::question(question), rest,
                                   [this, id = lookup.id, family](Result<DnsReply> reply) {
                                     on_reply(id, family, std::move(reply));
                                   });
  }
}

void DnsClient::on_reply(std::uint64_t id, std::size_t family, Result<DnsReply> reply) {
  Lookup& lookup = *lookups_.at(id);
  const bool has_addresses = reply && !reply->values.empty();
  lookup.replies[family] = std::move(reply);
  lookup.queries[family].reset();
  const std::size_t other = 1 - family;
  if (lookup.replies[other]) return conclude(id);
  if (has_addresses) {
    const Duration rest = lookup.deadline - loop_.uptime();
    lookup.queries[other]->shorten(std::min<Duration>(rest, grace_for_other_family));
  }
}

void DnsClient::conclude(std::uint64_t id) {
  Lookup& lookup = *lookups_.at(id);
  Addresses addresses;
  for (auto& reply : lookup.replies) {
    if (!*reply) {
      if (!lookup.failure) lookup.failure = reply->error();
      continue;
    }
    if ((*reply)->response_code == 0) lookup.name_exists = true;
    for (const auto& address : (*reply)->values) {
      const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
      if (!known) addresses.push_back(address);
    }
  }
  lookup.candidates.erase(lookup.candidates.begin());
  if (addresses.empty() && !lookup.candidates.empty()) return ask(lookup);

  const auto owner = std::move(lookups_.extract(id).mapped());
  slots_.leave();
  if (!addresses.empty()) return owner->done(std::move(addresses));
  if (owner->failure) return owner->done(fail(std::move(*owner->failure)));
  const std::string asked = " (asked " + owner->config.server_names() + ")";
  owner->done(fail(
      ErrorKind::input, "NAME_NOT_FOUND",
      owner->name_exists
          ? owner->host + " has no address: neither an A nor an AAAA record" + asked +
                "; add one to its zone"
          : owner->host + " does not exist" + asked + "; correct the name or add it to its zone"));
}

// ---- other records, and updates

Result<ResolverConfig> DnsClient::servers(const std::string& server) const {
  if (server.empty()) return resolver_config();
  const auto address = SocketAddress::parse(server);
  if (!address) {
    return fail(ErrorKind::input, "DNS_FAILED",
                "name server \"" + server + "\" is not ADDRESS:PORT");
  }
  ResolverConfig config;
  config.servers = {*address};
  return config;
}

void DnsClient::exchange(const std::string& server, DnsQuery::Message message,
                         DnsQuery::Done done) {
  auto config = servers(server);
  if (!config) {
    loop_.post([done = std::move(done), error = config.error()] { done(fail(error)); });
    return;
  }
  const Duration deadline = server.empty() ? options_.deadline : server_deadline;
  const std::uint64_t id = next_id_++;
  slots_.enter([this, id, config = std::move(*config), deadline, message = std::move(message),
                done = std::move(done)] {
    exchanges_[id] = std::make_unique<DnsQuery>(
        loop_, config, message, deadline, [this, id, done](Result<DnsReply> reply) {
          const auto ended = exchanges_.extract(id);  // alive until its function returns
          slots_.leave();
          done(std::move(reply));
        });
  });
}

void DnsClient::ask(DnsLookup lookup, Completion<DnsAnswer> done) {
  if (!is_host_name(lookup.name)) {
    loop_.post([done = std::move(done), name = lookup.name] {
      done(fail(ErrorKind::transient, "DNS_FAILED", "\"" + name + "\" cannot be looked up"));
    });
    return;
  }
  DnsQuestion question{lookup.name, lookup.type, lookup.server.empty(), lookup.checking_disabled};
  exchange(lookup.server, DnsQuery::question(question), [done](Result<DnsReply> reply) {
    if (!reply) return done(fail(reply.error()));
    done(DnsAnswer{reply->response_code == 0, reply->authoritative, std::move(reply->name),
                   std::move(reply->values)});
  });
}

void DnsClient::update(DnsUpdate update, Completion<void> done) {
  const auto codec = std::make_shared<UpdateMessage>(std::move(update));
  DnsQuery::Message message;
  message.subject = "the update of " + codec->update().name;
  message.encode = [codec](std::uint16_t id) { return codec->encode(id); };
  message.decode = [codec](std::string_view octets, std::uint16_t id) {
    return codec->decode(octets, id);
  };
  message.takes_refusals = true;
  exchange(codec->update().server, std::move(message), [codec, done](Result<DnsReply> reply) {
    if (!reply) return done(fail(reply.error()));
    if (reply->response_code == 0) return done({});
    const DnsUpdate& asked = codec->update();
    const std::string why = reply->name.empty() ? "" : " (" + reply->name + ")";
    done(fail(ErrorKind::input, "DNS_UPDATE_REFUSED",
              asked.server + " answers " + name_of_response_code(reply->response_code) + why +
                  " to the update of " + asked.name + " in zone " + asked.zone +
                  "; allow this key to update TXT records there"));
  });
}

}  // namespace nolapse
