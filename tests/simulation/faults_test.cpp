// Disks that refuse, CAs that have bad days, answers that get lost.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

TEST_CASE("a disk that refuses any one operation costs at most a run, never the state") {
  std::uint64_t operations = 0;
  {
    Shop shop(1);
    shop.renewed();
    operations = shop.world.files.total_operations();
  }
  for (std::uint64_t at = 1; at <= operations; ++at) {
    CAPTURE(at);
    Shop shop(at);
    shop.world.files.fail_operation(at);
    REQUIRE(shop.renew().has_value());  // it ends, and says what happened
    CHECK(shop.violation() == "");
    CHECK_FALSE(shop.renewed().error.has_value());
    CHECK(shop.status().ok());
    CHECK(shop.ca.counters().orders_created <= 2);
    CHECK(shop.world.http_responder.tokens() == 0);
  }
}

TEST_CASE("a full disk is named, and the certificate in use stays in use") {
  Shop shop(2);
  shop.renewed();
  const std::string served = shop.fingerprint_served();
  shop.world.files.set_disk_full(true);
  RenewOptions force;
  force.force = true;
  const CertificateOutcome outcome = shop.renewed(force);
  CHECK(outcome.action == Action::failed);
  CHECK(outcome.error->code == "DISK_FULL");
  CHECK(shop.fingerprint_served() == served);
  CHECK(shop.fingerprint_of_live() == served);
  shop.world.files.set_disk_full(false);
  CHECK_FALSE(shop.renewed(force).error.has_value());
}

TEST_CASE("an answer lost after the CA acted costs no second certificate") {
  int requests = 0;
  {
    Shop shop(3);
    shop.renewed();
    requests = shop.ca.counters().requests;
  }
  for (int at = 1; at <= requests; ++at) {
    CAPTURE(at);
    Shop shop(static_cast<std::uint64_t>(at));
    shop.ca.lose_reply_after(at);
    shop.renew();
    CHECK_FALSE(shop.renewed().error.has_value());
    CHECK(shop.ca.counters().certificates_issued == 1);
    CHECK(shop.status().ok());
  }
}

TEST_CASE("a CA that refuses 70 % of all good nonces is no failure") {
  FakeCaSettings settings;
  settings.nonce_reject_percent = 70;
  Shop shop(4, settings);
  int failures = 0;
  for (int i = 0; i < 20; ++i) {
    RenewOptions force;
    force.force = true;
    force.again = true;
    if (shop.renewed(force).error) ++failures;
  }
  // 0.7^10 of all requests: one in 35.
  CHECK(failures < 10);
  CHECK(shop.status().serving == Serving::ok);
}

TEST_CASE("an outage is transient, remembered with its reason, and over when it is over") {
  Shop shop(5);
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages.push_back({now, now + 1h});
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.action == Action::failed);
  CHECK(outcome.error->kind == ErrorKind::transient);
  const CertificateStatus status = shop.status();
  CHECK(status.renewal == RenewalHealth::missing);
  CHECK(status.failures == 1);
  CHECK(status.last_error->code == outcome.error->code);
  shop.world.clock.run_for(1h);
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.status().failures == 0);
  CHECK(shop.status().ok());
}

TEST_CASE("a rate limit is waited for; --force asks the CA anyway") {
  Shop shop(6);
  shop.renewed();
  shop.ca.settings.orders_per_account = {1, 3h};
  RenewOptions force;
  force.force = true;
  const CertificateOutcome limited = shop.renewed(force);
  CHECK(limited.action == Action::waiting);
  CHECK(limited.error->code == "CA_RATE_LIMITED");
  CHECK(limited.error->retry_after.has_value());
  CHECK(shop.status().renewal == RenewalHealth::failing);
}

TEST_CASE("an account that the CA forgot is registered again with the same key") {
  Shop shop(7);
  shop.renewed();
  // The CA lost its data base: a new one under the same address.
  shop.world.files.put(std::string(Shop::state) + "/accounts/ca/account.json",
                       R"({"schema":1,"url":"https://ca.test/account/999","directory":")" +
                           shop.ca.directory_url() + "\"}");
  RenewOptions force;
  force.force = true;
  CHECK(shop.renewed(force).action == Action::renewed);
  CHECK(shop.ca.counters().accounts_created == 1);
}

TEST_CASE("a lost account.json is found again by the key and creates no account") {
  Shop shop(8);
  shop.renewed();
  shop.world.files.erase(std::string(Shop::state) + "/accounts/ca/account.json");
  RenewOptions force;
  force.force = true;
  CHECK(shop.renewed(force).action == Action::renewed);
  CHECK(shop.ca.counters().accounts_created == 1);
}

