// The state directory. Truth comes from artifacts (PEM files, links), JSON files only add what a
// PEM cannot say. Reading is immediate; every change is returned as file operations, so that its
// order is data: the caller runs it through Files, the simulator stops it after any operation.
//
//   accounts/<ca>/{account.json,key.pem}   + next_key.pem while the CA may have changed to it
//   certificates/<name>/<generation>/{privkey,cert,chain,fullchain}.pem + meta.json   immutable;
//                      where the operator brought the signing request, request.pem: beside
//                      privkey.pem, or instead of it, where nobody here has the key
//   certificates/<name>/{issuance,deployments,schedule,rehearsal,left_behind}.json
//   certificates/<name>/standby/…   the same of the certificate's standby, named "<name>/standby"
//                      below; never deployed, and without links
//   live/<name> -> ../certificates/<name>/<generation>
//   deployed/<name>/<target> -> ../../certificates/<name>/<generation>
//   rehearsals/        a state directory like this one, for the staging directories of the CAs
//   ledger/<ca>.json   what is left of the CA's rate limits, by our count
//   events/<month>.jsonl   what happened, see event_log.h
//   reports/<month>.json   what happened in a month, for when its events are gone; of the last
//                      year, and of weeks where they are wanted, <id>.txt and <id>.html as sent
//   heartbeat          when the daemon lived last; renewed.json: when a command renewed all
//   machine            the machine-id of the machine that uses all this
//   alerts.json        what somebody was told, and what is still to be delivered
//   findings.json      what the daemon's self-tests found last
//   lock   tmp/<name>.<generation>/   a generation being built, the key first; of a standby it is
//                      tmp/<name>+standby.<generation>: no name has a plus
//
// What the loss of a file costs, and how it is made good:
//   account key.pem    a new account; CAA and dns-persist records that name the old one break
//   account.json       which terms of service were agreed to; else nothing: the CA is asked with
//                      onlyReturnExisting. That we deactivated it: the CA says so
//   next_key.pem       as key.pem, where the CA has changed to it and key.pem is the old one yet
//   privkey, *.pem     that generation; the one before it stays, a new one is issued. request.pem
//                      beside a key: nothing
//   meta.json          what was asked of which CA: a changed configuration is noticed less well
//   issuance.json      the order under way: a new order
//   deployments.json   one more, idempotent, run of the hooks
//   schedule.json      the count of failures: back-off starts anew; that the CA has revoked the
//                      certificate: it is asked again at the next look. When a daemon asks the CA
//                      for its advice again is not kept: after a restart it asks once more
//   rehearsal.json     nobody knows how the last rehearsals went: the next ones come at once
//   rehearsals/        new accounts at the staging directories; of a rehearsal that was killed, its
//                      proofs of control stay
//   left_behind.json   proofs of control that nobody takes away any more
//   live, deployed     made again by the next deployment
//   ledger             half of what the CA allows is taken to be spent
//   alerts             what is open is told once more; silences end
//   findings           since when something is found. renewed: that a timer renews here
//   events             the memory of reports; nothing is decided by it. Those of a month whose
//                      report is not kept yet stay a month longer
//   reports            what happened in months whose events are gone
// Unreadable files are reported by the loading function and never fatal. A document that is there
// and cannot be read, because it is damaged or of a newer nolapse, is not overwritten: what is
// written in its place puts it aside as <file>.unreadable. So is what stands in the place of a
// folder that is made anew, or of the lock.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/issuance_state.h"
#include "acme/revocation_list.h"
#include "acme/signing_request.h"
#include "acme/x509.h"
#include "agent/core/alert_document.h"
#include "agent/core/config.h"
#include "agent/core/finding_document.h"
#include "agent/core/proven_parts.h"
#include "agent/core/rate_ledger.h"
#include "agent/world/world.h"

namespace nolapse {

using FileWork = std::vector<FileOperation>;

// Nobody renews that often: a greater number is damage.
inline constexpr unsigned greatest_generation = 1'000'000;

// One issued key and chain, immutable.
struct Generation {
  unsigned number = 0;
  std::string directory;                 // absolute
  std::vector<acme::Certificate> chain;  // the leaf alone, without its DER
  std::string ca;                        // configured name; empty when meta.json is lost
  std::string ca_directory;
  std::string account_url;
  std::string order_url;
  std::string profile;                        // as asked for
  std::vector<acme::Identifier> identifiers;  // as asked for; empty when meta.json is lost
  std::optional<acme::KeyType> key_type;
  Time issued_at{};
  bool has_key = true;  // false: only the operator has it

