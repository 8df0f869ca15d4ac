#include "agent/world/curl_mail.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "acme/identifier.h"
#include "agent/world/mail_refusal.h"

namespace nolapse {
namespace {

struct Server {
  bool implicit_tls = false;
  std::string host;
  std::string port;
};

std::optional<Server> parse_server(const std::string& url) {
  Server server;
  server.implicit_tls = url.starts_with("smtps://");
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  std::string rest = url.substr(scheme + 3);
  while (rest.ends_with('/')) rest.pop_back();
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  server.host = rest.substr(0, colon);
  server.port =
      colon == std::string::npos ? (server.implicit_tls ? "465" : "587") : rest.substr(colon + 1);
  if (server.host.starts_with('[') && server.host.ends_with(']')) {
    server.host = server.host.substr(1, server.host.size() - 2);
  }
  if (server.host.empty() || server.port.empty()) return {};
  return server;
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace

struct CurlMail::Delivery {
  Delivery(MailMessage mail, Completion<void> completion)
      : message(std::move(mail)), done(std::move(completion)), easy(curl_easy_init()) {}
  ~Delivery() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(recipients);
    curl_slist_free_all(resolved);
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  static std::size_t read(char* buffer, std::size_t, std::size_t size, void* self) {
    auto& delivery = *static_cast<Delivery*>(self);
    const std::size_t count = std::min(size, delivery.message.content.size() - delivery.sent);
    std::memcpy(buffer, delivery.message.content.data() + delivery.sent, count);
    delivery.sent += count;
    return count;
  }
  // What is said to the server and what it answers. Who is refused, and in which words a mail is,
  // is not to be had otherwise. [RFC 5321 §4.2.1]
  static int listen(CURL*, curl_infotype type, char* data, std::size_t size, void* self) {
    auto& delivery = *static_cast<Delivery*>(self);
    const std::string text(data, size);
    if (type == CURLINFO_HEADER_OUT) delivery.note_command(text);
    if (type == CURLINFO_HEADER_IN) delivery.note_answer(text);
    return 0;
  }
  void note_command(const std::string& text) {
    constexpr std::string_view command = "RCPT TO:<";
    asked.clear();
    if (text.starts_with(command)) {
      asked = text.substr(command.size(), text.find('>') - command.size());
    }
    offers_mail = text.starts_with("DATA");
  }
  // Line for line; that of a longer answer which has a space after its number is the last.
  void note_answer(const std::string& line) {
    if (line.size() <= 3 || (asked.empty() && !offers_mail)) return;
    const std::string text = line.substr(0, line.find_last_not_of("\r\n ") + 1);
    answer += answer.empty() ? text : text.substr(std::min<std::size_t>(3, text.size()));
    if (line[3] == '-') return;
    const bool is_refusal = answer[0] == '4' || answer[0] == '5';
    if (is_refusal && offers_mail) mail_refusal = answer;
    if (is_refusal && !asked.empty()) refused.push_back({asked, answer});
    asked.clear();
    answer.clear();
  }
  static CURLcode trust(CURL*, void* context, void* self) {
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context),
                            static_cast<Delivery*>(self)->trust_store.anchors.get());
    return CURLE_OK;
  }

  void prepare() {
    const std::string url = (server.implicit_tls ? "smtps://" : "smtp://") +
                            (acme::is_ipv6(server.host) ? "[" + server.host + "]" : server.host) +
                            ":" + server.port;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text.data());
    // Beside this host's own mail server nothing is said in the clear.
    const bool here = std::all_of(addresses.begin(), addresses.end(), is_loopback);
    const bool secret = !message.password.empty();
    curl_easy_setopt(easy, CURLOPT_USE_SSL,
                     static_cast<long>(here && !secret ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    const std::string label = "/nonexistent/" + trust_store.identity;
    curl_easy_setopt(easy, CURLOPT_CAPATH, label.c_str());
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Delivery::trust);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
    if (!message.username.empty()) {
      curl_easy_setopt(easy, CURLOPT_USERNAME, message.username.c_str());
      curl_easy_setopt(easy, CURLOPT_PASSWORD, message.password.c_str());
    }
    const std::string from = "<" + message.from + ">";
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from.c_str());
    for (const std::string& to : message.to) {
      recipients = curl_slist_append(recipients, ("<" + to + ">").c_str());
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients);
    // One that is gone must not keep it from the others.
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, &Delivery::listen);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, static_cast<void*>(this));
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Delivery::read);
    curl_easy_setopt(easy, CURLOPT_READDATA, static_cast<void*>(this));
    if (!acme::canonical_address(server.host).empty()) return;
    std::string entry = server.host + ":" + server.port + ":";
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      if (i > 0) entry += ',';
      entry += acme::is_ipv6(addresses[i]) ? "[" + addresses[i] + "]" : addresses[i];
    }
    resolved = curl_slist_append(nullptr, entry.c_str());
    curl_easy_setopt(easy, CURLOPT_RESOLVE, resolved);
  }

  const MailMessage message;
  Completion<void> done;
  CURL* const easy;
  Server server;
  std::vector<std::string> addresses;
  TrustStore trust_store;
  curl_slist* recipients = nullptr;
  curl_slist* resolved = nullptr;
  std::size_t sent = 0;
  std::string asked;         // the recipient whose answer is awaited
  bool offers_mail = false;  // DATA was said: what is answered is about the mail itself
  std::string answer;        // the lines of it that have come
  std::vector<MailRefusal> refused;
  std::string mail_refusal;  // what was said of the mail
  std::string error_text = std::string(CURL_ERROR_SIZE, '\0');
  Clock::TimerId timer = 0;
};

