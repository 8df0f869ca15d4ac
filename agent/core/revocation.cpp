#include "agent/core/revocation.h"

#include "acme/base64url.h"
#include "acme/json_read.h"
#include "agent/core/schedule.h"

namespace nolapse {

using acme::Call;
using acme::HttpResponse;

namespace {

Error input_error(std::string code, std::string message) {
  return {ErrorKind::input, std::move(code), std::move(message), {}, {}};
}

Error explained(Error error) {
  if (error.code == "CA_BAD_REVOCATION_REASON") {
    error.message +=
        "; public CAs take unspecified, keyCompromise, superseded and cessationOfOperation from "
        "everybody, other reasons only where their terms say so";
  }
  return error;
}

}  // namespace

Revocation::Revocation(World world, const Store& store, EventStream& events, const Config& config,
                       std::function<CaClient&(const std::string& name)> ca,
                       std::unique_ptr<ScheduleRecord>& unsaved, RevocationRequest request)
    : world_(world),
      store_(store),
      events_(events),
      config_(config),
      find_ca_(std::move(ca)),
      unsaved_(unsaved),
      request_(std::move(request)) {}

void Revocation::start(Completion<RevocationOutcome> done) {
  done_ = std::move(done);
  if (auto error = find()) return done_(fail(std::move(*error)));
  ca_ = &find_ca_(outcome_.generation.ca);
  ca_->prepare_existing([this](const Result<void>& ready) {
    if (!ready) return done_(fail(ready.error()));
    send(!ca_->may_sign());
  });
}

// Which one it is, and whose.
std::optional<Error> Revocation::find() {
  const std::string& name = request_.name;
  const auto newest = store_.newest_generation(name);
  if (!newest) return newest.error();
  if (!*newest) {
    return Error{
        ErrorKind::local, "NO_CERTIFICATE", name + ": there is no certificate yet", {}, {}};
  }
  const auto in_use = is_standby(name) ? std::nullopt : store_.live_generation(name);
  const unsigned number = request_.generation.value_or(in_use.value_or((*newest)->number));
  auto generation = store_.load_generation(name, number);
  if (!generation) {
    return input_error("UNKNOWN_GENERATION", name + ": there is no generation " +
                                                 std::to_string(number) + ", the newest is " +
                                                 std::to_string((*newest)->number));
  }
  auto leaf = store_.load_leaf(*generation);
  if (!leaf) return leaf.error();
  der_ = std::move(leaf->der);
  key_ = store_.load_key(*generation).value_or(acme::PrivateKey());
  outcome_.generation = std::move(*generation);
  outcome_.newest = number == (*newest)->number;
  outcome_.due = outcome_.newest && config_.find_certificate(certificate_of(name)) != nullptr;
  const CaConfig* ca = config_.find_ca(outcome_.generation.ca);
  if (ca == nullptr || ca->directory != outcome_.generation.ca_directory) {
    return input_error("UNKNOWN_CA", name + ": generation " + std::to_string(number) +
                                         " is from a CA that is not configured (\"" +
                                         outcome_.generation.ca + "\", " +
                                         outcome_.generation.ca_directory +
                                         "); add its [[ca]] section to revoke it");
  }
  return {};
}

void Revocation::send(bool with_certificate_key) {
  if (with_certificate_key && !key_) {
    return done_(fail(ErrorKind::local, "BAD_PRIVATE_KEY",
                      request_.name + ": there is no account at " + outcome_.generation.ca +
                          " that may revoke it, and its own key " +
                          (outcome_.generation.has_key ? "cannot be read"
                                                       : "is not here (csr_file): whoever has it "
                                                         "may revoke with another client")));
  }
  outcome_.by_certificate_key = with_certificate_key;
  nlohmann::json payload{{"certificate", acme::base64url_encode(der_)}};
  // Without one it is "unspecified". [RFC 5280 §5.3.1]
  if (request_.reason != 0) payload["reason"] = request_.reason;
  Call call;
  call.target = Call::Target::revocation;
  call.payload = acme::dump(payload);
  call.context = "revocation";
  if (with_certificate_key) call.key = key_;
  ca_->send(std::move(call), [this](const Result<HttpResponse>& reply) { answered(reply); });
}

void Revocation::answered(const Result<HttpResponse>& reply) {
  if (!reply) {
    const Error& error = reply.error();
    const bool not_the_account =
        error.code == "CA_UNAUTHORIZED" || error.code == "CA_ACCOUNT_DOES_NOT_EXIST";
    if (not_the_account && !outcome_.by_certificate_key && key_) {
      events_.emit(Severity::info, request_.name, "REVOCATION_BY_KEY",
                   error.message + "; asking again with the certificate's own key");
      return send(true);
    }
    if (error.code != "CA_ALREADY_REVOKED") return done_(fail(explained(error)));
    outcome_.revoked_before = true;
  }
  // Whoever has the key can do this, and CAs take it as a compromise, whatever reason was given:
  // they let nobody use that key again.
  const bool compromised = outcome_.by_certificate_key && !outcome_.revoked_before;
  outcome_.reason =
      compromised ? "keyCompromise" : acme::name_of_revocation_reason(request_.reason);
  note();
}

// The newest is replaced by the next look; an older one is remembered in case that it is gone back
// to, unless that would make us forget the newest's.
void Revocation::note() {
  const std::string& name = request_.name;
  const acme::Certificate& leaf = outcome_.generation.leaf();
  ScheduleRecord schedule =
      unsaved_ ? *unsaved_ : store_.load_schedule(name).value_or(ScheduleRecord{});
  const auto newest = store_.newest_generation(name);
  const auto* known = schedule.revocation ? &*schedule.revocation : nullptr;
  const bool noted = is_revoked(&outcome_.generation, known);
  if (outcome_.revoked_before && noted) outcome_.reason = known->revocation.reason;
  events_.emit(Severity::warning, name, "REVOKED_ON_REQUEST",
               "generation " + std::to_string(outcome_.generation.number) + " (serial " +
                   leaf.serial_number + ") is revoked (" + outcome_.reason + ")");
  if (!outcome_.newest && newest && *newest && is_revoked(&**newest, known)) {
    return done_(std::move(outcome_));
  }
  // What is known of it stays, a worse reason above all.
  if (!outcome_.revoked_before || !noted) {
    note_revocation(schedule, {leaf.fingerprint_sha256, {world_.clock.now(), outcome_.reason}});
  }
  world_.files.run(store_.save_schedule(name, schedule), [this, schedule](Result<void> saved) {
    if (saved) {
      unsaved_.reset();
    } else {
      unsaved_ = std::make_unique<ScheduleRecord>(schedule);
      events_.emit(Severity::error, request_.name, saved.error().code, saved.error().message);
    }
    done_(std::move(outcome_));
  });
}

}  // namespace nolapse