  const acme::Certificate& leaf() const { return chain.front(); }
};

// What is asked of a chain again and again.
struct ChainFacts {
  std::string key_sha256;  // of the leaf's public key
  std::string weakness;    // of the leaf; empty: none
  std::string root;        // the common name above the last certificate
  // The first above the leaf that ends before it; empty: none does.
  std::string ends_early;
  Time ends_early_at{};
};

// What a generation begins with.
struct NewPair {
  acme::PrivateKey key;      // none: only the operator has it
  std::string request = {};  // the operator's signing request in PEM; empty: nolapse makes it
};

// The attempt under way, enough to go on with the same order.
struct SavedIssuance {
  std::string ca;
  std::string ca_directory;
  std::string account_url;
  std::string challenge;  // configured name
  std::string profile;
  acme::KeyType key_type = acme::KeyType::ecdsa_p256;
  std::vector<acme::Identifier> identifiers;
  unsigned generation = 0;
  Time placed_at{};    // of the attempt that began it
  bool stuck = false;  // an attempt ended without an answer from the CA; a person may give it up
  acme::IssuanceState state;
};

struct SavedError {
  Time at{};
  std::string kind;
  std::string code;
  std::string message;
  std::string problem;  // JSON text or empty
  std::optional<Time> retry_after;
};
SavedError save_error(const Error& error, Time at);

enum class DeploymentStage { issued, installed, reloaded, verified, failed, rolled_back };
const char* name_of(DeploymentStage stage);

// One generation at one target.
struct DeploymentRecord {
  DeploymentStage stage = DeploymentStage::issued;
  unsigned generation = 0;
  int failures = 0;
  std::optional<Time> next_attempt;  // after a failure, or for the window
  std::optional<SavedError> last_error;
  // What is served has been looked at since. Else nobody knows whether it made things worse.
  bool judged = false;
  // What the target had before, for going back to; 0: nothing.
  unsigned former = 0;
  // What a person took back from it: not brought there again before somebody asks for it; 0: none.
  unsigned withdrawn = 0;
};
using DeploymentRecords = std::map<std::string, DeploymentRecord>;  // by target

// The CA's advice when to renew, kept with the one instant that was picked in its window.
struct SavedRenewalInfo {
  std::string fingerprint_sha256;  // of the certificate it is about
  Time start{};
  Time end{};
  Time instant{};
  std::string explanation_url;
  Time poll_after{};
  // When a certificate was replaced last because the CA recalled it, see is_recalled().
  std::optional<Time> recall_answered_at = {};

  bool window_known() const { return start < end; }  // else only when to ask again is known
  bool says_the_same(const SavedRenewalInfo& other) const {
    return fingerprint_sha256 == other.fingerprint_sha256 && start == other.start &&
           end == other.end && instant == other.instant && explanation_url == other.explanation_url;
  }
};

// That the CA has revoked a certificate. Kept after its renewal, in case that one is lost.
struct SavedRevocation {
  std::string fingerprint_sha256;  // of the certificate it is about
  acme::Revocation revocation;

  std::string describe() const { return "the CA has revoked it (" + revocation.reason + ")"; }
};

// What somebody was told about the expiry of a certificate last.
struct SavedAlarm {
  int step = 0;  // see expiry.h
  std::optional<Time> at;

  friend bool operator==(const SavedAlarm&, const SavedAlarm&) = default;
};

// How the last proof that a CA accepted looked from here.
struct SavedProof {
  std::string challenge;  // configured name
  Time at{};
  Duration took{};   // until it was seen, or the CA was asked all the same
  bool seen = true;  // false: the CA saw what we did not

