// What dns_client says of records other than addresses, and its updates. Real name servers are met
// in tests/end_to_end/dns01.
#include <doctest/doctest.h>

#include <atomic>

#include "agent/world/dns_client.h"
#include "agent/world/dns_update.h"
#include "agent/world/posix_files.h"
#include "tests/agent/world/await.h"
#include "tests/agent/world/dns_server.h"
#include "tests/agent/world/temporary_folder.h"

using namespace nolapse;
using namespace std::string_literals;
using Values = std::vector<std::string>;

namespace {

constexpr int ns = 2;
constexpr int cname = 5;
constexpr int txt = 16;
constexpr int caa = 257;

struct Client {
  explicit Client(std::string resolver = "127.0.0.1:1")
      : client(loop, files,
               {std::move(resolver), folder.write("resolv.conf", ""), folder.write("hosts", "")}) {}
  Result<DnsAnswer> ask(const DnsLookup& lookup) {
    return await<Result<DnsAnswer>>(loop,
                                    [&](Completion<DnsAnswer> done) { client.ask(lookup, done); });
  }
  Result<void> update(const DnsUpdate& update) {
    return await<Result<void>>(loop, [&](Completion<void> done) { client.update(update, done); });
  }
  TemporaryFolder folder;
  EventLoop loop;
  WorkerPool workers{loop, 1};
  PosixFiles files{workers, folder / "state"};
  DnsClient client;
};

std::string strings(const Values& parts) {
  std::string data;
  for (const std::string& part : parts) data += static_cast<char>(part.size()) + part;
  return data;
}

bool is_recursive(const DnsTestQuery& query) {
  return (query.octets[2] & 1) != 0;
}

}  // namespace

TEST_CASE("records are given as text, each in the form that its type has") {
  struct Row {
    DnsType type;
    int number;
    std::string data;
    Values values;
  };
  const std::vector<Row> rows = {
      {DnsType::txt, txt, strings({"one"}), {"one"}},
      {DnsType::txt, txt, strings({"two ", "strings"}), {"two strings"}},
      {DnsType::txt, txt, strings({"a\"quote; and \\ more"}), {"a\"quote; and \\ more"}},
      {DnsType::ns, ns, wire_name("NS1.Shop.example"), {"ns1.shop.example"}},
      {DnsType::cname, cname, wire_name("other.example"), {"other.example"}},
      {DnsType::caa,
       caa,
       "\x80\x05issueletsencrypt.org; accounturi=x"s,
       {"128 issue letsencrypt.org; accounturi=x"}},
      {DnsType::caa, caa, "\0\x05issue;"s, {"0 issue ;"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.data);
    DnsTestServer server([&](const DnsTestQuery& query) {
      return query.answer(0, {{"", row.number, row.data}});
    });
    const auto answer = Client(server.address()).ask({"shop.example", row.type});
    REQUIRE(answer);
    CHECK(answer->exists);
    CHECK(answer->values == row.values);
  }
}

TEST_CASE("an alias is followed to the name where the values stand, or would stand") {
  DnsTestServer server([](const DnsTestQuery& query) {
    const bool there = query.name == "a.example";
    std::vector<DnsRecord> records = {{"", cname, wire_name("Proofs.example")}};
    if (there) records.push_back({"proofs.example", txt, strings({"value"})});
    if (there) records.push_back({"evil.example", txt, strings({"not asked for"})});
    return query.answer(there ? 0 : 3, records);
  });
  Client client(server.address());
  const auto full = client.ask({"a.example"});
  REQUIRE(full);
  CHECK(full->name == "proofs.example");
  CHECK(full->values == Values{"value"});
  const auto empty = client.ask({"b.example"});
  REQUIRE(empty);
  CHECK_FALSE(empty->exists);
  CHECK(empty->name == "proofs.example");
  CHECK(empty->values.empty());
}

TEST_CASE("the resolver looks at DNSSEC signatures unless it is told not to [RFC 4035 §3.2.2]") {
  DnsTestServer server([](const DnsTestQuery& query) {
    const bool checking_disabled = (query.octets[3] & 16) != 0;
    return query.answer(checking_disabled ? 0 : 2, {{"", 1, wire_address("192.0.2.1")}});
  });
  Client client(server.address());
  DnsLookup lookup{"shop.example", DnsType::a};
  CHECK_FALSE(client.ask(lookup));
  lookup.checking_disabled = true;
  const auto answer = client.ask(lookup);
  REQUIRE(answer);
  CHECK(answer->values == Values{"192.0.2.1"});
}

TEST_CASE("a name server is asked for what it knows itself, the resolver for what is to be found") {
  std::atomic<bool> recursive{false};
  DnsTestServer server([&](const DnsTestQuery& query) {
    recursive = is_recursive(query);
    auto answer = query.answer(0, {{"", txt, strings({"value"})}});
    answer[2] = static_cast<char>(answer[2] | 4);  // AA
    return answer;
  });
  Client client(server.address());
  REQUIRE(client.ask({"shop.example"}));
  CHECK(recursive);
  const auto direct = client.ask({"shop.example", DnsType::txt, server.address()});
  REQUIRE(direct);
  CHECK_FALSE(recursive);
  CHECK(direct->authoritative);
}

TEST_CASE(
    "no answer is an error that names the server; a name server's has no advice on resolvers") {
  Client client;
  const auto direct = client.ask({"shop.example", DnsType::txt, "127.0.0.1:1"});
  REQUIRE_FALSE(direct);
  CHECK(direct.error().code == "DNS_FAILED");
  CHECK(direct.error().message.find("127.0.0.1:1") != std::string::npos);
  CHECK(direct.error().message.find("resolver") == std::string::npos);
  for (const char* name : {"", "a b.example", "a..example"}) {
    CAPTURE(name);
    const auto answer = client.ask({name});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == "DNS_FAILED");
  }
}