CurlMail::CurlMail(EventLoop& loop, Dns& dns, TrustStores& trust_stores)
    : loop_(loop), dns_(dns), trust_stores_(trust_stores) {}

CurlMail::~CurlMail() {
  for (const auto& [id, delivery] : deliveries_) {
    loop_.cancel_timer(delivery->timer);
    loop_.stop_transfer(delivery->easy);
  }
}

void CurlMail::send(MailMessage message, Completion<void> done) {
  const std::uint64_t id = next_id_++;
  const Duration timeout = message.timeout;
  auto delivery = std::make_unique<Delivery>(std::move(message), std::move(done));
  delivery->timer = loop_.start_timer(timeout, [this, id, timeout] {
    finish(id, failed(*deliveries_.at(id),
                      "it was not taken within " + acme::format_duration(timeout)));
  });
  deliveries_.emplace(id, std::move(delivery));
  loop_.post([this, id] {
    if (deliveries_.contains(id)) resolve(id);
  });
}

void CurlMail::resolve(std::uint64_t id) {
  Delivery& delivery = *deliveries_.at(id);
  const auto server = parse_server(delivery.message.server);
  if (!server) return finish(id, failed(delivery, "that is no mail server's URL"));
  delivery.server = *server;
  dns_.resolve(server->host, [this, id](Result<std::vector<std::string>> addresses) {
    const auto found = deliveries_.find(id);
    if (found == deliveries_.end()) return;
    if (!addresses) return finish(id, failed(*found->second, addresses.error().message));
    found->second->addresses = std::move(*addresses);
    start(id);
  });
}

void CurlMail::start(std::uint64_t id) {
  trust_stores_.get(deliveries_.at(id)->message.roots_file, [this, id](Result<TrustStore> store) {
    const auto found = deliveries_.find(id);
    if (found == deliveries_.end()) return;
    Delivery& delivery = *found->second;
    if (!store) return finish(id, failed(delivery, store.error().message));
    delivery.trust_store = std::move(*store);
    delivery.prepare();
    loop_.start_transfer(delivery.easy, [this, id](int code) {
      Delivery& ended = *deliveries_.at(id);
      const std::string recipients = in_words(ended.refused);
      if (code == CURLE_OK && recipients.empty()) return finish(id, {});
      if (code == CURLE_OK) return finish(id, failed(ended, recipients, "MAIL_PART_REFUSED"));
      if (ended.mail_refusal.starts_with('5')) {
        return finish(id,
                      failed(ended, "it refuses the mail: " + ended.mail_refusal, "MAIL_REFUSED"));
      }
      std::string text = ended.error_text.c_str();
      if (text.empty()) text = curl_easy_strerror(static_cast<CURLcode>(code));
      long reply = 0;
      curl_easy_getinfo(ended.easy, CURLINFO_RESPONSE_CODE, &reply);
      if (!ended.mail_refusal.empty()) {
        text += " (it answers " + ended.mail_refusal + ")";
      } else if (reply >= 400) {
        text += " (it answers " + std::to_string(reply) + ")";
      }
      if (!recipients.empty()) text += "; " + recipients;
      finish(id, failed(ended, text));
    });
  });
}

Result<void> CurlMail::failed(const Delivery& delivery, const std::string& why,
                              const char* code) const {
  std::string cause = why;
  std::replace_if(
      cause.begin(), cause.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return fail(ErrorKind::transient, code, delivery.message.server + ": " + cause);
}

void CurlMail::finish(std::uint64_t id, Result<void> result) {
  const auto delivery = std::move(deliveries_.extract(id).mapped());
  loop_.cancel_timer(delivery->timer);
  loop_.stop_transfer(delivery->easy);
  delivery->done(std::move(result));
}

}  // namespace nolapse
