// One stream of events. Log, progress, status and the simulator's trace all read it; none of them
// can change what a job does. Messages are for people, codes are for programs.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "acme/json_read.h"
#include "agent/core/series.h"
#include "agent/world/world.h"

namespace nolapse {

enum class Severity { info, warning, error };

struct Event {
  Time at{};
  std::string certificate;  // empty: about the agent, not one certificate
  Severity severity = Severity::info;
  std::string code;  // "ORDER_PLACED"
  std::string message;
  std::string series = {};  // of the certificate: "standby"; empty: the one in use
};

// Single requests and waits: of interest only while they last.
inline bool is_detail(const Event& event) {
  return event.code == "CALL" || event.code == "WAITING";
}

class EventStream {
 public:
  using Reader = std::function<void(const Event&)>;

  explicit EventStream(const Clock& clock) : clock_(clock) {}

  void add_reader(Reader reader) { readers_.push_back(std::move(reader)); }

  // `name` is a certificate's, or a series of one's: readers are told of the certificate, as the
  // configuration has it.
  void emit(Severity severity, const std::string& name, std::string code,
            const std::string& message) {
    const std::string series = series_of(name);
    const Event event{clock_.now(), certificate_of(name), severity, std::move(code),
                      // Parts of it come from CAs, hooks and certificates.
                      acme::printable(series.empty() ? message : series + ": " + message), series};
    for (const Reader& reader : readers_) reader(event);
  }

 private:
  const Clock& clock_;
  std::vector<Reader> readers_;
};

}  // namespace nolapse