TEST_CASE("unreadable state is reported and never fatal") {
  Shop shop(9);
  shop.renewed();
  const std::string state = Shop::state;
  for (const char* file :
       {"/certificates/shop/schedule.json", "/certificates/shop/deployments.json",
        "/certificates/shop/issuance.json", "/certificates/shop/1/meta.json",
        "/accounts/ca/account.json"}) {
    for (const char* content : {"", "{", "[]", "{\"schema\":99}", "\xff\x00garbage"}) {
      CAPTURE(file);
      CAPTURE(content);
      shop.world.files.erase(state + file);
      shop.world.files.put(state + file, content);
      CHECK_FALSE(shop.renewed().error.has_value());
    }
  }
  RenewOptions force;
  force.force = true;
  CHECK(shop.renewed(force).action == Action::renewed);
}

TEST_CASE("a generation whose files are damaged is reported and replaced") {
  Shop shop(10);
  shop.renewed();
  const std::string path = std::string(Shop::state) + "/certificates/shop/1/fullchain.pem";
  const std::string text = shop.world.files.text(path);
  shop.world.files.erase(path);
  shop.world.files.put(path, text.substr(0, 100));
  CHECK(shop.status().renewal == RenewalHealth::missing);
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.action == Action::renewed);
  CHECK(outcome.generation->number == 2);
}

TEST_CASE("a generation that lacks a file, or has another's, is reported and replaced") {
  for (const char* file : {"cert.pem", "chain.pem"}) {
    for (const bool missing : {true, false}) {
      CAPTURE(file);
      CAPTURE(missing);
      Shop shop(13);
      shop.renewed();
      const std::string folder = std::string(Shop::state) + "/certificates/shop/1/";
      shop.renewed();
      REQUIRE(shop.status().renewal == RenewalHealth::ok);
      if (missing) {
        shop.world.files.erase(folder + file);
      } else {
        shop.world.files.put(folder + file, shop.world.files.text(folder + "fullchain.pem"));
      }
      CHECK(shop.status().renewal == RenewalHealth::missing);
      shop.trace.clear();
      const CertificateOutcome outcome = shop.renewed();
      CHECK(outcome.action == Action::renewed);
      CHECK(outcome.generation->number == 2);
      CHECK(std::any_of(shop.trace.begin(), shop.trace.end(), [](const std::string& line) {
        return line.find("GENERATION_DAMAGED") != std::string::npos;
      }));
      CHECK(shop.status().ok());
    }
  }
}

TEST_CASE("a port in use fails with its holder's name and keeps the order for the next run") {
  Shop shop(11);
  shop.world.add_webroot(80, "/var/www");
  const CertificateOutcome failed = shop.renewed();
  CHECK(failed.error->code == "PORT_IN_USE");
  shop.config.challenges["web"].listen.clear();
  shop.config.challenges["web"].webroot = "/var/www";
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.ca.counters().orders_created == 1);
  CHECK(shop.world.files.list("/var/www/.well-known/acme-challenge")->empty());
}

TEST_CASE("a failed validation says what was seen of the CA's visit") {
  Shop shop(12);
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.error->kind == ErrorKind::validation);
  CHECK(outcome.error->message.find("nobody fetched the proof for shop.test") != std::string::npos);
  CHECK(shop.world.http_responder.tokens() == 0);
}

TEST_CASE("a power failure brings no proof back to the webroot") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Shop shop(seed);
    shop.world.add_webroot(80, "/var/www");
    shop.config.challenges["web"].listen.clear();
    shop.config.challenges["web"].webroot = "/var/www";
    shop.renewed();
    shop.world.crash();
    const auto left = shop.world.files.list("/var/www/.well-known/acme-challenge");
    CHECK((!left || left->empty()));
  }
}

TEST_CASE("a proof that could not be removed is removed at the next look, after a restart too") {
  Shop shop(17);
  shop.world.add_webroot(80, "/var/www");
  shop.config.challenges["web"].listen.clear();
  shop.config.challenges["web"].webroot = "/var/www";
  shop.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse&) {
    if (endpoint == CaEndpoint::challenge) shop.world.files.set_read_only("/var/www", true);
  };
  shop.renewed();
  CHECK_FALSE(shop.world.files.list("/var/www/.well-known/acme-challenge")->empty());
  shop.world.files.set_read_only("/var/www", false);
  shop.ca.settings.alter = nullptr;
  CHECK(shop.renewed().action == Action::not_due);
  CHECK(shop.world.files.list("/var/www/.well-known/acme-challenge")->empty());
  CHECK_FALSE(
      shop.world.files.exists(std::string(Shop::state) + "/certificates/shop/left_behind.json"));
}

TEST_CASE("a certificate for another key changes nothing on disk, and is named") {
  Shop shop(13);
  std::string first;
  shop.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint != CaEndpoint::certificate) return;
    if (first.empty()) first = response.body;
    response.body = first;
  };
  shop.renewed();
  const std::string served = shop.fingerprint_served();
  RenewOptions force;
  force.force = true;
  const CertificateOutcome outcome = shop.renewed(force);
  CHECK(outcome.action == Action::failed);
  CHECK(shop.fingerprint_of_live() == served);
  CHECK_FALSE(shop.world.files.exists(std::string(Shop::state) + "/certificates/shop/2"));
  shop.ca.settings.alter = nullptr;
  CHECK(shop.renewed(force).action == Action::renewed);
}