  friend bool operator==(const SavedProof&, const SavedProof&) = default;
};

struct ScheduleRecord {
  int failures = 0;  // attempts since the last success
  std::optional<Time> last_attempt;
  std::optional<Time> next_attempt;
  std::optional<SavedError> last_error;
  std::optional<SavedRenewalInfo> renewal_info;
  // By name: in how many attempts in a row the CA saw no proof for it, or would not have it.
  std::map<std::string, int> refused;
  SavedAlarm alarm;
  std::string configuration;  // digest_of() the one that the counts above are about
  std::optional<SavedRevocation> revocation = {};
  std::string challenge = {};  // by which the last order succeeded; empty: the first configured
  std::optional<SavedProof> proof = {};
  // When a renewal went well last, deployment and all, and what it rested on.
  std::optional<Time> proven_at = {};
  ProvenParts proven = {};
  // Local listeners, "ADDRESS:PORT", that were seen to serve it; where no endpoints are configured.
  std::vector<std::string> served_at = {};
};

// Everything was shown; all but some of it; or what a renewal needs does not work.
enum class RehearsalResult { passed, partial, failed };
const char* name_of(RehearsalResult result);

// The last rehearsal at one CA.
struct RehearsalRecord {
  Time at{};  // when it ended
  RehearsalResult result = RehearsalResult::failed;
  std::vector<std::string> not_shown;  // for people; empty: all was
  std::optional<SavedError> error;     // of a failed one
  bool proof_fresh = false;            // the CA looked at a proof of each name, made for this order
  Duration took{};
  std::string configuration;  // digest_of() the one it was for
  std::string staging;        // the directory that was configured then; empty: none
  int failures = 0;           // in a row, with this one
  unsigned jitter = 0;        // drawn with it, so that the next moment stays the same
  ProvenParts proven = {};    // of one that passed, or showed all it could: what it rested on
};
using RehearsalRecords = std::map<std::string, RehearsalRecord>;  // by CA

// Proofs of control that could not be taken away yet.
struct LeftProofs {
  std::string challenge;  // configured name
  std::vector<acme::PresentedChallenge> proofs;
};

struct SavedAccount {
  acme::PrivateKey key;
  std::string url;           // empty: not known, ask the CA
  std::string directory;     // the CA's, to notice that the configuration now means another one
  std::string fault;         // of account.json, which says nothing then; empty: none
  bool deactivated = false;  // by us, for good [RFC 8555 §7.3.6]
  // Of a key change whose outcome is not known: the CA may know the account by this key by now.
  acme::PrivateKey next_key = {};
  std::optional<Time> key_change_at = {};  // when it was asked for last; nothing: not yet
  std::string agreed_terms = {};           // URL; empty: nobody remembers

  bool is_at(const std::string& ca_directory) const {
    return !url.empty() && directory == ca_directory;
  }
};

// A report as it is kept; what is empty is not.
struct ReportFiles {
  std::string document;
  std::string text;
  std::string page;
};

class Store {
 public:
  static constexpr std::size_t months_kept = 120;  // of reports
  static constexpr std::size_t weeks_kept = 60;
  static constexpr std::size_t pages_kept = 13;  // as sent, of months

  Store(std::string state_directory, const Files& files)
      : root_(std::move(state_directory)), files_(files) {}

  // Of the state directory for rehearsals.
  std::string rehearsals_path() const { return root_ + "/rehearsals"; }
  std::string lock_path() const { return root_ + "/lock"; }
  std::string live_path(const std::string& name) const { return root_ + "/live/" + name; }

  // The folders everything else relies on. What stands in the place of one of those that can be
  // made anew, or of the lock, is put aside; `aside` says where to.
  FileWork prepare(std::vector<std::string>* aside = nullptr) const;
  // Removes what ended runs left behind: an issuance.json whose generation is there, and whatever
  // in tmp/ no saved issuance refers to.
  FileWork sweep() const;

  // Of all certificates there are, the configured ones and others; nothing where none can be read.
  std::vector<std::string> names() const;
  // Removes the generations before the newest `keep`, before what live/ and deployed/ point to.
  FileWork remove_old_generations(const std::string& name, unsigned keep) const;
  // Removes one, whoever uses it.
  FileWork remove_generation(const std::string& name, unsigned number) const;
  // Removes all there is of a certificate's standby. Nothing to do where there is none.
  FileWork remove_standby(const std::string& name) const;
  // Removes all there is of a certificate.
  FileWork forget(const std::string& name) const;

