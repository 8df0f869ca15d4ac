#include "agent/world/service_manager.h"

#include <doctest/doctest.h>

#include "tests/agent/world/temporary_folder.h"
#include "tests/agent/world/unix_socket.h"

using namespace nolapse;
using std::chrono::milliseconds;

TEST_CASE("the service manager gets one datagram for each message, by path") {
  const TemporaryFolder folder;
  const std::string path = folder / "notify";
  const UniqueFd listener = bind_unix(path, SOCK_DGRAM);
  const ServiceManager manager(path.c_str(), nullptr, nullptr);
  CHECK(manager.notify("READY=1\nSTATUS=3 certificates, next at 03:00"));
  CHECK(heard(listener) == "READY=1\nSTATUS=3 certificates, next at 03:00");
  CHECK(manager.notify("WATCHDOG=1"));
  CHECK(heard(listener) == "WATCHDOG=1");
}

TEST_CASE("a reload begins with the moment at which it began, on the manager's own clock") {
  const TemporaryFolder folder;
  const std::string path = folder / "notify";
  const UniqueFd listener = bind_unix(path, SOCK_DGRAM);
  const auto usec = [] {
    return std::chrono::floor<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  const auto before = usec();
  CHECK(ServiceManager(path.c_str(), nullptr, nullptr).notify_reloading("taking it up"));
  const std::string said = heard(listener);
  const std::string begin = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(said.starts_with(begin));
  CHECK(said.ends_with("\nSTATUS=taking it up"));
  const auto told = std::stoll(said.substr(begin.size()));
  CHECK(told >= before);
  CHECK(told <= usec());
}

TEST_CASE("the service manager is also found in the abstract namespace") {
  const std::string name = "@nolapse-test-" + std::to_string(::getpid());
  sockaddr_un address = unix_path(name);
  address.sun_path[0] = '\0';
  const UniqueFd listener = unix_socket(SOCK_DGRAM);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
  CHECK(ServiceManager(name.c_str(), nullptr, nullptr).notify("READY=1"));
  CHECK(heard(listener) == "READY=1");
}

TEST_CASE("without a service manager nothing is sent and nothing is wrong") {
  CHECK(ServiceManager(nullptr, nullptr, nullptr).notify("READY=1"));
  CHECK(ServiceManager("", "", "").notify("READY=1"));
}

TEST_CASE("a manager that cannot be told is an error with its address and the cause") {
  const TemporaryFolder folder;
  const std::string nobody = folder / "nobody";
  for (const std::string& address :
       {nobody, std::string("vsock:2:1234"), std::string("@"), nobody + std::string(120, 'x')}) {
    const auto told = ServiceManager(address.c_str(), nullptr, nullptr).notify("READY=1");
    REQUIRE_FALSE(told);
    CHECK(told.error().code == "NOTIFY_FAILED");
    CHECK(told.error().message.find(address) != std::string::npos);
  }
}

TEST_CASE("a manager that reads nothing holds the daemon up for a second at most") {
  const TemporaryFolder folder;
  const std::string path = folder / "notify";
  const UniqueFd listener = bind_unix(path, SOCK_DGRAM);
  const ServiceManager manager(path.c_str(), nullptr, nullptr);
  const auto start = std::chrono::steady_clock::now();
  bool failed = false;
  for (int i = 0; i < 100'000 && !failed; ++i) failed = !manager.notify("WATCHDOG=1");
  CHECK(failed);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("half of the watchdog's time is the interval, for the process it is meant for") {
  struct Row {
    const char* usec;
    const char* pid;
    std::optional<Duration> interval;
  };
  const std::string mine = std::to_string(::getpid());
  for (const Row& row :
       {Row{"180000000", mine.c_str(), std::chrono::seconds(90)},
        Row{"3000000", nullptr, milliseconds(1500)}, Row{"1", nullptr, milliseconds(1)},
        Row{"3000000", "1", std::nullopt}, Row{"3000000", "", std::nullopt},
        Row{nullptr, mine.c_str(), std::nullopt}, Row{"0", nullptr, std::nullopt},
        Row{"-5", nullptr, std::nullopt}, Row{"", nullptr, std::nullopt},
        Row{"30s", nullptr, std::nullopt}, Row{"99999999999999999999", nullptr, std::nullopt}}) {
    CAPTURE(row.usec);
    CAPTURE(row.pid);
    CHECK(ServiceManager(nullptr, row.usec, row.pid).watchdog_interval() == row.interval);
  }
}
