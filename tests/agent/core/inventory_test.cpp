// What is found on a host, who is said to renew it, and what needs somebody first.
#include "agent/core/inventory.h"

#include <doctest/doctest.h>

#include "agent/core/pem_file.h"
#include "tests/support/fake_world.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

const std::string home = "/root";

struct Host {
  Host() : now(world.clock.now()), root(TestIssuer::root("Root", now - 24h, now + 24h * 3650)) {}

  KeyPair pair(const std::string& host, Duration left = 24h * 60) {
    const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
    LeafOptions leaf;
    leaf.identifiers = {{"dns", host}};
    leaf.not_before = now - 24h;
    leaf.not_after = now + left;
    return {acme::to_pem(*acme::parse_certificate(root.issue(leaf, *key))), key->to_pem()};
  }
  // Writes a pair to these files and returns it.
  KeyPair put(const std::string& certificate, const std::string& key, Duration left = 24h * 60) {
    const KeyPair made = pair("a.test", left);
    world.files.put(certificate, made.fullchain);
    if (!key.empty()) world.files.put(key, made.private_key);
    return made;
  }
  void cron(const std::string& program) {
    world.files.put("/etc/cron.d/renewals", "0 3 * * * root " + program + "\n");
  }
  void beat(Duration ago, const std::string& state = "/var/lib/nolapse") {
    world.files.put(state + "/heartbeat", acme::format_rfc3339(now - ago) + "\n");
  }
  static ShownCertificate shown(const std::string& certificate, const std::string& key = "") {
    return {{"nginx", "/etc/nginx/nginx.conf", 3}, {}, {}, certificate, key};
  }
  Inventory of_server(const ShownCertificate& certificate) {
    ServerConfiguration configuration;
    configuration.certificates.push_back(certificate);
    Inventory inventory(world.files, config, now);
    inventory.add_server_configuration(configuration);
    return inventory;
  }
  // "certbot shop", with why it does not renew behind it; empty: nobody.
  std::string renewer_of(const std::string& certificate) {
    const auto all = of_server(shown(certificate)).certificates(now);
    REQUIRE(all.size() == 1);
    const auto& renewer = all.front().renewer;
    if (!renewer) return {};
    return renewer->who + " " + renewer->subject + (renewer->renews() ? "" : ": " + renewer->idle);
  }

  FakeWorld world{1};
  Config config;
  Time now;
  TestIssuer root;
};

}  // namespace

TEST_CASE("certbot renews what its lineages name, by link, by place and by copy, if it is run") {
  Host host;
  FakeFiles& files = host.world.files;
  const KeyPair made = host.put("/etc/letsencrypt/archive/shop/cert1.pem", "");
  files.put("/etc/letsencrypt/archive/shop/fullchain1.pem", made.fullchain);
  files.put_symlink("../../archive/shop/cert1.pem", "/etc/letsencrypt/live/shop/cert.pem");
  files.put_symlink("../../archive/shop/fullchain1.pem",
                    "/etc/letsencrypt/live/shop/fullchain.pem");
  files.put("/etc/letsencrypt/renewal/shop.conf",
            "version = 2.1\narchive_dir = /etc/letsencrypt/archive/shop\n"
            "cert = /etc/letsencrypt/live/shop/cert.pem\n[renewalparams]\n");
  files.put("/srv/copied.pem", made.fullchain);
  const Lines places = {"/etc/letsencrypt/live/shop/fullchain.pem",
                        "/etc/letsencrypt/archive/shop/cert1.pem", "/srv/copied.pem"};
  for (const std::string& place : places) {
    CAPTURE(place);
    CHECK(host.renewer_of(place) == "certbot shop: no timer and no crontab runs certbot");
  }
  files.put("/etc/systemd/system/timers.target.wants/certbot.timer", "");
  for (const std::string& place : places) CHECK(host.renewer_of(place) == "certbot shop");
  files.put("/etc/letsencrypt/renewal/shop.conf", "[renewalparams]\nautorenew = False\n");
  CHECK(host.renewer_of(places[0]) ==
        "certbot shop: autorenew is off in /etc/letsencrypt/renewal/shop.conf");
  host.put("/srv/other.pem", "");
  CHECK(host.renewer_of("/srv/other.pem").empty());
}

