// What the ways into the DNS over HTTP share: how they are reached, where their secrets come from,
// and what becomes of a reply that is no success. Replies are hostile text.
#pragma once

#include <map>
#include <string>

#include "agent/solvers/dns_provider.h"

namespace nolapse {

// By key of the setting that names the file: "token_file". White space at both ends is dropped.
using Secrets = std::map<std::string, std::string>;

// The files that the settings name, read at each use: tokens are exchanged while the daemon runs.
// Errors: local as Files::read; input BAD_SECRET where one is empty or no single line.
Result<Secrets> read_secrets(const ChallengeConfig& challenge, World world);

// Gives the reply whatever its status, after some patience with a service that wants fewer
// requests: as long as it asks for, up to a minute, and five times. Error: transient
// DNS_PROVIDER_FAILED where there is none.
void send_to_provider(const ChallengeConfig& challenge, World world, acme::HttpRequest request,
                      Completion<acme::HttpResponse> done);

// Of a reply that is no success, in the service's own words: input DNS_PROVIDER_REFUSED where
// asking again cannot help, transient DNS_PROVIDER_FAILED otherwise. `url` without its query.
Error refusal(const acme::HttpRequest& request, const acme::HttpResponse& response,
              const Secrets& secrets);
Error unexpected_reply(const acme::HttpRequest& request, const std::string& why);

void complete_later(World world, Completion<void> done, Result<void> outcome);

}  // namespace nolapse
