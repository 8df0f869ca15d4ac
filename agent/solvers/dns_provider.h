// A way into a zone. It puts one TXT value beside the others of its name and takes that one away;
// where the record belongs, and whether the world sees it, is dns01's business.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/world/world.h"

namespace nolapse {

class DnsProvider {
 public:
  struct Record {
    std::string name;   // "_acme-challenge.shop.example", aliases followed, no trailing dot
    std::string zone;   // apex of the zone that holds it: "shop.example"; empty: not known
    std::string value;  // [RFC 8555 §8.4]
    // What it is for; foreign protocols want to know.
    std::string domain;  // without "*."
    std::string token;
    std::string key_authorization;
  };

  virtual ~DnsProvider() = default;
  // Both may come again for the same record, after a crash, and do no harm then. A message says
  // who refused what; it never quotes a secret.
  virtual void add(Record record, Completion<void> done) = 0;
  virtual void remove(Record record, Completion<void> done) = 0;
  // May several names be changed at once? Programs of others read, change and write whole zones,
  // and services count requests a second.
  virtual bool may_overlap() const { return false; }
  // Can it do nothing where aliases and zone could not be looked up?
  virtual bool needs_zone() const { return false; }
};

// One of the provider's settings; empty when it is not given.
std::string setting_of(const ChallengeConfig& challenge, const std::string& key);

// The program, or the service, behind it: the same for all sections that use it, whatever else they
// say. Two keys of one account may reach the same zone.
std::string shared_place(const ChallengeConfig& challenge);

// `text` with each of the secrets replaced by ***.
std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

// The configuration admits no provider that is not handled here.
std::unique_ptr<DnsProvider> make_dns_provider(const ChallengeConfig& challenge, World world);

}  // namespace nolapse