TEST_CASE("acme.sh, lego, dehydrated and Caddy are known by their folders and what they install") {
  SUBCASE("acme.sh") {
    Host host;
    const KeyPair made = host.put(home + "/.acme.sh/a.test_ecc/a.test.cer", "");
    host.world.files.put(home + "/.acme.sh/a.test_ecc/a.test.csr.conf", "");
    host.world.files.put(home + "/.acme.sh/a.test_ecc/a.test.conf",
                         "Le_Domain='a.test'\nLe_RealFullChainPath='/etc/ssl/a.pem'\n");
    host.world.files.put("/etc/ssl/a.pem", made.fullchain);
    CHECK(host.renewer_of("/etc/ssl/a.pem") ==
          "acme.sh a.test: no timer and no crontab runs acme.sh");
    host.cron("\"" + home + "/.acme.sh\"/acme.sh --cron");
    CHECK(host.renewer_of("/etc/ssl/a.pem") == "acme.sh a.test");
    // Renewed, and not yet installed there: the place tells.
    host.put("/etc/ssl/a.pem", "");
    CHECK(host.renewer_of("/etc/ssl/a.pem") == "acme.sh a.test");
  }
  SUBCASE("lego") {
    Host host;
    host.cron("lego renew");
    host.put("/var/lib/lego/certificates/a.test.crt", "");
    host.world.files.put("/var/lib/lego/certificates/a.test.json", "{}");
    host.put("/var/lib/lego/certificates/by-hand.crt", "");
    CHECK(host.renewer_of("/var/lib/lego/certificates/a.test.crt") == "lego a.test");
    CHECK(host.renewer_of("/var/lib/lego/certificates/by-hand.crt").empty());
  }
  SUBCASE("dehydrated") {
    Host host;
    host.cron("dehydrated -c");
    host.put("/var/lib/dehydrated/certs/a.test/cert-1.pem", "");
    host.world.files.put_symlink("cert-1.pem", "/var/lib/dehydrated/certs/a.test/cert.pem");
    CHECK(host.renewer_of("/var/lib/dehydrated/certs/a.test/cert.pem") == "dehydrated a.test");
  }
  SUBCASE("Caddy") {
    Host host;
    const std::string folder = "/var/lib/caddy/.local/share/caddy/certificates/acme/a.test/";
    host.put(folder + "a.test.crt", "");
    CHECK(host.renewer_of(folder + "a.test.crt") == "caddy a.test");
  }
}

TEST_CASE("a timer that is masked and a crontab line that gives way or is a comment run nothing") {
  Host host;
  FakeFiles& files = host.world.files;
  host.put("/etc/letsencrypt/live/shop/cert.pem", "");
  files.put("/etc/letsencrypt/renewal/shop.conf",
            "cert = /etc/letsencrypt/live/shop/cert.pem\n[renewalparams]\n");
  const auto renews = [&] {
    return host.renewer_of("/etc/letsencrypt/live/shop/cert.pem") == "certbot shop";
  };
  files.put(
      "/etc/cron.d/certbot",
      "# runs certbot twice a day\n"
      "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot\n");
  CHECK(renews());
  files.put("/run/systemd/system/x", "");
  CHECK_FALSE(renews());
  files.put("/etc/systemd/system/timers.target.wants/certbot.timer", "");
  CHECK(renews());
  files.put_symlink("/dev/null", "/etc/systemd/system/certbot.timer");
  CHECK_FALSE(renews());
  files.put("/var/spool/cron/crontabs/root", "#0 3 * * * certbot renew\n");
  CHECK_FALSE(renews());
  files.put("/var/spool/cron/crontabs/root", "0 3 * * * certbot renew\n");
  CHECK(renews());
}

