// The events on disk, events/<month>.jsonl, one JSON object a line: what happened, for reports and
// for the morning after. It follows the stream and never leads: a disk that refuses is tolerated,
// and what is lost by it is counted. Single requests and waits are left out.
//
// A line that a crash tore is followed by a line end, because every process begins with one;
// readers skip what is no JSON.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/store.h"

namespace nolapse {

class EventLog {
 public:
  static constexpr std::size_t waiting_limit = 1000;      // events; what comes then is dropped
  static constexpr std::uint64_t month_limit = 64 << 20;  // octets; then infos are dropped

  EventLog(World world, const Store& store);
  ~EventLog() { *self_ = nullptr; }
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // To be added to the stream. It may outlive the log, and then does nothing.
  EventStream::Reader reader();
  // `written` is called later, when the disk has, or has refused, all that came before.
  void flush(std::function<void()> written);

 private:
  using Lines = std::map<std::string, std::string>;  // by month

  void note(const Event& event);
  void write_soon();
  void write();
  void wrote(Lines lines, std::size_t count, bool taken);
  void rest();
  void end_flushes();

  World world_;
  const Store& store_;
  std::shared_ptr<EventLog*> self_ = std::make_shared<EventLog*>(this);
  bool began_ = false;
  bool writing_ = false;
  bool resting_ = false;  // after a disk refused
  bool month_is_full_ = false;
  std::size_t dropped_ = 0;
  std::size_t waiting_count_ = 0;
  Lines waiting_;
  std::vector<std::function<void()>> flushes_;
};

// {"at","severity","code","certificate"|null,"message"} on one line, without its end. What is about
// the certificate's standby has "series":"standby" besides.
std::string to_json_line(const Event& event);

}  // namespace nolapse
