// An order to the hook service, judged by root's configuration alone: whoever sends it may have
// been taken over, together with the state directory. So a hook runs only where the configuration
// says that it runs as another user, with a verb that it knows, and with a pair that could be this
// certificate's.
#pragma once

#include <string>
#include <vector>

#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/core/hook.h"

namespace nolapse {

struct OrderedHook {
  const DeployTarget& target;
  const CertificateSpec& spec;
};

// Errors: input HOOK_ORDER_REFUSED, which says what is not configured.
Result<OrderedHook> find_ordered_hook(const Config& config, const HookOrder& order);

// Is it that the hook knows no such verb, and nothing else? Another client's knows one only.
bool refuses_verb(const Error& error);

// May it be told who has this port? Only of those that the configuration has something listen on.
// Errors: input HOOK_ORDER_REFUSED.
Result<void> check_asked_port(const Config& config, std::uint16_t port);

// The files of a generation as they were read; empty: there is none.
struct GenerationTexts {
  std::string fullchain;
  std::string key;
  std::string request;  // of the operator's, where nobody here has the key
};

// A pair that was found to belong together, with the files of its folder made from what was parsed:
// nothing that was not understood gets into them.
struct OrderedPair {
  struct File {
    const char* name;
    std::string content;
    bool secret = false;
  };
  std::vector<acme::Certificate> chain;
  bool has_key = true;
  std::vector<File> files;
};

// The key is the leaf's, each certificate is signed by the next, and the leaf names what the
// certificate's `domains` do: not all of them, where one was left out, but nothing else. Errors:
// input HOOK_ORDER_REFUSED.
Result<OrderedPair> check_ordered_pair(const CertificateSpec& spec, const GenerationTexts& texts);

// What has expired is put nowhere; it may only be looked at, by the verb check. A beginning in the
// future is no reason: this host's clock may be behind. Errors: input HOOK_ORDER_REFUSED.
Result<void> check_ordered_validity(const OrderedPair& pair, const std::string& verb, Time now);

// The files of anchors one of which has to stand behind a certificate that is not a rehearsal's:
// those of all configured CAs, each once, as an older generation may be of any of them. Empty text:
// the system's.
std::vector<std::string> roots_of_issuers(const Config& config);

// The pair as a generation whose files lie in `directory`.
Generation ordered_generation(const OrderedPair& pair, unsigned number, std::string directory);

}  // namespace nolapse