TEST_CASE("nolapse renews only where its daemon lives, or something else runs it") {
  Host host;
  FakeFiles& files = host.world.files;
  host.put("/var/lib/nolapse/certificates/shop/1/fullchain.pem", "");
  files.put_symlink("../certificates/shop/1", "/var/lib/nolapse/live/shop");
  const auto renews = [&] {
    return host.renewer_of("/var/lib/nolapse/live/shop/fullchain.pem") == "nolapse shop";
  };
  CHECK_FALSE(renews());
  files.put("/etc/systemd/system/timers.target.wants/nolapse-watch.timer", "");
  files.put("/etc/cron.d/nolapse", "0 3 * * * root nolapse check\n");
  CHECK_FALSE(renews());
  files.put("/etc/cron.d/nolapse", "0 3 * * * root nolapse renew\n");
  CHECK(renews());
  files.put("/etc/cron.d/nolapse", "");
  host.beat(21min);
  CHECK_FALSE(renews());
  host.beat(19min);
  CHECK(renews());
}

TEST_CASE("nolapse renews what lies in its state directory, unless its configuration is gone") {
  Host host;
  host.beat(1min);
  host.put("/var/lib/nolapse/certificates/shop/1/fullchain.pem", "");
  host.world.files.put_symlink("../certificates/shop/1", "/var/lib/nolapse/live/shop");
  CHECK(host.renewer_of("/var/lib/nolapse/live/shop/fullchain.pem") == "nolapse shop");
  host.config.files = {"/etc/nolapse/nolapse.toml"};
  CHECK(host.renewer_of("/var/lib/nolapse/live/shop/fullchain.pem") ==
        "nolapse shop: its [[certificate]] section is gone");
  host.config.certificates.emplace_back().name = "shop";
  CHECK(host.renewer_of("/var/lib/nolapse/live/shop/fullchain.pem") == "nolapse shop");
}

TEST_CASE(
    "a client's folder that was moved, with a link in its old place, is still that client's") {
  Host host;
  host.beat(1min, "/data/nolapse");
  host.put("/data/nolapse/certificates/shop/1/fullchain.pem", "");
  host.world.files.put_symlink("/data/nolapse", "/var/lib/nolapse");
  CHECK(host.renewer_of("/var/lib/nolapse/certificates/shop/1/fullchain.pem") == "nolapse shop");
  CHECK(host.renewer_of("/data/nolapse/certificates/shop/1/fullchain.pem") == "nolapse shop");
}

TEST_CASE("a folder that is named by a link is looked into") {
  Host host;
  host.put("/data/1/fullchain.pem", "");
  host.world.files.put_symlink("/data/1", "/live/shop");
  Inventory inventory(host.world.files, host.config, host.now);
  inventory.add_path("/live/shop");
  CHECK(inventory.problems().empty());
  CHECK(inventory.certificates(host.now).size() == 1);
}

TEST_CASE("what needs somebody first: over, near, unattended; a key that does not fit is over") {
  Host host;
  host.put("/c/fine.pem", "", 24h * 60);
  host.put("/c/near.pem", "", 24h * 20);
  host.put("/c/over.pem", "", -1h);
  const std::string kept = "/var/lib/caddy/.local/share/caddy/certificates/x/a.test/a.test.crt";
  host.put(kept, "", 24h * 50);
  Inventory inventory(host.world.files, host.config, host.now);
  inventory.add_path("/c");
  inventory.add_path(kept);
  Lines found;
  for (const FoundCertificate& each : inventory.certificates(host.now)) {
    found.push_back(each.found.front().file);
  }
  CHECK(found == Lines{"/c/over.pem", "/c/near.pem", "/c/fine.pem", kept});

  host.put("/c/pair.pem", "/c/pair.key");
  auto all = host.of_server(Host::shown("/c/pair.pem", "/c/pair.key")).certificates(host.now);
  CHECK(all.front().faults.empty());
  CHECK(urgency_of(all.front(), host.now, host.config.alerts) == Urgency::unattended);
  host.world.files.put("/c/pair.key", host.pair("b.test").private_key);
  all = host.of_server(Host::shown("/c/pair.pem", "/c/pair.key")).certificates(host.now);
  CHECK(all.front().faults.size() == 1);
  CHECK(urgency_of(all.front(), host.now, host.config.alerts) == Urgency::over);
}

