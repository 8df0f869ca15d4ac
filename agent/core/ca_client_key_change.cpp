// The change of an account's key, so that no key is lost at any moment [RFC 8555 §7.3.5]:
//
//   the new key is durable beside the old one, then the moment of asking, then the CA is asked;
//   whatever it answers, it is asked which account the new key has, and the same account makes the
//   new key the account's, by one rename.
//
// Its own answer is not enough: newer Pebbles answer 200 and change nothing, and a reply may get
// lost. A CA may also act late, or tell late; so a new key that it does not know is kept for an
// hour and asked about at each use of the account, which goes on with the old one meanwhile.
#include "agent/core/ca_client.h"
#include "agent/core/schedule.h"

namespace nolapse {

using acme::Call;
using acme::HttpResponse;

namespace {

constexpr Duration may_still_act = std::chrono::hours(1);

bool is_one_of(const std::string& code, std::initializer_list<const char*> codes) {
  for (const char* each : codes) {
    if (code == each) return true;
  }
  return false;
}

// By this answer nothing was changed, and nothing will be.
bool is_refusal(const Error& error) {
  return error.kind == ErrorKind::input || error.kind == ErrorKind::resync ||
         error.code == "CA_HTTP_501";
}

Error refusal(Error error) {
  if (is_one_of(error.code, {"NOT_OFFERED", "CA_HTTP_501", "CA_REJECTED_IDENTIFIER"})) {
    error.code = "KEY_CHANGE_UNSUPPORTED";
    error.message += "; key rollover is not supported by this CA, the old key stays in use";
  } else if (is_one_of(error.code, {"CA_CONFLICT", "CA_HTTP_409"})) {
    error.code = "KEY_IN_USE";
    error.message += "; the new key is in use at this CA, the old key stays the account's";
  } else {
    error.message += "; the old key stays in use";
  }
  return error;
}

}  // namespace

// ---- asking for it

void CaClient::change_key(const Work& work) {
  std::string names;
  for (const std::string& name : issuances_under_way()) names += " " + name;
  // Proofs of control are made with the key; the CA would look for others. [RFC 8555 §8.1]
  if (key_held_.use_count() > 1 || !names.empty()) {
    return end(work, Error{ErrorKind::held,
                           "ISSUANCE_UNDER_WAY",
                           ca_.name + ": the key cannot be changed while an order is under way" +
                               (names.empty() ? std::string() : " (" + names.substr(1) + ")") +
                               "; `nolapse renew` brings it to its end, then try again",
                           {},
                           {}});
  }
  if (session_->directory()->key_change.empty()) {
    return end(work, refusal({ErrorKind::input,
                              "NOT_OFFERED",
                              ca_.name + ": the CA's directory has no keyChange",
                              {},
                              {}}));
  }
  if (account_.next_key) return send_key_change(work);
  world_.key_maker.generate(ca_.account_key_type,
                            [this, work](const Result<acme::PrivateKey>& key) {
                              if (!key) return end(work, key.error());
                              save_next_key(work, *key);
                            });
}

void CaClient::save_next_key(const Work& work, const acme::PrivateKey& key) {
  world_.files.run(store_.save_next_account_key(ca_.name, key),
                   [this, work, key](Result<void> saved) {
                     if (saved) {
                       account_.next_key = key;
                       return send_key_change(work);
                     }
                     ready_ = false;  // what is on the disk counts
                     end(work, saved.error());
                   });
}

void CaClient::send_key_change(const Work& work) {
  const bool first_time = !account_.key_change_at;
  account_.key_change_at = world_.clock.now();
  account_.url = session_->account_url();
  account_.directory = ca_.directory;
  world_.files.run(
      store_.save_account(ca_.name, account_), [this, work, first_time](Result<void> saved) {
        if (!saved) {
          ready_ = false;
          return end(work, saved.error());
        }
        Call call;
        call.target = Call::Target::key_change;
        call.key = account_.next_key;
        call.context = "key change";
        send(std::move(call), [this, work, first_time](const Result<HttpResponse>& reply) {
          asked_for_key_change(work, reply, first_time);
        });
      });
}

void CaClient::asked_for_key_change(const Work& work, const Result<HttpResponse>& reply,
                                    bool first_time) {
  const Error said =
      reply ? Error{ErrorKind::transient, {}, ca_.name + ": the CA agreed", {}, {}} : reply.error();
  settle_key_change([this, work, first_time, said](const Result<KeyInForce>& settled) {
    if (settled && *settled == KeyInForce::new_one) {
      work->outcome.done = "the account has a new key; the old one is removed";
      return end(work);
    }
    if (settled && *settled == KeyInForce::old_one) {
      return end(work, refusal({ErrorKind::input,
                                "CA_CONFLICT",
                                ca_.name + ": another account has the new key",
                                {},
                                {}}));
    }
    // After a lost reply this one may be the CA's word on a key that is not the account's any more.
    if (settled && first_time && is_refusal(said)) {
      return drop_next_key([this, work, said](const Result<KeyInForce>& dropped) {
        end(work, dropped ? refusal(said) : dropped.error());
      });
    }
    const std::string why = settled
                                ? ", but it knows no account by the new key"
                                : ", and could not be asked about it: " + settled.error().message;
    end(work, Error{ErrorKind::transient, "KEY_CHANGE_UNCONFIRMED",
                    said.message + why +
                        ". Both keys are kept, and the next use of the account finds out; "
                        "`nolapse account rollover` tries again with the same new key",
                    said.problem, said.retry_after});
  });
}

std::vector<std::string> CaClient::issuances_under_way() const {
  std::vector<std::string> names;
  for (const std::string& certificate : store_.names()) {
    for (const std::string& name : {certificate, standby_name(certificate)}) {
      const auto issuance = store_.load_issuance(name);
      if (issuance && *issuance && (*issuance)->ca == ca_.name &&
          !(*issuance)->state.order_url.empty()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

// ---- which key is it?

void CaClient::look_up(const acme::PrivateKey& key, Completion<HttpResponse> done) {
  Call call;
  call.target = Call::Target::look_up;
  call.key = key;
  call.context = "looking up the account";
  send(std::move(call), [done = std::move(done)](Result<HttpResponse> reply) {
    if (reply && reply->header("Location").empty()) {
      return done(
          fail(ErrorKind::transient, "BAD_ACCOUNT", "the CA sent an account without its URL"));
    }
    done(std::move(reply));
  });
}

void CaClient::settle_key_change(Completion<KeyInForce> done) {
  look_up(account_.next_key, [this, done = std::move(done)](const Result<HttpResponse>& reply) {
    if (reply) {
      const std::string url(reply->header("Location"));
      if (session_->account_url().empty()) return settle_without_url(url, done);
      if (url == session_->account_url()) return adopt_next_key(url, done);
      return drop_next_key(done);
    }
    const Error& error = reply.error();
    if (error.kind == ErrorKind::transient || error.kind == ErrorKind::deferred) {
      return done(fail(error));
    }
    const bool does_not_have_it =
        is_one_of(error.code,
                  {"CA_ACCOUNT_DOES_NOT_EXIST", "CA_BAD_PUBLIC_KEY", "CA_BAD_SIGNATURE_ALGORITHM"});
    const auto& asked_at = account_.key_change_at;
    const bool may_yet =
        asked_at && must_wait(*asked_at + may_still_act, may_still_act, world_.clock.now());
    if (!does_not_have_it || may_yet) return done(KeyInForce::unknown);
    drop_next_key(done);
  });
}

// Without account.json only the old key can tell whose account that is: it has one of its own, or
// it has been replaced.
void CaClient::settle_without_url(const std::string& url_of_next,
                                  const Completion<KeyInForce>& done) {
  look_up(account_.key, [this, url_of_next, done](const Result<HttpResponse>& reply) {
    if (reply) return drop_next_key(done);
    if (reply.error().code != "CA_ACCOUNT_DOES_NOT_EXIST") return done(fail(reply.error()));
    adopt_next_key(url_of_next, done);
  });
}

void CaClient::adopt_next_key(const std::string& url, const Completion<KeyInForce>& done) {
  world_.files.run(
      store_.adopt_next_account_key(ca_.name), [this, url, done](Result<void> adopted) {
        if (!adopted) {
          ready_ = false;  // what is on the disk counts
          return done(fail(adopted.error()));
        }
        account_.key = std::exchange(account_.next_key, {});
        account_.key_change_at.reset();
        account_.url = url;
        account_.directory = ca_.directory;
        session_->replace_key(account_.key);
        session_->restore_account(url);
        events_.emit(Severity::info, {}, "ACCOUNT_KEY_CHANGED",
                     ca_.name + ": the account " + url + " has a new key, with the thumbprint " +
                         session_->thumbprint());
        world_.files.run(store_.save_account(ca_.name, account_), [this, done](Result<void> saved) {
          // Nothing in it is needed: with the key alone the CA tells the rest.
          if (!saved) {
            events_.emit(Severity::warning, {}, saved.error().code, saved.error().message);
          }
          done(KeyInForce::new_one);
        });
      });
}

void CaClient::drop_next_key(const Completion<KeyInForce>& done) {
  world_.files.run(store_.drop_next_account_key(ca_.name), [this, done](Result<void> dropped) {
    if (!dropped) {
      ready_ = false;
      return done(fail(dropped.error()));
    }
    account_.next_key = {};
    account_.key_change_at.reset();
    events_.emit(Severity::warning, {}, "ACCOUNT_KEY_KEPT",
                 ca_.name + ": the CA did not make the new key the account's; the old one stays");
    done(KeyInForce::old_one);
  });
}

}  // namespace nolapse
