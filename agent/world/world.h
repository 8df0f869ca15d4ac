// The outside world on one page. The core sees nothing else of it; the simulator replaces this
// page and nothing else. Everything runs on one thread: a completion is called later, from the
// loop, exactly once, and never from inside the call that asked for it. No completion arrives
// after the world is gone. Durations and deadlines are enforced by the world.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "acme/http_message.h"
#include "acme/private_key.h"
#include "acme/result.h"

namespace nolapse {

using acme::Duration;
using acme::Error;
using acme::ErrorKind;
using acme::fail;
using acme::Result;
using acme::Time;

template <class T>
using Completion = std::function<void(Result<T>)>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;                          // wall clock; may step
  virtual Duration utc_offset(Time at) const = 0;        // of this host's local time, then
  virtual std::chrono::milliseconds uptime() const = 0;  // monotonic; for measuring
  using TimerId = std::uint64_t;
  virtual TimerId start_timer(Duration after, std::function<void()> fire) = 0;
  virtual void cancel_timer(TimerId id) = 0;  // unknown or fired ids are ignored
  // `stepped` is called every time after the wall clock was set, by however little, or the machine
  // woke from suspend. One watcher: a second call replaces the first.
  virtual void on_step(std::function<void()> stepped) = 0;
};

struct HttpOptions {
  std::string roots_file;                       // trust anchors in PEM; empty: the system's
  std::string proxy;                            // never inherited from the environment; empty: none
  Duration timeout = std::chrono::seconds(30);  // for the whole exchange
  std::size_t body_limit = 1 << 20;             // octets; a longer body is an error
  bool plain_http = false;                      // http URLs too: for what is signed and no secret
  std::string address;  // connect there whatever the host's name resolves to; empty: resolve
  // As a CA looks at a redirected http-01 proof. Needs `address`, whose connections nobody shares.
  bool any_certificate = false;
};

class Http {
 public:
  virtual ~Http() = default;
  // Any HTTP status is a response. Errors: transient CA_UNREACHABLE, CA_TLS, CA_TIMEOUT,
  // BODY_TOO_LONG (the message names host, address and cause). https only, unless the options say
  // otherwise; redirects are not followed.
  virtual void send(acme::HttpRequest request, HttpOptions options,
                    Completion<acme::HttpResponse> done) = 0;
};

struct ProbeRequest {
  std::string address;  // canonical IP address
  std::uint16_t port = 443;
  std::string server_name;  // SNI, and the name the chain is checked for
  std::string roots_file;   // trust anchors in PEM; empty: the system's
  Duration timeout = std::chrono::seconds(5);
  std::string application_protocol = {};  // offered in ALPN; empty: none
  // A server that has several certificates for a name shows the one with this kind of key: "ecdsa"
  // or "rsa"; empty: the one that it prefers.
  std::string key_kind = {};
  // "smtp", "imap", "pop3", "ldap" or "postgres": TLS begins after that dialogue; empty: at once.
  std::string starttls = {};
};

struct ProbeReply {
  enum class Outcome { handshake, unreachable, no_handshake };
  Outcome outcome = Outcome::unreachable;
  std::string detail;                  // why not, for people; empty after a handshake
  std::vector<std::string> chain_der;  // as served, leaf first
  std::string chain_error;  // why the chain does not validate for the name now; empty: it does
};

class TlsProbe {
 public:
  virtual ~TlsProbe() = default;
  virtual void probe(ProbeRequest request, std::function<void(ProbeReply)> done) = 0;
};

enum class DnsType { a, aaaa, cname, ns, soa, txt, caa };

struct DnsLookup {
  std::string name;  // A-labels, without a trailing dot
  DnsType type = DnsType::txt;
  std::string server = {};  // "ADDRESS:PORT", asked for what it knows itself; empty: the resolver
  // The resolver shall not look at DNSSEC signatures. [RFC 4035 §3.2.2]
  bool checking_disabled = false;
};

struct DnsAnswer {
  bool exists = false;         // false: the server says that there is no such name
  bool authoritative = false;  // it speaks for the zone
  std::string name;            // where the values stand: the end of the CNAME chain
  // Only of the type asked for. TXT: the strings of a record joined; names in lower case without
  // a trailing dot (SOA: of the primary server); CAA: "FLAGS TAG VALUE". Hostile text.
  std::vector<std::string> values;
};