TEST_CASE("an answer that is too long for UDP is asked for over TCP") {
  DnsTestServer server([](const DnsTestQuery& query) {
    if (!query.tcp) return query.answer(0, {}, true);
    std::vector<DnsRecord> records;
    for (int i = 0; i < 40; ++i) records.push_back({"", txt, strings({std::string(60, 'x')})});
    return query.answer(0, records);
  });
  const auto answer = Client(server.address()).ask({"shop.example"});
  REQUIRE(answer);
  CHECK(answer->values.size() == 40);
}

namespace {

DnsUpdate shop_update(const std::string& server) {
  return {server,
          "shop.example",
          "_acme-challenge.shop.example",
          "value",
          true,
          std::chrono::seconds(60),
          TsigKey{"nolapse", "hmac-sha256", "0123456789abcdef"}};
}

// An update's message echoed as its answer, as a server does that signs nothing.
std::string echo(const DnsTestQuery& query, int response_code) {
  std::string answer = query.octets.substr(0, 12);
  answer[2] = static_cast<char>(0x80 | 5 << 3);
  answer[3] = static_cast<char>(response_code);
  for (std::size_t i = 4; i < 12; ++i) answer[i] = 0;
  return answer;
}

}  // namespace

TEST_CASE("a refused update says who refused what, and the secret appears nowhere") {
  DnsTestServer server([](const DnsTestQuery& query) { return echo(query, 5); });
  const auto outcome = Client().update(shop_update(server.address()));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == "DNS_UPDATE_REFUSED");
  CHECK(outcome.error().message.find("REFUSED") != std::string::npos);
  CHECK(outcome.error().message.find("_acme-challenge.shop.example") != std::string::npos);
  CHECK(outcome.error().message.find("0123456789abcdef") == std::string::npos);
}

TEST_CASE("an answer without the server's signature to a signed update is not believed") {
  DnsTestServer server([](const DnsTestQuery& query) { return echo(query, 0); });
  Client client;
  const auto outcome = client.update(shop_update(server.address()));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == "DNS_TIMEOUT");
  DnsUpdate unsigned_update = shop_update(server.address());
  unsigned_update.key.reset();
  CHECK(client.update(unsigned_update));
}

TEST_CASE("what cannot be an update is not sent") {
  const auto encodes = [](auto&& change) {
    DnsUpdate update = shop_update("127.0.0.1:1");
    change(update);
    return UpdateMessage(update).encode(1).has_value();
  };
  CHECK(encodes([](DnsUpdate&) {}));
  CHECK(encodes([](DnsUpdate& u) { u.value.assign(255, 'x'); }));
  CHECK_FALSE(encodes([](DnsUpdate& u) { u.value.assign(256, 'x'); }));
  CHECK_FALSE(encodes([](DnsUpdate& u) { u.name = "no name"; }));
  CHECK_FALSE(encodes([](DnsUpdate& u) { u.zone.clear(); }));
  CHECK_FALSE(encodes([](DnsUpdate& u) { u.key->algorithm = "hmac-magic"; }));
}
