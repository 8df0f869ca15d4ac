// The part of a certificate's life in which its CA takes it back: noticed by the CA's advice or by
// its list, told of, and a reason to renew now. A list that cannot be had holds up nothing.
#include "agent/core/certificate_job.h"

namespace nolapse {

// Asked after every start, a day after it was issued, and then once a day; only memory knows when.
void CertificateJob::ask_whether_revoked() {
  const Time now = parts_.world.clock.now();
  const auto& generation = outcome_.generation;
  if (!generation || generation->leaf().revocation_list_urls.empty() || options_.dry_run ||
      generation->leaf().not_after <= now) {
    return decide();
  }
  Remembered& remembered = parts_.remembered[spec_.name];
  if (revoked()) {
    remembered.revocation_poll.reset();
    if (!told_today(remembered.told_of_revocation_at)) {
      parts_.events.emit(Severity::error, spec_.name, "REVOKED",
                         schedule_.revocation->describe() + " at " +
                             acme::format_rfc3339(schedule_.revocation->revocation.at) +
                             "; it is to be replaced now");
    }
    return decide();
  }
  if (must_wait(remembered.revocation_poll, longest_poll, now)) return decide();
  auto issuer = parts_.store.load_issuer(*generation);
  if (!issuer) return told_whether_revoked(fail(issuer.error()));
  RevocationCheck::Question question;
  question.urls = generation->leaf().revocation_list_urls;
  question.serial_number = generation->leaf().serial_number;
  question.issuer = std::move(*issuer);
  if (const CaConfig* ca = issuer_of(*generation)) {
    question.roots_file = ca->roots_file;
    question.proxy = ca->proxy;
  }
  parts_.revocation_check.ask(std::move(question), [this](Result<RevocationCheck::Answer> answer) {
    told_whether_revoked(std::move(answer));
  });
}

void CertificateJob::told_whether_revoked(Result<RevocationCheck::Answer> answer) {
  Remembered& remembered = parts_.remembered[spec_.name];
  const bool told = std::exchange(remembered.revocation_list_failed, !answer);
  if (!answer) {
    remembered.revocation_poll =
        parts_.world.clock.now() + RevocationCheck::ask_again_after_failure;
    if (!told) {
      parts_.events.emit(
          Severity::warning, spec_.name, "CRL_FAILED",
          answer.error().message + "; until it works, the CA's list does not tell of a revocation");
    }
    return decide();
  }
  remembered.revocation_poll = answer->ask_after;
  if (!answer->revocation) return decide();
  note_revocation(schedule_,
                  {outcome_.generation->leaf().fingerprint_sha256, std::move(*answer->revocation)});
  save_schedule([this] { ask_whether_revoked(); });
}

bool CertificateJob::revoked() const {
  return is_revoked(outcome_.generation ? &*outcome_.generation : nullptr,
                    schedule_.revocation ? &*schedule_.revocation : nullptr);
}

bool CertificateJob::recalled(Time now) const {
  return is_recalled(outcome_.generation ? &*outcome_.generation : nullptr,
                     schedule_.renewal_info ? &*schedule_.renewal_info : nullptr, now);
}

void CertificateJob::tell_of_recall() {
  if (!recalled(judged_at_) || revoked() || options_.dry_run ||
      told_today(parts_.remembered[spec_.name].told_of_revocation_at)) {
    return;
  }
  parts_.events.emit(Severity::error, spec_.name, "RECALLED",
                     describe_recall(*schedule_.renewal_info) +
                         (due_.now ? "; it is to be replaced now"
                                   : "; so was the one before it, so that the next is ordered at " +
                                         acme::format_rfc3339(due_.at)));
}

// Nothing where there is none, or it is revoked: then it is as if there were none.
const acme::Certificate* CertificateJob::usable_leaf() const {
  return outcome_.generation && !revoked() ? &outcome_.generation->leaf() : nullptr;
}

}  // namespace nolapse