  // Numbers, ascending. Other entries are ignored. An error: nobody knows what is there.
  Result<std::vector<unsigned>> generation_numbers(const std::string& name) const;
  // Of the next generation: above all that are there and those that links and records name, for a
  // generation that was lost may still be served. A standby's is above its certificate's too, so
  // that no path is ever used twice, wherever a standby moves.
  Result<unsigned> next_number(const std::string& name) const;
  Result<Generation> load_generation(const std::string& name, unsigned number) const;
  // The same, with its key and files looked at: an error where they do not belong together.
  Result<Generation> load_whole_generation(const std::string& name, unsigned number) const;
  // From fullchain.pem alone.
  Result<ChainFacts> load_chain_facts(const std::string& name, unsigned number) const;
  // The newest that is whole, which has all its files; nothing where none was ever issued. Damaged
  // newer ones are named in `damaged`. Whether the key fits is only looked at where keys may be
  // read.
  enum class Keys { unread, checked };
  Result<std::optional<Generation>> newest_generation(
      const std::string& name, Keys keys = Keys::unread,
      std::vector<std::string>* damaged = nullptr) const;
  // The number that live/<name> points to.
  std::optional<unsigned> live_generation(const std::string& name) const;
  // Those that live/ and deployed/ point to, whether or not they are there; live/'s first.
  std::vector<unsigned> linked_generations(const std::string& name) const;

  // Nothing where none is under way.
  Result<std::optional<SavedIssuance>> load_issuance(const std::string& name) const;
  FileWork save_issuance(const std::string& name, const SavedIssuance& issuance) const;
  // The order is forgotten; the key that was made for it stays, for another order.
  FileWork drop_order(const std::string& name) const;
  // Ends the attempt: the order is forgotten, and the key that was made for it.
  FileWork drop_issuance(const std::string& name, unsigned number) const;

  // Empty where there are none.
  Result<LeftProofs> load_left_proofs(const std::string& name) const;
  FileWork save_left_proofs(const std::string& name, const LeftProofs& left) const;
  FileWork drop_left_proofs(const std::string& name) const;

  // `month` is "2026-11", `lines` are whole ones.
  FileWork append_events(const std::string& month, std::string lines) const;
  std::uint64_t size_of_events(const std::string& month) const;  // octets
  FileWork remove_events_before(Time earliest) const;            // whole months
  std::vector<std::string> event_months() const;                 // that there are, ascending
  std::string events_path(const std::string& month) const {
    return root_ + "/events/" + month + ".jsonl";
  }

  // `id` is a month, or a week's Monday, "2026-11-16"; `ending` is json, txt or html.
  std::string reports_path() const { return root_ + "/reports"; }
  std::string report_path(const std::string& id, const std::string& ending) const {
    return reports_path() + "/" + id + "." + ending;
  }
  bool has_report(const std::string& id) const;
  FileWork save_report(const std::string& id, ReportFiles files) const;
  FileWork remove_old_reports() const;

  // The private key, and the operator's request, of the generation being built. Missing:
  // FILE_MISSING.
  Result<acme::PrivateKey> load_new_key(const std::string& name, unsigned number) const;
  Result<acme::SigningRequest> load_new_request(const std::string& name, unsigned number) const;
  FileWork save_new_pair(const std::string& name, unsigned number, const NewPair& pair,
                         const std::string& group) const;
  // Gives the keys of all generations to the group that is configured now, as if they had been
  // written for it: SetAccess for each, where its mode does not say already that no group reads it.
  FileWork give_keys_to(const std::string& name, const std::string& group) const;

  // Says that the daemon lives. Not synced: after a crash an old one is right.
  FileWork beat(Time now) const;

  // Completes the folder begun by save_new_pair, gives it its final name, ends the issuance.
  FileWork complete_generation(const std::string& name, const SavedIssuance& issuance,
                               const std::vector<acme::Certificate>& chain, Time now) const;
  Result<acme::PrivateKey> load_key(const Generation& generation) const;
  // The leaf with its DER. Errors as load_issuer().
  Result<acme::Certificate> load_leaf(const Generation& generation) const;
  // The certificate that signed the leaf, with its DER: the first of chain.pem. Errors:
  // FILE_MISSING, BAD_CERTIFICATE, as where the chain is the leaf alone.
  Result<acme::Certificate> load_issuer(const Generation& generation) const;

  // Makes the standby's generation `number` the certificate's generation `next`.
  FileWork move_standby(const std::string& name, unsigned number, unsigned next) const;

  FileWork switch_live(const std::string& name, unsigned number) const;
  FileWork record_deployed(const std::string& name, const std::string& target,
                           unsigned number) const;

