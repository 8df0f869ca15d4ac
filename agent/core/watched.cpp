#include "agent/core/watched.h"

#include <algorithm>
#include <memory>

#include "agent/core/endpoint_survey.h"
#include "agent/core/pem_file.h"

namespace nolapse {
namespace {

void judge_leaf(WatchedCertificate& watched, const std::string& chain_error, const ExpiryDays& days,
                Time now) {
  const acme::Certificate& leaf = *watched.leaf;
  watched.detail = describe_expiry(leaf, now);
  if (now >= leaf.not_after) {
    watched.state = WatchedState::expired;
  } else if (!chain_error.empty()) {
    watched.state = WatchedState::not_trusted;
    watched.detail = "it does not validate: " + chain_error;
  } else if (now < leaf.not_before) {
    watched.state = WatchedState::not_trusted;
    watched.detail = "it is not valid before " + acme::format_rfc3339(leaf.not_before);
  } else {
    const bool far = expiry_step(leaf, {}, now, days) == 0;
    watched.state = far ? WatchedState::good : WatchedState::near;
  }
}

WatchedCertificate look_at_file(World world, const WatchSpec& watch, const std::string& path,
                                const ExpiryDays& days) {
  WatchedCertificate watched{watch.name, {}, {}, path, {}, WatchedState::unreadable, {}};
  auto chain = read_certificate_file(world.files, path);
  if (!chain) {
    watched.detail = chain.error().message;
    return watched;
  }
  watched.leaf = std::move(chain->front());
  judge_leaf(watched, {}, days, world.clock.now());
  return watched;
}

WatchedCertificate judge_reply(const WatchSpec& watch, const Endpoint& endpoint,
                               const std::string& address, const ProbeReply& reply,
                               const ExpiryDays& days, Time now) {
  WatchedCertificate watched{watch.name, endpoint.text, address, {}, {}, {}, reply.detail};
  if (reply.outcome == ProbeReply::Outcome::unreachable) {
    watched.state = WatchedState::unreachable;
    return watched;
  }
  watched.state = WatchedState::no_handshake;
  if (reply.outcome == ProbeReply::Outcome::no_handshake) return watched;
  auto leaf = acme::parse_certificate(reply.chain_der.empty() ? "" : reply.chain_der.front());
  if (!leaf) {
    watched.detail = "it serves something that is no X.509 certificate";
    return watched;
  }
  watched.leaf = std::move(*leaf);
  judge_leaf(watched, reply.chain_error, days, now);
  return watched;
}

struct Round {
  std::vector<std::vector<WatchedCertificate>> by_watch;
  std::size_t open = 1;
  std::function<void(std::vector<WatchedCertificate>)> done;

  void close_one() {
    if (--open > 0) return;
    std::vector<WatchedCertificate> all;
    for (auto& found : by_watch) {
      std::move(found.begin(), found.end(), std::back_inserter(all));
    }
    done(std::move(all));
  }
};

}  // namespace

const char* name_of(WatchedState state) {
  switch (state) {
    case WatchedState::good:
      return "ok";
    case WatchedState::near:
      return "near";
    case WatchedState::expired:
      return "expired";
    case WatchedState::not_trusted:
      return "not_trusted";
    case WatchedState::no_handshake:
      return "no_handshake";
    case WatchedState::unreachable:
      return "unreachable";
    case WatchedState::unreadable:
      break;
  }
  return "unreadable";
}

std::string WatchedCertificate::place() const {
  if (endpoint.empty()) return file;
  return address.empty() ? endpoint : endpoint + " at " + address;
}

void look_at_watch(World world, const WatchSpec& watch, const ExpiryDays& days,
                   std::function<void(std::vector<WatchedCertificate>)> done) {
  auto found = std::make_shared<std::vector<WatchedCertificate>>();
  for (const std::string& path : watch.files) {
    found->push_back(look_at_file(world, watch, path, days));
  }
  SurveyOptions options;
  options.roots_file = watch.roots_file;
  survey_endpoints(
      world, watch.endpoints, options,
      [world, &watch, days, found](std::size_t index, const std::string& address,
                                   const ProbeReply& reply) {
        found->push_back(
            judge_reply(watch, watch.endpoints[index], address, reply, days, world.clock.now()));
      },
      [found, done = std::move(done)] {
        // Replies come in any order; what people compare from day to day has one.
        std::sort(found->begin(), found->end(),
                  [](const WatchedCertificate& a, const WatchedCertificate& b) {
                    return std::tie(a.endpoint, a.address, a.file) <
                           std::tie(b.endpoint, b.address, b.file);
                  });
        done(std::move(*found));
      });
}

void collect_watched(World world, const Config& config, const std::vector<std::string>& names,
                     std::function<void(std::vector<WatchedCertificate>)> done) {
  auto round = std::make_shared<Round>();
  round->done = std::move(done);
  for (const WatchSpec& watch : config.watches) {
    const bool wanted =
        names.empty() || std::find(names.begin(), names.end(), watch.name) != names.end();
    if (!wanted) continue;
    const std::size_t index = round->by_watch.size();
    round->by_watch.emplace_back();
    ++round->open;
    look_at_watch(world, watch, config.alerts.expiry_days,
                  [round, index](std::vector<WatchedCertificate> found) {
                    round->by_watch[index] = std::move(found);
                    round->close_one();
                  });
  }
  world.clock.start_timer(Duration{0}, [round] { round->close_one(); });
}

}  // namespace nolapse
