#include "agent/world/dns_client.h"

#include <doctest/doctest.h>

#include <mutex>
#include <random>

#include "agent/world/posix_files.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/descriptor_limit.h"
#include "tests/agent/world/dns_server.h"
#include "tests/agent/world/temporary_folder.h"

using namespace nolapse;
using std::chrono::milliseconds;
using Addresses = std::vector<std::string>;

namespace {

constexpr int a = 1;
constexpr int cname = 5;
constexpr int aaaa = 28;
constexpr int servfail = 2;
constexpr int nxdomain = 3;

struct Resolver {
  explicit Resolver(const std::string& server, Duration deadline = std::chrono::seconds(10))
      : client(loop, files,
               {server, folder.write("resolv.conf", ""), folder.write("hosts", ""), deadline}) {}
  Result<Addresses> resolve(const std::string& host) {
    return await<Result<Addresses>>(
        loop, [&](Completion<Addresses> done) { client.resolve(host, done); });
  }
  TemporaryFolder folder;
  EventLoop loop;
  WorkerPool workers{loop, 1};
  PosixFiles files{workers, folder / "state"};
  DnsClient client;
};

// shop.example with an address of each family.
std::optional<std::string> shop(const DnsTestQuery& query) {
  if (query.name != "shop.example") return query.answer(nxdomain);
  const std::string address = query.type == a ? "192.0.2.7" : "2001:db8::7";
  return query.answer(0, {{"", query.type, wire_address(address)}});
}

}  // namespace

TEST_CASE("a name has the addresses of both families; an address resolves to itself") {
  DnsTestServer server(&shop);
  Resolver resolver(server.address());
  CHECK(resolver.resolve("shop.example") == Addresses{"192.0.2.7", "2001:db8::7"});
  CHECK(resolver.resolve("shop.example.") == Addresses{"192.0.2.7", "2001:db8::7"});
  CHECK(server.queries() == 4);
  CHECK(resolver.resolve("192.0.2.1") == Addresses{"192.0.2.1"});
  CHECK(resolver.resolve("2001:DB8:0::1") == Addresses{"2001:db8::1"});
  CHECK(server.queries() == 4);
}

TEST_CASE("hosts comes first, and localhost is never asked of anybody [RFC 6761 §6.3]") {
  DnsTestServer server(&shop);
  Resolver resolver(server.address());
  CHECK(resolver.resolve("localhost") == Addresses{"127.0.0.1", "::1"});
  CHECK(resolver.resolve("a.LOCALHOST") == Addresses{"127.0.0.1", "::1"});
  resolver.folder.write(
      "hosts",
      "# comment\n127.0.1.1 localhost\n"
      "10.0.0.1\tother Shop.Example # more\n::2 shop.example\nnonsense shop.example\n");
  CHECK(resolver.resolve("shop.example") == Addresses{"10.0.0.1", "::2"});
  CHECK(resolver.resolve("localhost") == Addresses{"127.0.1.1"});
  CHECK(server.queries() == 0);
}

TEST_CASE("what does not exist is told apart from what has no address and from a failure") {
  DnsTestServer server([](const DnsTestQuery& query) -> std::optional<std::string> {
    if (query.name == "mail.example") return query.answer(0);
    if (query.name == "broken.example") return query.answer(servfail);
    if (query.name == "refused.example") {
      auto reply = query.answer(5);
      reply.resize(12);  // some servers leave the question out
      reply[5] = 0;
      return reply;
    }
    return query.answer(nxdomain);
  });
  Resolver resolver(server.address());
  struct Row {
    const char* name;
    ErrorKind kind;
    const char* code;
    const char* text;
  };
  for (const Row& row :
       {Row{"absent.example", ErrorKind::input, "NAME_NOT_FOUND", "does not exist"},
        Row{"mail.example", ErrorKind::input, "NAME_NOT_FOUND", "has no address"},
        Row{"broken.example", ErrorKind::transient, "DNS_FAILED", "SERVFAIL"},
        Row{"refused.example", ErrorKind::transient, "DNS_FAILED", "REFUSED"},
        Row{"bad name", ErrorKind::input, "NAME_NOT_FOUND", "not a host name"},
        Row{"", ErrorKind::input, "NAME_NOT_FOUND", "not a host name"},
        Row{"a..b", ErrorKind::input, "NAME_NOT_FOUND", "not a host name"}}) {
    CAPTURE(row.name);
    const auto result = resolver.resolve(row.name);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == row.kind);
    CHECK(result.error().code == row.code);
    CHECK(result.error().message.find(row.text) != std::string::npos);
    CHECK(result.error().message.find(row.name) != std::string::npos);
  }
}