TEST_CASE("who is said to renew a certificate and has not is late, by its lifetime") {
  const std::string kept = "/var/lib/caddy/.local/share/caddy/certificates/x/a.test/a.test.crt";
  struct Row {
    Duration left;
    bool late;
    Urgency urgency;
  };
  // It began a day before.
  for (const Row& row :
       {Row{24h * 89, false, Urgency::attended}, Row{24h * 16, false, Urgency::attended},
        Row{24h * 2, false, Urgency::attended}, Row{4h, true, Urgency::near},
        Row{-1h, true, Urgency::over}}) {
    Host host;
    host.put(kept, "", row.left);
    Inventory inventory(host.world.files, host.config, host.now);
    inventory.add_path(kept);
    const auto all = inventory.certificates(host.now);
    REQUIRE(all.size() == 1);
    CHECK(all.front().is_late(host.now, host.config.alerts) == row.late);
    CHECK(urgency_of(all.front(), host.now, host.config.alerts) == row.urgency);
  }
  Host host;  // with 90 days, 15 of them are little
  host.put(kept, "", 24h * 89);
  Inventory inventory(host.world.files, host.config, host.now);
  inventory.add_path(kept);
  const auto all = inventory.certificates(host.now);
  CHECK_FALSE(all.front().is_late(host.now + 24h * 73, host.config.alerts));
  CHECK(all.front().is_late(host.now + 24h * 75, host.config.alerts));
}

TEST_CASE("what cannot be looked at is told, each with its place") {
  Host host;
  CHECK(host.of_server(Host::shown("/gone.pem")).problems().size() == 1);
  host.put("/c/a.pem", "");
  // That a key is not for everybody is as it should be; that it is not there is not.
  CHECK(host.of_server(Host::shown("/c/a.pem", "/c/gone.key")).problems().size() == 1);
  host.world.files.put("/c/secret.key", "");
  host.world.files.set_unreadable("/c/secret.key", true);
  CHECK(host.of_server(Host::shown("/c/a.pem", "/c/secret.key")).problems().empty());
  host.world.files.put("/d/broken.pem",
                       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  host.world.files.put("/d/notes.txt", "no certificate, and nobody says that it is one");
  host.world.files.put_symlink("/d", "/d/circle");
  Inventory inventory(host.world.files, host.config, host.now);
  inventory.add_path("/d");
  inventory.add_path("/nowhere");
  CHECK(inventory.problems().size() == 2);
  CHECK(inventory.certificates(host.now).empty());
}

TEST_CASE("a file is read with whatever lies in it, in any order") {
  Host host;
  const KeyPair made = host.pair("a.test");
  const std::string root = acme::to_pem(*acme::parse_certificate(host.root.certificate()));
  const PemFile file =
      parse_pem_file("Bag Attributes\n" + made.private_key + made.fullchain + "\n" + root);
  REQUIRE(file.certificates.size() == 2);
  CHECK(file.public_key_der == file.certificates.front().public_key_der);
  CHECK(file.broken.empty());
  CHECK(parse_pem_file(made.fullchain.substr(0, made.fullchain.size() - 30)).broken.size() == 1);
  CHECK(parse_pem_file("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END X-----\n").has_key);
  CHECK(parse_pem_file("").certificates.empty());
  host.world.files.put("/der.crt", file.certificates.front().der);
  CHECK(read_certificate_file(host.world.files, "/der.crt"));
}

TEST_CASE("a path has one real name, through links to files and folders, back and in circles") {
  Host host;
  FakeFiles& files = host.world.files;
  files.put("/srv/certs/a.pem", "");
  files.put_symlink("/srv/certs", "/etc/certs");
  files.put_symlink("../certs/../certs/a.pem", "/etc/ssl/a.pem");
  files.put_symlink("/loop/b", "/loop/a");
  files.put_symlink("/loop/a", "/loop/b");
  CHECK(real_path(files, "/etc/certs/a.pem").value_or("") == "/srv/certs/a.pem");
  CHECK(real_path(files, "/etc/certs/../certs//./a.pem").value_or("") ==
        real_path(files, "/srv/certs/../certs/a.pem").value_or("-"));
  CHECK(real_path(files, "/").value_or("") == "/");
  CHECK_FALSE(real_path(files, "/loop/a"));
  CHECK_FALSE(real_path(files, "/none/a"));
}
