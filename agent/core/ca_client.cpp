#include "agent/core/ca_client.h"

#include "acme/base64url.h"

namespace nolapse {

using acme::Call;
using acme::HttpResponse;
using namespace std::chrono_literals;

CaClient::CaClient(World world, const Store& store, EventStream& events, CaConfig ca,
                   std::vector<std::string> contact, FirstContact first_contact)
    : world_(world),
      store_(store),
      events_(events),
      ca_(std::move(ca)),
      contact_(std::move(contact)),
      ledger_(world, store, events, ca_.name, ca_.rate_limits),
      turns_(world.clock),
      first_try_(world.clock.uptime()) {
  if (first_contact == FirstContact::insisted) first_waits_ = {3s, 10s};
}

// ---- the account

void CaClient::prepare(Completion<void> done) {
  waiting_.push_back(std::move(done));
  if (waiting_.size() > 1) return;
  turns_.enter({}, [this] {
    if (!ready_) return load_account();
    if (account_.deactivated) return prepared(fail(deactivated()));
    if (account_.next_key) {
      return settle_key_change([this](const Result<KeyInForce>& settled) {
        prepared(settled ? Result<void>() : Result<void>(fail(settled.error())));
      });
    }
    if (world_.clock.uptime() - directory_uptime_ > std::chrono::hours(24)) return read_directory();
    prepared({});
  });
}

void CaClient::prepared(Result<void> outcome) {
  if (!outcome && tries_again(outcome.error())) return;
  first_waits_.clear();
  ready_ = outcome.has_value();
  turns_.leave({});
  std::vector<Completion<void>> waiting;
  waiting.swap(waiting_);
  for (const Completion<void>& done : waiting) done(outcome);
}

// A look-up or a connection that failed for once should not cost a person another command; one that
// took long to fail is no such accident.
bool CaClient::tries_again(const Error& error) {
  const bool lasts = world_.clock.uptime() - first_try_ > 20s;
  if (first_waits_.empty() || lasts || error.kind != ErrorKind::transient || error.retry_after) {
    return false;
  }
  const Duration wait = first_waits_.front();
  first_waits_.pop_front();
  events_.emit(Severity::warning, {}, error.code,
               error.message + "; trying again in " + acme::format_duration(wait));
  world_.clock.start_timer(wait, [this] { load_account(); });
  return true;
}

Error CaClient::deactivated() const {
  return {ErrorKind::input,
          "ACCOUNT_DEACTIVATED",
          ca_.name + ": the account " + account_.url +
              " is deactivated, for good. A new one is made when its folder accounts/" + ca_.name +
              " in the state directory is removed; or use another CA",
          {},
          {}};
}

void CaClient::load_account() {
  auto account = store_.load_account(ca_.name);
  if (!account) {
    Error error = account.error();
    error.message = "account key of " + ca_.name + ": " + error.message;
    if (error.code == "BAD_PRIVATE_KEY") {
      error.message += "; put the key back, or remove the file to register a new account";
    }
    return prepared(fail(std::move(error)));
  }
  if (*account && !(*account)->fault.empty()) {
    events_.emit(Severity::warning, {}, "STATE_UNREADABLE",
                 (*account)->fault + "; " + ca_.name + " is asked which account the key has");
  }
  if (*account) return use_account(std::move(**account), true);
  make_key();
}

void CaClient::make_key() {
  world_.key_maker.generate(ca_.account_key_type, [this](Result<acme::PrivateKey> key) {
    if (!key) return prepared(fail(key.error()));
    world_.files.run(store_.save_account_key(ca_.name, *key),
                     [this, account = SavedAccount{*key, {}, {}, {}}](Result<void> saved) {
                       if (!saved) return prepared(fail(saved.error()));
                       use_account(account, false);
                     });
  });
}

Result<acme::AccountTerms> CaClient::terms() const {
  acme::AccountTerms terms{contact_, ca_.terms_of_service_agreed, ca_.eab_key_id, {}};
  if (ca_.eab_hmac_key_file.empty()) return terms;
  const auto text = world_.files.read(ca_.eab_hmac_key_file);
  if (!text) return fail(text.error());
  const std::string trimmed = text->substr(0, text->find_last_not_of(" \t\r\n") + 1);
  const auto key = acme::base64_decode_lenient(trimmed);
  if (!key || key->empty()) {
    return fail(ErrorKind::input, "BAD_EAB_KEY",
                ca_.eab_hmac_key_file + ": not base64; copy the HMAC key as the CA shows it");
  }
  terms.eab_mac_key = *key;
  return terms;
}

Result<void> CaClient::check_external_account() const {
  const auto usable = terms();
  return usable ? Result<void>() : Result<void>(fail(usable.error()));
}

void CaClient::use_account(SavedAccount account, bool key_is_old) {
  auto account_terms = terms();
  if (!account_terms) return prepared(fail(account_terms.error()));
  account_ = std::move(account);
  if (!ledger_.loaded()) ledger_.load(key_is_old);
  session_ =
      std::make_unique<acme::Session>(ca_.directory, account_.key, std::move(*account_terms));
  const bool known = account_.is_at(ca_.directory);
  if (known && account_.deactivated) return prepared(fail(deactivated()));
  if (known) session_->restore_account(account_.url);
  // A key without its URL may well have an account: ask before making one. [RFC 8555 §7.3.1]
  if (!known) session_->only_return_existing(key_is_old);
  if (!account_.next_key) return known ? read_directory() : find_account();
  settle_key_change([this](const Result<KeyInForce>& settled) {
    if (!settled) return prepared(fail(settled.error()));
    session_->account_url().empty() ? find_account() : read_directory();
  });
}

void CaClient::read_directory() {
  Call call;
  call.target = Call::Target::directory;
  call.context = "directory";
  send(std::move(call), [this](Result<HttpResponse> reply) {
    prepared(reply ? Result<void>() : Result<void>(fail(reply.error())));
  });
}

void CaClient::find_account() {
  Call call;
  call.target = Call::Target::account;
  call.context = "account";
  send(std::move(call), [this](Result<HttpResponse> reply) {
    if (reply) {
      events_.emit(Severity::info, {}, "ACCOUNT_READY",
                   ca_.name + ": using the account " + session_->account_url());
      return prepared({});
    }
    if (reply.error().code == "CA_ACCOUNT_DOES_NOT_EXIST") {
      session_->only_return_existing(false);
      return find_account();
    }
    prepared(fail(reply.error()));
  });
}

std::optional<Time> CaClient::time() const {
  if (!last_date_) return {};
  return *last_date_ + (world_.clock.uptime() - last_date_uptime_);
}

// ---- calls

void CaClient::send(Call call, Completion<HttpResponse> done) {
  auto exchange = std::make_shared<Exchange>();
  exchange->call = std::move(call);
  exchange->done = std::move(done);
  go_on(std::move(exchange));
}

void CaClient::ask_renewal_info(const acme::Certificate& leaf, Completion<RenewalAdvice> done) {
  Call call;
  call.target = Call::Target::renewal_info;
  call.url = acme::renewal_certificate_id(leaf);
  call.context = "renewal information";
  send(std::move(call), [this, done = std::move(done)](Result<HttpResponse> reply) {
    if (!reply) return done(fail(reply.error()));
    const auto info = acme::parse_renewal_info(reply->body);
    if (!info) return done(fail(info.error()));
    const Time now = world_.clock.now();
    done(RenewalAdvice{*info, acme::renewal_info_poll_after(*reply, now)});
  });
}

void CaClient::go_on(std::shared_ptr<Exchange> exchange) {
  auto request = session_->next(exchange->call);
  if (!request) {
    world_.clock.start_timer(
        Duration{0}, [this, exchange, error = request.error()] { finish(exchange, fail(error)); });
    return;
  }
  HttpOptions options;
  options.roots_file = ca_.roots_file;
  options.proxy = ca_.proxy;
  world_.http.send(
      std::move(*request), std::move(options),
      [this, exchange](Result<HttpResponse> response) { receive(exchange, std::move(response)); });
}

void CaClient::receive(const std::shared_ptr<Exchange>& exchange, Result<HttpResponse> response) {
  if (!response) return finish(exchange, fail(response.error()));
  if (exchange->call.target == Call::Target::directory) directory_uptime_ = world_.clock.uptime();
  if (const auto date = acme::parse_http_date(response->header("Date"))) {
    last_date_ = date;
    last_date_uptime_ = world_.clock.uptime();
  }
  auto ended = session_->receive(exchange->call, *response, world_.clock.now());
  if (!ended) return go_on(exchange);
  const Call::Target target = exchange->call.target;
  const bool forgotten = !*ended && ended->error().code == "CA_ACCOUNT_DOES_NOT_EXIST" &&
                         (target == Call::Target::new_order || target == Call::Target::url);
  if (forgotten && !exchange->account_renewed) {
    exchange->account_renewed = true;
    session_->restore_account({});
    session_->only_return_existing(false);
    events_.emit(Severity::warning, {}, "ACCOUNT_FORGOTTEN",
                 ca_.name + " no longer knows the account " + account_.url +
                     "; registering the same key again. CAA or dns-persist records that name the "
                     "old account must be changed");
    return go_on(exchange);
  }
  finish(exchange, std::move(*ended));
}

void CaClient::finish(const std::shared_ptr<Exchange>& exchange, Result<HttpResponse> reply) {
  if (!reply) {
    Error error = reply.error();
    error.message = ca_.name + ": " + error.message;
    if (error.code == "CA_UNAUTHORIZED" && exchange->call.target == Call::Target::new_order) {
      error.message += "; `nolapse account show` asks the CA what is the matter with the account";
    }
    return exchange->done(fail(std::move(error)));
  }
  const std::string& url = session_->account_url();
  if (url.empty() || (url == account_.url && account_.directory == ca_.directory)) {
    return exchange->done(std::move(reply));
  }
  account_.url = url;
  account_.directory = ca_.directory;
  account_.deactivated = false;
  account_.agreed_terms = session_->agreed_terms();
  world_.files.run(store_.save_account(ca_.name, account_),
                   [exchange, reply = std::move(reply)](Result<void> saved) {
                     if (!saved) return exchange->done(fail(saved.error()));
                     exchange->done(reply);
                   });
}

}  // namespace nolapse