  Result<DeploymentRecords> load_deployments(const std::string& name) const;
  FileWork save_deployments(const std::string& name, const DeploymentRecords& records) const;

  Result<ScheduleRecord> load_schedule(const std::string& name) const;
  FileWork save_schedule(const std::string& name, const ScheduleRecord& record) const;

  // Empty where there are none.
  Result<RehearsalRecords> load_rehearsals(const std::string& name) const;
  FileWork save_rehearsals(const std::string& name, const RehearsalRecords& records) const;
  // Empty where no self-test was run.
  Result<SavedFindings> load_findings() const;
  FileWork save_findings(const SavedFindings& findings) const;

  // Empty where nobody was told anything yet.
  Result<AlertState> load_alerts() const;
  FileWork save_alerts(const AlertState& state) const;

  // The machine-id of the machine that uses the directory; empty: nobody noted it yet.
  Result<std::string> load_machine() const;
  FileWork note_machine(const std::string& machine) const;

  // Nothing where there is none.
  Result<std::optional<RateLedgerState>> load_ledger(const std::string& ca) const;
  FileWork save_ledger(const std::string& ca, const RateLedgerState& ledger) const;

  // Nothing when there is no key yet. A broken account.json is a fault, and no URL.
  Result<std::optional<SavedAccount>> load_account(const std::string& ca) const;
  FileWork save_account_key(const std::string& ca, const acme::PrivateKey& key) const;
  FileWork save_account(const std::string& ca, const SavedAccount& account) const;
  // The key that is to replace the account's; one rename makes it so.
  FileWork save_next_account_key(const std::string& ca, const acme::PrivateKey& key) const;
  FileWork adopt_next_account_key(const std::string& ca) const;
  FileWork drop_next_account_key(const std::string& ca) const;

 private:
  std::string certificate_path(const std::string& name) const {
    return root_ + "/certificates/" + name;
  }
  std::string building_path(const std::string& name, unsigned number) const;
  FileWork remove_building_folders(const std::string& name) const;
  Result<acme::Certificate> load_first(const std::string& path) const;
  Error unreadable(Error error, const std::string& path, const std::string& text) const;
  FileWork replace_document(const std::string& path, std::string content, unsigned mode) const;
  FileWork put_aside(const std::string& path) const;
  FileWork put_intruder_aside(const std::string& path, FileStatus::Kind wanted,
                              std::vector<std::string>& aside) const;
  std::string account_path(const std::string& ca) const { return root_ + "/accounts/" + ca; }

  // Reading and parsing cost a hundred times what a look at a file's version does, and almost
  // always nothing has changed. By certificate, the newest generation each, and by path.
  using Versions = std::array<std::uint64_t, 6>;
  struct Parsed {
    Versions versions{};  // of the certificate's folder and the generation's files
    Generation generation;
    std::string fault;  // of its files; empty: they are whole and belong together
  };
  template <class T>
  struct Document {
    std::uint64_t version = 0;
    T content;
  };
  template <class T>
  using Documents = std::map<std::string, Document<T>>;

  template <class T>
  Result<T> load_document(const std::string& path, Result<T> (*read)(std::string_view),
                          Documents<T>& known) const;
  std::uint64_t version_of(const std::string& path) const;
  // A look is cheaper than an attempt to read.
  bool is_absent(const std::string& path) const;
  Versions versions_of(const std::string& name, unsigned number) const;
  Result<Generation> parse_generation(std::string directory, unsigned number,
                                      const std::string& fullchain, const std::string& meta) const;
  const Parsed* unchanged(const std::string& name) const;
  Result<Parsed> load_checked(const std::string& name, unsigned number) const;
  Result<void> check_pair(const Generation& generation) const;
  Result<void> check_parts(const std::string& directory) const;

  std::string root_;
  const Files& files_;
  mutable std::map<std::string, Parsed> parsed_;
  mutable Documents<ScheduleRecord> schedules_;
  mutable Documents<DeploymentRecords> deployments_;
  mutable Documents<RehearsalRecords> rehearsals_;
  mutable Documents<std::vector<unsigned>> numbers_;  // by certificate
  // By certificate, then by generation.
  mutable std::map<std::string, std::map<unsigned, Document<ChainFacts>>> chains_;
  mutable std::map<std::string, std::string> unreadable_;  // documents by path: their content
};

}  // namespace nolapse
