// The fake transport. Completions wait in a table rather than in the travelling closure, so that
// a crash can drop them all while the requests arrive regardless.
#include "tests/support/fake_http.h"

#include <array>
#include <cstdio>

namespace nolapse {

namespace {

Error fault_error(FakeHttp::Fault fault, const std::string& prefix) {
  Error error{ErrorKind::transient, "CA_UNREACHABLE", prefix + ": connection refused", {}, {}};
  if (fault == FakeHttp::Fault::name_not_found) error.message = prefix + ": name not found";
  if (fault == FakeHttp::Fault::bad_certificate)
    error = {ErrorKind::transient, "CA_TLS", prefix + ": certificate has expired", {}, {}};
  if (fault == FakeHttp::Fault::no_answer)
    error = {ErrorKind::transient, "CA_TIMEOUT", prefix + ": no answer in time", {}, {}};
  return error;
}

}  // namespace

void FakeHttp::send(acme::HttpRequest request, HttpOptions options,
                    Completion<acme::HttpResponse> done) {
  const std::uint64_t id = ++last_id_;
  waiting_[id] = std::move(done);
  if (record_exchanges)
    exchanges_.push_back({clock_.true_time(), request.method + " " + request.url, ""});
  if (!options.address.empty()) {
    clock_.post_after(std::chrono::milliseconds(2),
                      [this, id, url = request.url, address = options.address] {
                        deliver(id, Duration{0}, visit(url, address));
                      });
    return;
  }
  // The same host, the same fate.
  std::string url = request.url;
  if (options.plain_http && url.starts_with("http://")) url.insert(4, "s");
  for (auto& [prefix, route] : routes_) {
    if (!url.starts_with(prefix + "/")) continue;
    if (route.fault != Fault::none) {
      const bool silent = route.fault == Fault::no_answer;
      return deliver(id, silent ? options.timeout : route.latency,
                     fail(fault_error(route.fault, prefix)));
    }
    if (route.latency >= options.timeout)  // it arrives all the same
      deliver(id, options.timeout, fail(fault_error(Fault::no_answer, prefix)));
    clock_.outside_after(route.latency / 2, [this, id, &way = route, request = std::move(request),
                                             options] { arrive(id, way, request, options); });
    return;
  }
  deliver(id, std::chrono::milliseconds(5), fail(fault_error(Fault::name_not_found, request.url)));
}

Result<acme::HttpResponse> FakeHttp::visit(const std::string& url,
                                           const std::string& address) const {
  const auto body = front_door ? front_door(address, url.substr(url.rfind('/') + 1)) : std::nullopt;
  if (!body) return fail(ErrorKind::transient, "CA_UNREACHABLE", address + ": connection refused");
  return acme::HttpResponse{body->empty() ? 404 : 200, {}, *body};
}

namespace {

// [RFC 9110 §5.6.7]
std::string http_date(Time time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<seconds>(time - day)};
  static constexpr std::array<const char*, 7> weekdays = {"Sun", "Mon", "Tue", "Wed",
                                                          "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
                weekdays[weekday{day}.c_encoding()], unsigned{date.day()},
                months[unsigned{date.month()} - 1], int{date.year()},
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

}  // namespace

void FakeHttp::arrive(std::uint64_t id, Route& route, const acme::HttpRequest& request,
                      const HttpOptions& options) {
  Result<acme::HttpResponse> outcome = route.ca->handle(request, clock_.true_time());
  wake(route);
  if (outcome && dated) outcome->headers.push_back({"Date", http_date(clock_.true_time())});
  if (outcome && outcome->body.size() > options.body_limit)
    outcome = fail(ErrorKind::transient, "BODY_TOO_LONG", request.url + ": the reply is too long");
  deliver(id, route.latency / 2, std::move(outcome));
}

void FakeHttp::deliver(std::uint64_t id, Duration after, Result<acme::HttpResponse> outcome) {
  clock_.outside_after(after, [this, id, outcome = std::move(outcome)] {
    const auto waiting = waiting_.extract(id);
    if (waiting.empty()) return;
    if (record_exchanges)
      exchanges_[id - 1].outcome = outcome ? std::to_string(outcome->status) : outcome.error().code;
    waiting.mapped()(outcome);
  });
}

void FakeHttp::wake(Route& route) {
  const auto due = route.ca->next_due();
  if (!due || (route.next_wake && *route.next_wake <= *due)) return;
  route.next_wake = due;
  clock_.outside_at(*due, [this, &route, due = *due] {
    if (route.next_wake == due) route.next_wake.reset();
    route.ca->advance(clock_.true_time());
    wake(route);
  });
}

}  // namespace nolapse
