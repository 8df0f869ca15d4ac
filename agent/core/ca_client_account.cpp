// What a person does with the account itself: look at it, tell the CA other contacts, end it. The
// CA is asked with the account's key and onlyReturnExisting, so that nothing of this makes an
// account. [RFC 8555 §7.3.1, §7.3.2, §7.3.6]
#include <algorithm>

#include "acme/json_read.h"
#include "agent/core/ca_client.h"

namespace nolapse {

using acme::Call;
using acme::HttpResponse;
using nlohmann::json;

const char* name_of(AccountAction action) {
  switch (action) {
    case AccountAction::show:
      return "show";
    case AccountAction::roll_over:
      return "rollover";
    case AccountAction::update:
      return "update";
    case AccountAction::deactivate:
      return "deactivate";
  }
  return "show";
}

std::optional<AccountAction> parse_account_action(const std::string& name) {
  for (const AccountAction action : {AccountAction::show, AccountAction::roll_over,
                                     AccountAction::update, AccountAction::deactivate}) {
    if (name == name_of(action)) return action;
  }
  return {};
}

namespace {

Call directory_call() {
  Call call;
  call.target = Call::Target::directory;
  call.context = "directory";
  return call;
}

}  // namespace

// ---- the account that there is

Result<void> CaClient::open_account() {
  if (ready_) return {};
  auto account = store_.load_account(ca_.name);
  if (!account) return fail(account.error());
  account_ = *account ? std::move(**account) : SavedAccount{};
  session_ = std::make_unique<acme::Session>(ca_.directory, account_.key, acme::AccountTerms{});
  if (account_.is_at(ca_.directory)) session_->restore_account(account_.url);
  return {};
}

void CaClient::prepare_existing(Completion<void> done) {
  turns_.enter({}, [this, done = std::move(done)] {
    const auto end = [this, done](Result<void> outcome) {
      turns_.leave({});
      done(std::move(outcome));
    };
    if (auto opened = open_account(); !opened) return end(std::move(opened));
    send(directory_call(), [this, end](const Result<HttpResponse>& directory) {
      if (!directory) return end(fail(directory.error()));
      if (account_.next_key) {
        return settle_key_change([end](const Result<KeyInForce>& settled) {
          end(settled ? Result<void>() : Result<void>(fail(settled.error())));
        });
      }
      if (!account_.key || !session_->account_url().empty()) return end({});
      look_up(account_.key, [this, end](const Result<HttpResponse>& found) {
        if (found) session_->restore_account(std::string(found->header("Location")));
        end({});
      });
    });
  });
}

void CaClient::work_on_account(AccountAction action, std::function<void(AccountOutcome)> done) {
  const auto work = std::make_shared<AccountWork>(AccountWork{action, std::move(done), {}});
  turns_.enter({}, [this, work] {
    if (const auto opened = open_account(); !opened) return end(work, opened.error());
    send(directory_call(), [this, work](const Result<HttpResponse>& directory) {
      if (!directory) return end(work, directory.error());
      asked_directory(work);
    });
  });
}

void CaClient::end(const Work& work, std::optional<Error> error) {
  work->outcome.error = std::move(error);
  describe(work);
  turns_.leave({});
  work->done(std::move(work->outcome));
}

// What is known without the CA, and what its directory says.
void CaClient::describe(const Work& work) const {
  AccountOutcome& outcome = work->outcome;
  outcome.ca = ca_.name;
  outcome.directory = ca_.directory;
  outcome.terms_of_service_agreed = ca_.terms_of_service_agreed;
  outcome.external_account_configured = !ca_.eab_key_id.empty();
  if (session_ == nullptr) return;
  outcome.url = session_->account_url();
  if (account_.deactivated && !outcome.url.empty()) outcome.status = "deactivated";
  if (!account_.key) outcome.status = "none";
  if (account_.key) {
    const auto type = account_.key.type();
    outcome.key_type = type ? acme::name_of(*type) : "another kind";
    outcome.thumbprint = session_->thumbprint();
  }
  outcome.key_change_open = static_cast<bool>(account_.next_key);
  if (const auto& directory = session_->directory()) {
    outcome.terms_of_service = directory->terms_of_service;
    outcome.external_account_required = directory->external_account_required;
  }
}

void CaClient::asked_directory(const Work& work) {
  if (!account_.key) {
    if (work->action == AccountAction::show) return end(work);
    return end(work, Error{ErrorKind::local,
                           "NO_ACCOUNT",
                           ca_.name + ": there is no account yet; the first `nolapse renew` that "
                                      "needs one makes it",
                           {},
                           {}});
  }
  if (account_.deactivated && account_.is_at(ca_.directory)) {
    if (work->action != AccountAction::deactivate) return end(work, deactivated());
    work->outcome.done = "it was deactivated before";
    return end(work);
  }
  if (!account_.next_key) return ask_account(work);
  settle_key_change([this, work](const Result<KeyInForce>& settled) {
    if (!settled) return end(work, settled.error());
    ask_account(work);
  });
}

void CaClient::ask_account(const Work& work) {
  look_up(account_.key,
          [this, work](const Result<HttpResponse>& reply) { asked_account(work, reply); });
}

void CaClient::asked_account(const Work& work, const Result<HttpResponse>& reply) {
  AccountOutcome& outcome = work->outcome;
  if (!reply) {
    const bool refused = reply.error().code == "CA_UNAUTHORIZED";
    if (refused) outcome.status = "refused";
    if (reply.error().code == "CA_ACCOUNT_DOES_NOT_EXIST") outcome.status = "forgotten";
    // The reply to an earlier deactivation may have been lost.
    if (refused && work->action == AccountAction::deactivate) {
      return note_deactivated(work, "the CA does not let it in any more; it is noted as ended");
    }
    return end(work, reply.error());
  }
  session_->restore_account(std::string(reply->header("Location")));
  const auto object = acme::parse_object(reply->body, "the account");
  outcome.status = object ? acme::printable(acme::string_member(*object, "status"), 40) : "";
  if (outcome.status.empty()) outcome.status = "valid";
  if (object && object->contains("contact")) {
    outcome.contact = acme::string_list_member(*object, "contact");
  }
  outcome.external_account_bound = object && object->contains("externalAccountBinding");
  if (outcome.status == "valid") return act(work);
  end(work, Error{ErrorKind::input,
                  "ACCOUNT_NOT_VALID",
                  ca_.name + ": the CA says that the account is " + outcome.status +
                      "; nothing is renewed with it",
                  {},
                  {}});
}

// ---- changing it

void CaClient::act(const Work& work) {
  switch (work->action) {
    case AccountAction::show:
      return end(work);
    case AccountAction::roll_over:
      return change_key(work);
    case AccountAction::update:
      return update(work);
    case AccountAction::deactivate:
      return deactivate(work);
  }
}

void CaClient::change_account(const Work& work, std::string payload,
                              std::function<void(const HttpResponse&)> changed) {
  Call call;
  call.target = Call::Target::own_account;
  call.payload = std::move(payload);
  call.context = std::string("account ") + name_of(work->action);
  send(std::move(call),
       [this, work, changed = std::move(changed)](const Result<HttpResponse>& reply) {
         if (!reply) return end(work, reply.error());
         changed(*reply);
       });
}

void CaClient::update(const Work& work) {
  auto wanted = contact_;
  auto present = work->outcome.contact.value_or(std::vector<std::string>{});
  std::sort(wanted.begin(), wanted.end());
  std::sort(present.begin(), present.end());
  // CAs refuse an update of nothing. One that does not show the contacts is told them each time.
  if (present == wanted) {
    work->outcome.done = "its contacts are as configured, nothing was sent";
    return updated(work);
  }
  change_account(
      work, acme::dump(json{{"contact", contact_}}), [this, work](const HttpResponse& reply) {
        const auto object = acme::parse_object(reply.body, "the account");
        work->outcome.contact.reset();
        if (object && object->contains("contact")) {
          work->outcome.contact = acme::string_list_member(*object, "contact");
        }
        work->outcome.done = "the CA was told the configured contacts";
        events_.emit(Severity::info, {}, "ACCOUNT_UPDATED", ca_.name + ": " + work->outcome.done);
        updated(work);
      });
}

// Who says in the configuration that the terms are agreed to means those that there are now.
void CaClient::updated(const Work& work) {
  const std::string& terms = session_->directory()->terms_of_service;
  if (!ca_.terms_of_service_agreed || account_.agreed_terms == terms) return end(work);
  account_.url = session_->account_url();
  account_.directory = ca_.directory;
  account_.agreed_terms = terms;
  work->outcome.done += "; its terms of service are noted as agreed to";
  world_.files.run(store_.save_account(ca_.name, account_), [this, work](Result<void> saved) {
    if (saved) return end(work);
    end(work, saved.error());
  });
}

void CaClient::deactivate(const Work& work) {
  change_account(
      work, acme::dump(json{{"status", "deactivated"}}), [this, work](const HttpResponse&) {
        note_deactivated(work, "it is deactivated, for good; nothing is renewed with it");
      });
}

void CaClient::note_deactivated(const Work& work, std::string how) {
  account_.url = session_->account_url();
  account_.directory = ca_.directory;
  account_.deactivated = true;
  work->outcome.done = std::move(how);
  work->outcome.status = "deactivated";
  events_.emit(Severity::warning, {}, "ACCOUNT_DEACTIVATED",
               ca_.name + ": the account " + account_.url + " is deactivated");
  world_.files.run(store_.save_account(ca_.name, account_), [this, work](Result<void> saved) {
    if (saved) return end(work);
    end(work, saved.error());
  });
}

}  // namespace nolapse
