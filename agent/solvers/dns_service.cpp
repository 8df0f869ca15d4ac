#include "agent/solvers/dns_service.h"

#include <algorithm>

namespace nolapse {
namespace {

using Request = DnsService::Request;
using Response = DnsService::Response;

constexpr int not_found = 404;

// The zone that the DNS told first, then all that could hold the name: a service may have the
// parent of a zone that is delegated within it.
std::vector<std::string> zones_to_try(const DnsProvider::Record& record) {
  std::vector<std::string> zones{record.zone};
  std::string name = record.name;
  while (name.find('.') != std::string::npos) {
    if (name != record.zone) zones.push_back(name);
    name.erase(0, name.find('.') + 1);
  }
  return zones;
}

std::string relative_name(const std::string& name, const std::string& zone) {
  return name == zone ? "@" : name.substr(0, name.size() - zone.size() - 1);
}

bool holds_value(const DnsService::Change& change) {
  return !holders(change).empty();
}

// What one change knows, and all that it needs to go on.
struct Work {
  std::shared_ptr<const DnsService> service;
  ChallengeConfig challenge;
  World world;
  DnsProvider::Record record;
  bool add;
  Completion<void> done;
  Secrets secrets = {};
  std::vector<std::string> zones = {};  // still to try, the next one last
  DnsService::Place place = {};
  std::vector<Request> requests = {};  // still to send, the next one last
};
using WorkPointer = std::shared_ptr<Work>;

void find_zone(const WorkPointer& work);

void end(const WorkPointer& work, Error error) {
  work->done(fail(std::move(error)));
}

// Goes on with a success, and with 404 where that is an answer.
void send(const WorkPointer& work, Request request, bool may_be_missing,
          std::function<void(const Request&, const Response&)> then) {
  const std::string api = setting_of(work->challenge, "api");
  request.url = (api.empty() ? work->service->base() : api) + request.url;
  work->service->authorise(request, work->secrets, work->world.clock.now());
  send_to_provider(
      work->challenge, work->world, request,
      [work, request, may_be_missing, then = std::move(then)](Result<Response> response) {
        if (!response) return end(work, response.error());
        const bool missing = may_be_missing && response->status == not_found;
        if (response->ok() || missing) return then(request, *response);
        end(work, refusal(request, *response, work->secrets));
      });
}

void send_next(const WorkPointer& work) {
  if (work->requests.empty()) return work->done({});
  Request request = std::move(work->requests.back());
  work->requests.pop_back();
  // What is to be deleted may be gone already.
  const bool may_be_missing = request.method == "DELETE";
  send(work, std::move(request), may_be_missing,
       [work](const Request&, const Response&) { send_next(work); });
}

void list_values(const WorkPointer& work) {
  send(work, work->service->list(work->place), true,
       [work](const Request& request, const Response& response) {
         DnsService::Change change{{}, work->record.value, work->add};
         if (response.ok()) {
           auto held = work->service->held(response, work->place);
           if (!held) return end(work, unexpected_reply(request, held.error()));
           change.held = std::move(*held);
         }
         if (holds_value(change) == work->add) return work->done({});
         work->requests = work->service->change(work->place, change);
         std::reverse(work->requests.begin(), work->requests.end());
         send_next(work);
       });
}

void no_zone(const WorkPointer& work) {
  end(work, {ErrorKind::input,
             "DNS_PROVIDER_REFUSED",
             work->challenge.provider + " has no zone for " + work->record.name +
                 " that this account may see; is it the service that serves " + work->record.zone +
                 ", and is the token for that zone?",
             {},
             {}});
}

void find_zone(const WorkPointer& work) {
  if (work->zones.empty()) return no_zone(work);
  const std::string zone = work->zones.back();
  work->zones.pop_back();
  send(work, work->service->find(zone), true,
       [work, zone](const Request& request, const Response& response) {
         if (response.status == not_found) return find_zone(work);
         const auto id = work->service->zone_id(response, zone);
         if (!id) return end(work, unexpected_reply(request, id.error()));
         if (id->empty()) return find_zone(work);
         work->place = {{zone, *id}, work->record.name, relative_name(work->record.name, zone)};
         list_values(work);
       });
}

class ServiceProvider : public DnsProvider {
 public:
  ServiceProvider(const ChallengeConfig& challenge, World world,
                  std::unique_ptr<DnsService> service)
      : challenge_(challenge), world_(world), service_(std::move(service)) {}

  void add(Record record, Completion<void> done) override {
    begin(std::move(record), true, std::move(done));
  }
  void remove(Record record, Completion<void> done) override {
    begin(std::move(record), false, std::move(done));
  }
  bool needs_zone() const override { return true; }

 private:
  void begin(Record record, bool add, Completion<void> done) {
    auto secrets = read_secrets(challenge_, world_);
    if (!secrets) return complete_later(world_, std::move(done), fail(secrets.error()));
    auto zones = zones_to_try(record);
    std::reverse(zones.begin(), zones.end());
    auto work = std::make_shared<Work>(
        Work{service_, challenge_, world_, std::move(record), add, std::move(done)});
    work->secrets = std::move(*secrets);
    work->zones = std::move(zones);
    find_zone(work);
  }

  const ChallengeConfig challenge_;
  World world_;
  std::shared_ptr<const DnsService> service_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_service_provider(const ChallengeConfig& challenge, World world,
                                                   std::unique_ptr<DnsService> service) {
  return std::make_unique<ServiceProvider>(challenge, world, std::move(service));
}

std::string quoted(const std::string& value) {
  return "\"" + value + "\"";
}

std::string unquoted(const std::string& text) {
  const bool quotes = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quotes ? text.substr(1, text.size() - 2) : text;
}

bool is_path_safe(const std::string& text) {
  return !text.empty() && text.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
                              std::string::npos;
}

Request json_request(const char* method, std::string url, const std::string& body) {
  return {method, std::move(url), {{"Content-Type", "application/json"}}, body};
}

void authorise_bearer(Request& request, const Secrets& secrets) {
  request.headers.push_back({"Authorization", "Bearer " + secrets.at("token_file")});
}

std::vector<std::string> texts_after(const DnsService::Change& change) {
  std::vector<std::string> texts;
  for (const DnsService::Held& held : change.held) {
    if (unquoted(held.text) != change.value) texts.push_back(held.text);
  }
  if (change.add) texts.push_back(quoted(change.value));
  return texts;
}

std::vector<DnsService::Held> holders(const DnsService::Change& change) {
  std::vector<DnsService::Held> found;
  for (const DnsService::Held& held : change.held) {
    if (unquoted(held.text) == change.value) found.push_back(held);
  }
  return found;
}

}  // namespace nolapse