TEST_CASE("one family that fails does not spoil the other") {
  DnsTestServer server([](const DnsTestQuery& query) {
    return query.type == aaaa ? query.answer(servfail) : shop(query);
  });
  Resolver resolver(server.address());
  CHECK(resolver.resolve("shop.example") == Addresses{"192.0.2.7"});
}

TEST_CASE("one family that stays silent is waited for only a little") {
  DnsTestServer server([](const DnsTestQuery& query) -> std::optional<std::string> {
    if (query.type == aaaa) return std::nullopt;
    return shop(query);
  });
  Resolver resolver(server.address());
  const auto before = resolver.loop.uptime();
  CHECK(resolver.resolve("shop.example") == Addresses{"192.0.2.7"});
  CHECK(resolver.loop.uptime() - before < milliseconds(7000));
}

TEST_CASE("the loop goes on while a name server never answers, and the error names the server") {
  DnsTestServer server([](const DnsTestQuery&) { return std::nullopt; });
  Resolver resolver(server.address(), milliseconds(700));
  milliseconds longest{0};
  int ticks = 0;
  auto last = resolver.loop.uptime();
  std::function<void()> tick = [&] {
    const auto now = resolver.loop.uptime();
    longest = std::max(longest, now - last);
    last = now;
    ++ticks;
    resolver.loop.start_timer(milliseconds(10), tick);
  };
  tick();
  const auto before = resolver.loop.uptime();
  const auto result = resolver.resolve("shop.example");
  CHECK(resolver.loop.uptime() - before < milliseconds(3000));
  CHECK(ticks >= 20);
  CHECK(longest < milliseconds(150));
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::transient);
  CHECK(result.error().code == "DNS_TIMEOUT");
  CHECK(result.error().message.find(server.address()) != std::string::npos);
}

TEST_CASE("of many look-ups some wait for their turn, and their time begins with it") {
  DnsTestServer server([](const DnsTestQuery& query) -> std::optional<std::string> {
    if (query.name == "slow.example") return std::nullopt;
    return shop(query);
  });
  Resolver resolver(server.address(), milliseconds(1000));
  const DescriptorLimit limit(2 * 64 + 16);
  std::size_t slow = 0;
  std::size_t quick = 0;
  // The first turn is for those that keep it to the end of their time.
  for (int i = 0; i < 64; ++i) {
    resolver.client.resolve("slow.example", [&](const Result<Addresses>& result) {
      ++slow;
      REQUIRE_FALSE(result);
      CHECK(result.error().code == "DNS_TIMEOUT");
    });
  }
  for (int i = 0; i < 200; ++i) {
    resolver.client.resolve("shop.example", [&](const Result<Addresses>& result) {
      ++quick;
      CHECK(result == Addresses{"192.0.2.7", "2001:db8::7"});
    });
  }
  // Nobody is asked for these, so they wait for nobody.
  CHECK(resolver.resolve("localhost") == Addresses{"127.0.0.1", "::1"});
  CHECK(quick == 0);
  resolver.loop.run_until([&] { return slow == 64 && quick == 200; });
  CHECK(quick == 200);
}

TEST_CASE("a closed port is told at once") {
  std::string address;
  {
    address = DnsTestServer([](const DnsTestQuery&) { return std::nullopt; }).address();
  }
  Resolver resolver(address);
  const auto before = resolver.loop.uptime();
  const auto result = resolver.resolve("shop.example");
  CHECK(resolver.loop.uptime() - before < milliseconds(3000));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "DNS_FAILED");
  CHECK(result.error().message.find("Connection refused") != std::string::npos);
}

TEST_CASE("a truncated answer is asked for again over TCP [RFC 7766]") {
  DnsTestServer server([](const DnsTestQuery& query) {
    return query.tcp ? shop(query) : query.answer(0, {}, true);
  });
  Resolver resolver(server.address());
  CHECK(resolver.resolve("shop.example") == Addresses{"192.0.2.7", "2001:db8::7"});
  CHECK(server.tcp_queries() == 2);
}

TEST_CASE("a lost question is asked again") {
  std::atomic<int> lost = 0;
  DnsTestServer server([&](const DnsTestQuery& query) -> std::optional<std::string> {
    if (lost < 2) return ++lost, std::nullopt;
    return shop(query);
  });
  Resolver resolver(server.address());
  resolver.folder.write("resolv.conf", "options timeout:1\n");
  CHECK(resolver.resolve("shop.example") == Addresses{"192.0.2.7", "2001:db8::7"});
}

