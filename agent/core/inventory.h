// One list of the certificates that were found, wherever they were found, each once: where it is,
// when it ends, and who renews it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/core/renewers.h"
#include "agent/core/server_configuration.h"
#include "agent/world/world.h"

namespace nolapse {

struct FoundPlace {
  enum class Kind { server, file, endpoint };
  Kind kind = Kind::file;
  std::string text;  // for people: "nginx, /etc/nginx/nginx.conf:7", a path, "HOST:PORT at ADDRESS"
  std::string file;  // absolute; empty: an endpoint
  std::string endpoint;  // as [[watch]] takes it; empty: a file, or no [[watch]] can say it
};
const char* name_of(FoundPlace::Kind kind);

struct FoundCertificate {
  acme::Certificate leaf;  // without its DER, of which there may be thousands
  std::vector<FoundPlace> found;
  std::optional<Renewer> renewer;  // nothing: nobody
  // What makes it useless where it is: a key of another certificate, a chain that does not hold.
  std::vector<std::string> faults;
  bool watched = false;  // by a [[watch]]

  bool renewed() const { return renewer && renewer->renews(); }
  // Somebody is said to renew it, and has not when it was time: all clients do it earlier.
  bool is_late(Time now, const AlertsConfig& alerts) const;
};

// How much somebody has to do something; the worst first.
enum class Urgency { over, near, unattended, attended };
Urgency urgency_of(const FoundCertificate& certificate, Time now, const AlertsConfig& alerts);

class Inventory {
 public:
  // `config` may be empty, and outlives it.
  Inventory(const Files& files, const Config& config, Time now);

  void add_server_configuration(const ServerConfiguration& configuration);
  // A file, or all below a folder that begin with a certificate, in bounds of depth and number.
  void add_path(const std::string& path);
  void add_reply(const Endpoint& endpoint, const std::string& address, const ProbeReply& reply,
                 bool told_to_look);
  void add_problem(std::string problem) { problems_.push_back(std::move(problem)); }

  // Those that need somebody first.
  std::vector<FoundCertificate> certificates(Time now) const;
  const std::vector<std::string>& problems() const { return problems_; }
  std::size_t files_read() const { return files_read_; }

 private:
  FoundCertificate& found(const acme::Certificate& leaf, FoundPlace place);
  void add_shown(const ShownCertificate& shown);
  void add_file(const std::string& path, bool named);
  void add_folder(const std::string& path, int depth);
  void check_pair(FoundCertificate& certificate, const ShownCertificate& shown,
                  const std::string& public_key_der);
  void attribute(FoundCertificate& certificate, const std::string& file) const;

  const Files& files_;
  const Config& config_;
  const Renewers renewers_;
  std::map<std::string, FoundCertificate> by_fingerprint_;
  std::vector<std::string> problems_;
  std::size_t files_read_ = 0;
  std::size_t looked_at_ = 0;
};

}  // namespace nolapse