struct TsigKey {  // [RFC 8945]
  std::string name;
  std::string algorithm;  // "hmac-sha256", "hmac-sha512"
  std::string secret;     // octets
};

// One TXT value beside the others of its name, put there or taken away. [RFC 2136]
struct DnsUpdate {
  std::string server;  // "ADDRESS:PORT"
  std::string zone;
  std::string name;
  std::string value;  // at most 255 octets
  bool add = true;
  Duration time_to_live = std::chrono::seconds(60);
  std::optional<TsigKey> key = {};
};

class Dns {
 public:
  virtual ~Dns() = default;
  // Canonical addresses, IPv4 and IPv6, from /etc/hosts or the resolver; an address resolves to
  // itself. An empty answer is an error: input NAME_NOT_FOUND, transient DNS_FAILED, DNS_TIMEOUT.
  virtual void resolve(std::string host, Completion<std::vector<std::string>> done) = 0;
  // An answer without values is no error. Errors: transient DNS_FAILED, DNS_TIMEOUT.
  virtual void ask(DnsLookup lookup, Completion<DnsAnswer> done) = 0;
  // Errors: input DNS_UPDATE_REFUSED (the server says why), transient DNS_FAILED, DNS_TIMEOUT.
  virtual void update(DnsUpdate update, Completion<void> done) = 0;
};

// A piece of durable work, as data: the order of operations is a decision of the core, each one
// is a possible moment of a crash. Paths are absolute. No operation follows a final symlink.
struct MakeDirectory {
  std::string path;
  unsigned mode;
};                  // parents too; an existing one is fine
struct WriteFile {  // creates; an existing path is an error
  std::string path;
  std::string content;
  unsigned mode;
  std::string group;  // empty: the process's, or the state directory's owner's
};
struct SetAccess {  // of an existing regular file
  std::string path;
  unsigned mode;
  std::string group;  // empty: as for WriteFile
};
struct AppendFile {  // creates where it is missing
  std::string path;
  std::string content;
  unsigned mode;
};
struct SyncFile {
  std::string path;
};
struct SyncDirectory {
  std::string path;
};
struct Rename {
  std::string from, to;
};  // replaces files and links atomically
struct MakeSymlink {
  std::string target, path;
};  // an existing path is an error
struct RemoveTree {
  std::string path;
};  // an absent path is fine
using FileOperation = std::variant<MakeDirectory, WriteFile, SetAccess, AppendFile, SyncFile,
                                   SyncDirectory, Rename, MakeSymlink, RemoveTree>;

struct FileStatus {
  enum class Kind { file, directory, symlink, other };
  Kind kind = Kind::other;
  std::uint64_t size = 0;
  unsigned mode = 0;        // permission bits
  bool executable = false;  // by this process
  // Another number when content, names or mode have changed; 0: too fresh to tell.
  std::uint64_t version = 0;
  std::string group;  // for comparing only: its number, as the name may take long to find
};

struct FileSpace {
  std::uint64_t free_octets = 0;  // for this user
  std::uint64_t free_files = 0;   // inodes
  std::uint64_t files = 0;        // 0: the file system does not count them
};

class Files {
 public:
  virtual ~Files() = default;
  // In order, on a worker, stopping at the first error: local DISK_FULL, PERMISSION_DENIED,
  // FILE_EXISTS, FILE_MISSING, FILE_ERROR. The message names path and cause.
  virtual void run(std::vector<FileOperation> work, Completion<void> done) = 0;

  // Short reads of small files. Errors: local FILE_MISSING, PERMISSION_DENIED, FILE_ERROR.
  virtual Result<std::string> read(const std::string& path) const = 0;  // at most 4 MiB
  virtual Result<std::vector<std::string>> list(
      const std::string& directory) const = 0;  // sorted names
  virtual Result<std::string> read_link(const std::string& path) const = 0;
  virtual Result<FileStatus> status(const std::string& path) const = 0;  // of a link itself
  // Of the file system that holds the directory.
  virtual Result<FileSpace> space(const std::string& directory) const = 0;

  // Held until the returned object dies, or the process does. Error: held LOCK_HELD with the text
  // its holder gave; local as above.
  class Lock {
   public:
    virtual ~Lock() = default;
  };
  virtual Result<std::unique_ptr<Lock>> lock(const std::string& path,
                                             const std::string& holder) = 0;
};