TEST_CASE("aliases are followed; records of names the question does not lead to are ignored") {
  DnsTestServer server([](const DnsTestQuery& query) {
    if (query.type == aaaa) return query.answer(0);
    return query.answer(0, {{"cdn.example", a, wire_address("192.0.2.9")},
                            {"edge.example", cname, wire_name("cdn.example")},
                            {"", cname, wire_name("Edge.example")},
                            {"evil.example", a, wire_address("203.0.113.66")},
                            {"loop.example", cname, wire_name("loop.example")}});
  });
  Resolver resolver(server.address());
  CHECK(resolver.resolve("www.example") == Addresses{"192.0.2.9"});
}

TEST_CASE("an answer with another id, question or no sense is not believed") {
  DnsTestServer server([](const DnsTestQuery& query) -> std::optional<std::string> {
    if (query.type == aaaa) return query.answer(0);
    auto forged = query.answer(0, {{"", a, wire_address("203.0.113.66")}});
    if (query.name == "id.example") forged[0] = static_cast<char>(forged[0] ^ 1);
    if (query.name == "question.example") forged[13] = 'X';
    if (query.name == "query.example") forged[2] = 1;
    if (query.name == "short.example") forged.resize(20);
    if (query.name == "empty.example") forged.clear();
    return forged;
  });
  Resolver resolver(server.address(), milliseconds(150));
  CHECK(resolver.resolve("honest.example") == Addresses{"203.0.113.66"});
  for (const char* name :
       {"id.example", "question.example", "query.example", "short.example", "empty.example"}) {
    CAPTURE(name);
    const auto result = resolver.resolve(name);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == "DNS_TIMEOUT");
  }
}

TEST_CASE("no packet, however mangled, does harm") {
  std::mt19937 random(7);
  DnsTestServer server(&shop);
  const DnsQuestion question{"shop.example", DnsType::a};
  constexpr std::uint16_t id = 4711;
  DnsTestQuery query;
  query.octets = *encode_question(question, id);
  const std::string good = query.answer(0, {{"", cname, wire_name("cdn.example")},
                                            {"cdn.example", a, wire_address("192.0.2.9")},
                                            {"cdn.example", aaaa, wire_address("::1")}});
  REQUIRE(decode_reply(good, question, id)->values == Addresses{"192.0.2.9"});
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(decode_reply(good.substr(0, size), question, id));
  }
  int decoded = 0;
  for (unsigned round = 0; round < 20'000; ++round) {
    std::string mangled = good;
    for (unsigned change = 0; change < 1 + round % 4; ++change) {
      mangled[random() % mangled.size()] = static_cast<char>(random());
    }
    decoded += decode_reply(mangled, question, id).has_value();
  }
  CHECK(decoded > 0);
}

TEST_CASE("resolv.conf gives servers, search domains and sane limits") {
  const auto config = parse_resolv_conf(
      "; comment\nnameserver 192.0.2.1\n nameserver\t2001:db8::1\nnameserver nonsense\n"
      "domain old.example\nsearch shop.example  corp.example.\n"
      "options ndots:2 timeout:30 attempts:0 rotate timeout:x\nunknown line\n"
      "nameserver 192.0.2.3\nnameserver 192.0.2.4\n");
  CHECK(config.server_names() == "192.0.2.1:53, [2001:db8::1]:53, 192.0.2.3:53");
  CHECK(config.search == std::vector<std::string>{"shop.example", "corp.example"});
  CHECK(config.timeout == std::chrono::seconds(5));
  CHECK(config.attempts == 1);
  CHECK(parse_resolv_conf("").server_names() == "127.0.0.1:53");
}

TEST_CASE("a name without a dot is tried in the search domains, one with a dot is not") {
  std::mutex mutex;
  Addresses names;
  const auto asked = [&] {
    const std::lock_guard lock(mutex);
    return std::exchange(names, {});
  };
  DnsTestServer server([&](const DnsTestQuery& query) {
    if (query.type == aaaa) return query.answer(query.name == "www.shop.example" ? 0 : nxdomain);
    {
      const std::lock_guard lock(mutex);
      names.push_back(query.name);
    }
    if (query.name != "www.shop.example") return query.answer(nxdomain);
    return query.answer(0, {{"", a, wire_address("192.0.2.7")}});
  });
  Resolver resolver(server.address());
  resolver.folder.write("resolv.conf", "search corp.example shop.example\n");
  CHECK(resolver.resolve("www") == Addresses{"192.0.2.7"});
  CHECK(asked() == Addresses{"www.corp.example", "www.shop.example"});
  CHECK_FALSE(resolver.resolve("nas"));
  CHECK(asked() == Addresses{"nas.corp.example", "nas.shop.example", "nas"});
  CHECK_FALSE(resolver.resolve("www."));
  CHECK_FALSE(resolver.resolve("www.example"));
  CHECK(asked() == Addresses{"www", "www.example"});
}
