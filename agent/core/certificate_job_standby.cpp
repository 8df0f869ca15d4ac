// What a standby adds to a certificate's life: for the standby, which CAs may issue it; for the
// certificate, that the standby takes over and no CA is asked.
#include "agent/core/certificate_job.h"
#include "agent/core/standby.h"

namespace nolapse {

// Each time anew: whoever issued what is in use may not be the one of yesterday. False where there
// is nothing to stand by for.
bool CertificateJob::find_other_cas() {
  const auto in_use =
      parts_.store.newest_generation(certificate_of(spec_.name), Store::Keys::checked);
  if (in_use && *in_use) {
    certificate_until_ = (*in_use)->leaf().not_after;
    spec_.cas = other_cas(spec_, parts_.config, **in_use);
  }
  const bool found = certificate_until_ && !spec_.cas.empty();
  if (!found) {
    outcome_.reason = "the certificate that it stands by for comes first";
    due_.at = parts_.world.clock.now() + parts_.config.daemon.check_interval;
  }
  return found;
}

void CertificateJob::take_over_or(bool failed, std::function<void()> otherwise) {
  // With --again a person wants a new one.
  if (!spec_.standby || (options_.again && !failed)) return otherwise();
  const std::string series = standby_name(spec_.name);
  const auto standby = parts_.store.newest_generation(series, Store::Keys::checked);
  if (!standby || !*standby) return otherwise();
  const ScheduleRecord standby_schedule =
      parts_.store.load_schedule(series).value_or(ScheduleRecord{});
  TakeOverInput input{spec_, parts_.config, nullptr, schedule_, **standby, standby_schedule};
  if (outcome_.generation) input.in_use = &*outcome_.generation;
  input.requested = options_.force;
  input.ca = options_.ca;
  input.failed = failed;
  input.now = parts_.world.clock.now();
  const std::string reason = reason_to_take_over(input);
  if (reason.empty()) return otherwise();
  give_up_order([this, number = (*standby)->number, reason, otherwise = std::move(otherwise)](
                    FileWork work) { move_standby(std::move(work), number, reason, otherwise); });
}

// One that is under way would end in a generation behind the standby's.
void CertificateJob::give_up_order(std::function<void(FileWork)> then) {
  const auto issuance = parts_.store.load_issuance(spec_.name);
  if (!issuance || !*issuance) return then({});
  const auto drop = [this, number = (*issuance)->generation, then = std::move(then)] {
    then(parts_.store.drop_issuance(spec_.name, number));
  };
  if ((*issuance)->state.presented.empty()) return drop();
  const LeftProofs left{(*issuance)->challenge, (*issuance)->state.presented};
  parts_.left_behind.note(spec_.name, left, [this, drop] {
    parts_.left_behind.try_again(spec_.name, parts_.solver, drop);
  });
}

void CertificateJob::move_standby(FileWork work, unsigned number, const std::string& reason,
                                  const std::function<void()>& otherwise) {
  const auto next = parts_.store.next_number(standby_name(spec_.name));
  if (!next) return otherwise();
  for (FileOperation& operation : parts_.store.move_standby(spec_.name, number, *next)) {
    work.push_back(std::move(operation));
  }
  parts_.world.files.run(std::move(work), [this, number = *next, reason,
                                           otherwise](Result<void> moved) {
    auto generation = parts_.store.load_generation(spec_.name, number);
    if (!moved) {
      parts_.events.emit(Severity::error, spec_.name, moved.error().code, moved.error().message);
    }
    // What can be read has moved, even where the last sync failed.
    if (!generation) return otherwise();
    taken_over(std::move(*generation), reason);
  });
}

void CertificateJob::taken_over(Generation generation, const std::string& reason) {
  parts_.events.emit(
      options_.force ? Severity::info : Severity::warning, spec_.name, "STANDBY_PROMOTED",
      "generation " + std::to_string(generation.number) + " is the standby from " + generation.ca +
          ", valid until " + acme::format_rfc3339(generation.leaf().not_after) + ": " + reason);
  outcome_.reason = "the standby takes over: " + reason;
  left_out_.clear();
  obtained(std::move(generation));
}

}  // namespace nolapse
