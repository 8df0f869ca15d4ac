// Who renews a certificate: the other clients' traces on this host, and whether anything runs them.
// Matched by place (with links resolved) and by fingerprint, because files are copied.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/world/world.h"

namespace nolapse {

struct Renewer {
  std::string who;      // "nolapse", "certbot", "acme.sh", "lego", "dehydrated", "caddy"
  std::string subject;  // what it calls the certificate
  // It is known to `who`, and still nobody renews it: why, for people. Empty: it is renewed.
  std::string idle;

  bool renews() const { return idle.empty(); }
};

class Renewers {
 public:
  // Looks at the usual places. What may not be looked at is told in problems().
  Renewers(const Files& files, const Config& config, Time now);

  // Nothing: nobody. The path is a real one, see real_path(); empty: it is not in a file.
  const Renewer* of_file(const std::string& real_path) const;
  const Renewer* of_fingerprint(const std::string& fingerprint_sha256) const;
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void find_nolapse(const Config& config, Time now);
  void find_certbot();
  void find_acme_sh(const std::string& home);
  void find_lego(const std::string& folder);
  void find_dehydrated(const std::string& folder);
  void find_caddy(const std::string& storage);

  // All below `folder`, and the certificate in `file`, which may lie elsewhere.
  void know_folder(const std::string& folder, const Renewer& renewer);
  void know_file(const std::string& file, const Renewer& renewer);
  // Why nothing runs a program with this word in its name; empty: something does.
  std::string idle_without(const std::string& word) const;
  bool has_timer(const std::string& word) const;
  bool has_crontab(const std::string& command) const;
  std::vector<std::string> expand(const std::string& pattern);

  const Files& files_;
  std::map<std::string, Renewer> folders_;  // by real path, with a slash behind it
  std::map<std::string, Renewer> real_files_;
  std::map<std::string, Renewer> fingerprints_;
  std::vector<std::string> problems_;
};

}  // namespace nolapse
