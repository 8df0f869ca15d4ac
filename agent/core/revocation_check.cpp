#include "agent/core/revocation_check.h"

#include <algorithm>

namespace nolapse {
namespace {

acme::Error located(Error error, const std::string& url) {
  if (error.message.find(url) == std::string::npos) error.message = url + ": " + error.message;
  return error;
}

Result<acme::RevocationList> read_reply(const Result<acme::HttpResponse>& reply,
                                        const acme::Certificate& issuer, const std::string& url,
                                        Time now) {
  if (!reply) return fail(located(reply.error(), url));
  if (reply->status != 200) {
    return fail(ErrorKind::transient, "BAD_REVOCATION_LIST",
                url + ": HTTP status " + std::to_string(reply->status));
  }
  auto list = acme::parse_revocation_list(reply->body, issuer, url, now);
  if (!list) return fail(located(list.error(), url));
  return list;
}

}  // namespace

void RevocationCheck::ask(Question question, Completion<Answer> done) {
  const auto now = clock_.uptime();
  std::erase_if(sources_, [now](const auto& source) {
    return source.second.list && now - source.second.read_at >= list_kept;
  });
  const std::string key = question.urls.front() + " " + question.issuer.fingerprint_sha256;
  const auto [source, is_new] = sources_.try_emplace(key);
  if (is_new) fetch(question, key);
  const auto then = [this, question = std::move(question), key, done = std::move(done)] {
    answer(question, key, done);
  };
  if (source->second.list) {
    clock_.start_timer(Duration{0}, then);
  } else {
    source->second.waiting.push_back(then);
  }
}

void RevocationCheck::fetch(const Question& question, const std::string& key) {
  const std::string& url = question.urls.front();
  HttpOptions options;
  options.roots_file = question.roots_file;
  options.proxy = question.proxy;
  options.body_limit = acme::largest_revocation_list;
  options.plain_http = true;
  http_.send({"GET", url, {}, {}}, std::move(options),
             [this, key, url, issuer = question.issuer](Result<acme::HttpResponse> reply) {
               received(key, read_reply(reply, issuer, url, clock_.now()));
             });
}

void RevocationCheck::received(const std::string& key, Result<acme::RevocationList> list) {
  Source& source = sources_.at(key);
  const Time now = clock_.now();
  source.read_at = clock_.uptime();
  source.ask_after = now + ask_every;
  if (list && list->next_update()) {
    source.ask_after = std::clamp<Time>(*list->next_update(), now + list_kept, source.ask_after);
  }
  source.list = std::move(list);
  std::size_t entries = 0;
  for (const auto& [each, known] : sources_) {
    if (known.list && *known.list) entries += (*known.list)->size();
  }
  if (entries > most_entries) {
    std::erase_if(sources_,
                  [&](const auto& each) { return each.second.list && each.first != key; });
  }
  const auto waiting = std::exchange(source.waiting, {});
  for (const auto& each : waiting) each();
}

void RevocationCheck::answer(Question question, const std::string& key,
                             const Completion<Answer>& done) {
  const auto source = sources_.find(key);
  // Dropped meanwhile.
  if (source == sources_.end() || !source->second.list) return ask(std::move(question), done);
  const auto& list = *source->second.list;
  if (list) return done(Answer{list->find(question.serial_number), source->second.ask_after});
  question.urls.erase(question.urls.begin());
  if (question.urls.empty()) return done(fail(list.error()));
  ask(std::move(question), done);
}

}  // namespace nolapse