// What a deploy hook is run for. Where this process may not become the user that a hook wants, the
// hook service runs it: it is told no more than this, the rest stands in root's configuration.
struct HookOrder {
  std::string target;
  std::string verb;
  std::string certificate;
  unsigned generation = 0;
  bool rehearsed = false;  // one that a rehearsal obtained, for the verb rehearse only
};

struct ProcessSpec {
  std::vector<std::string> argv;  // argv[0] is an absolute path; no shell, no PATH look-up
  std::map<std::string, std::string> environment;  // complete: nothing is inherited
  std::string user;                                // empty: the same
  Duration deadline = std::chrono::seconds(60);    // then the whole process group is killed
  std::size_t output_limit = 64 << 10;             // the last octets of each stream are kept
  // Then the hook service runs it, and makes the program and its environment itself.
  std::optional<HookOrder> order = {};
};

struct ProcessResult {
  enum class Ending { exited, signalled, timed_out };
  Ending ending = Ending::exited;
  int code = 0;        // exit status or signal number
  std::string output;  // end of stdout
  std::string errors;  // end of stderr
};

class Processes {
 public:
  virtual ~Processes() = default;
  // May it run programs as this user? Empty: the same, and so yes.
  virtual bool may_become(const std::string& user) = 0;
  // Errors: local PROCESS_NOT_STARTED with path and cause; for an order those of hook_processes.h.
  virtual void run(ProcessSpec spec, Completion<ProcessResult> done) = 0;
  // Who listens on this TCP port of this host: "nginx (pid 123)"; empty: nobody who may look sees
  // it. The hook service is asked, too, which sees more than an ordinary user.
  virtual void find_listener(std::uint16_t port, std::function<void(std::string)> done) = 0;
};

struct MailMessage {
  std::string
      server;  // "smtp://HOST:PORT" (STARTTLS; needed where there is a password) or smtps://
  std::string username;  // empty: none is asked for
  std::string password;
  std::string roots_file;  // trust anchors in PEM; empty: the system's
  std::string from;        // addresses alone
  std::vector<std::string> to;
  std::string content;  // [RFC 5322], lines end in CRLF
  Duration timeout = std::chrono::seconds(30);
};

class Mail {
 public:
  virtual ~Mail() = default;
  // Done: taken for all recipients. Errors: transient MAIL_FAILED (names server and cause), and
  // MAIL_PART_REFUSED: taken, but not for those that the message names.
  virtual void send(MailMessage message, Completion<void> done) = 0;
};

class KeyMaker {
 public:
  virtual ~KeyMaker() = default;
  virtual void generate(acme::KeyType type, Completion<acme::PrivateKey> done) = 0;
};

// Stands in PORT_IN_USE for a process that is not to be seen from here.
inline constexpr const char* unknown_listener = "another process";

// Answers http-01 on listeners of our own. A listener opens with its first token and closes with
// its last; a socket passed by the service manager for the same port is adopted.
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;
  // `listen` is "ADDRESS:PORT", "[::]:80" serves both families. Errors: local PORT_IN_USE (names
  // the holder, or `unknown_listener`), PERMISSION_DENIED, LISTEN_FAILED.
  virtual Result<void> serve(const std::string& listen, const std::string& token,
                             const std::string& body) = 0;
  // How often the token was asked for. Unknown tokens give 0.
  virtual unsigned withdraw(const std::string& listen, const std::string& token) = 0;
};

// Answers tls-alpn-01 on listeners of our own: a handshake that offers exactly "acme-tls/1" and a
// server name that is served gets that certificate, anything else an alert. Listeners open and
// close as the HTTP responder's. [RFC 8737 §3]
class TlsAlpnResponder {
 public:
  virtual ~TlsAlpnResponder() = default;
  // Of several certificates for one name the newest is shown. Errors: as HttpResponder::serve.
  virtual Result<void> serve(const std::string& listen, const std::string& server_name,
                             const std::string& certificate_der, const acme::PrivateKey& key) = 0;
  // How many handshakes it was shown in. What is not served gives 0.
  virtual unsigned withdraw(const std::string& listen, const std::string& server_name,
                            const std::string& certificate_der) = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
};

struct World {
  Clock& clock;
  Http& http;
  TlsProbe& tls_probe;
  Dns& dns;
  Files& files;
  Processes& processes;
  KeyMaker& key_maker;
  HttpResponder& http_responder;
  TlsAlpnResponder& tls_alpn_responder;
  Random& random;
  Mail& mail;
};

}  // namespace nolapse
