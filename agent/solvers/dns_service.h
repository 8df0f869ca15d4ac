// A DNS service with an API of its own, as a value: which requests its documentation tells to send,
// and what the replies mean. It sends nothing itself; make_service_provider does, always in the
// same order: find the zone, list the TXT values of the name, change them if they are not as
// wanted.
#pragma once

#include "agent/solvers/dns_provider.h"
#include "agent/solvers/provider_http.h"

namespace nolapse {

class DnsService {
 public:
  struct Zone {
    std::string name;
    std::string id;  // what its API calls it: safe in a path
  };
  struct Place {
    Zone zone;
    std::string name;      // of the record
    std::string relative;  // to the zone: "_acme-challenge.www", "@" for its apex
  };
  struct Held {
    std::string text;  // as the service writes it, often in quotes
    std::string id;    // of the record, where it has one: safe in a path
  };
  struct Change {
    std::vector<Held> held;  // of the name before it
    std::string value;
    bool add = true;  // or take away
  };
  using Request = acme::HttpRequest;  // the URL without the API's base, no credentials
  using Response = acme::HttpResponse;

  virtual ~DnsService() = default;
  virtual const char* base() const = 0;  // "https://api.service.example/v1"
  virtual void authorise(Request& request, const Secrets& secrets, Time now) const = 0;

  virtual Request find(const std::string& zone) const = 0;
  // What the service calls the zone; empty: it has no such zone. An error is a reply that cannot be
  // understood, and says why.
  virtual tl::expected<std::string, std::string> zone_id(const Response& response,
                                                         const std::string& zone) const = 0;
  virtual Request list(const Place& place) const = 0;
  virtual tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                            const Place& place) const = 0;
  // Never empty: the value is not there (or there, when it is to be taken away).
  virtual std::vector<Request> change(const Place& place, const Change& change) const = 0;
};

std::unique_ptr<DnsProvider> make_service_provider(const ChallengeConfig& challenge, World world,
                                                   std::unique_ptr<DnsService> service);

// "\"value\"" and back: TXT values in the form of zone files, for values without quotes of their
// own.
std::string quoted(const std::string& value);
std::string unquoted(const std::string& text);

bool is_path_safe(const std::string& text);  // [A-Za-z0-9_-]+

DnsService::Request json_request(const char* method, std::string url, const std::string& body);
void authorise_bearer(DnsService::Request& request, const Secrets& secrets);

// The values that a whole set is to have after the change, as texts.
std::vector<std::string> texts_after(const DnsService::Change& change);
// The records that hold the value.
std::vector<DnsService::Held> holders(const DnsService::Change& change);

}  // namespace nolapse
