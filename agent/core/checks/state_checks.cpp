// The state directory: can it be read and written, and is it this machine's?
#include <algorithm>
#include <set>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/config_files.h"

namespace nolapse {
namespace {

constexpr Duration longest_lock = std::chrono::hours(1);
constexpr std::uint64_t least_octets = 64 << 20;  // enough for years of one certificate
constexpr std::uint64_t last_octets = 4 << 20;
constexpr std::uint64_t least_files = 5000;
constexpr std::uint64_t last_files = 200;

Finding finding(const char* code, std::string subject, FindingSeverity severity,
                std::string summary, std::string evidence, std::string fix) {
  return {code,           {}, std::move(subject), severity, std::move(summary), std::move(evidence),
          std::move(fix), {}};
}

// Of a file that may not be read nobody knows what is in it.
Finding unreadable(const Error& error, const std::string& what) {
  const bool denied = is_denied(error);
  return finding("STATE_UNREADABLE", what,
                 denied ? FindingSeverity::unknown : FindingSeverity::error,
                 what + " cannot be read", error.message,
                 denied ? look_as_owner
                        : "restore the file from a backup or move it away; the head of store.h "
                          "and README.md say what its loss costs");
}

std::vector<Finding> check_records(const CheckContext& context, const CheckSubject& subject) {
  const std::string& name = subject.certificate->name;
  std::vector<Finding> findings;
  const auto look = [&](const auto& loaded, const char* what) {
    if (!loaded) findings.push_back(unreadable(loaded.error(), what));
  };
  look(context.store.load_schedule(name), "schedule.json");
  look(context.store.load_deployments(name), "deployments.json");
  look(context.store.load_issuance(name), "issuance.json");
  look(context.store.load_left_proofs(name), "left_behind.json");
  return findings;
}

std::vector<Finding> check_shared_records(const CheckContext& context,
                                          const CheckSubject& subject) {
  std::vector<Finding> findings;
  const auto ledger = context.store.load_ledger(subject.ca->name);
  if (!ledger) {
    findings.push_back(unreadable(ledger.error(), "the rate ledger of " + subject.ca->name));
  }
  const auto account = context.store.load_account(subject.ca->name);
  if (account && *account && !(*account)->fault.empty()) {
    findings.push_back(finding("STATE_UNREADABLE", "account.json of " + subject.ca->name,
                               FindingSeverity::warning,
                               "account.json of " + subject.ca->name + " cannot be read",
                               (*account)->fault, "nothing: the CA is asked again"));
  }
  return findings;
}

// Of a file whose reading is denied nobody knows whether it is whole; nothing: none is.
std::optional<Error> denied_part(const CheckContext& context, const std::string& directory) {
  for (const char* file : {"/fullchain.pem", "/privkey.pem", "/request.pem"}) {
    const auto content = context.world.files.read(directory + file);
    if (!content && is_denied(content.error())) return content.error();
  }
  return {};
}

Finding damaged_generation(const CheckContext& context, const std::string& name,
                           const std::string& what, const std::string& directory) {
  const auto denied = denied_part(context, directory);
  if (denied && !context.daemon) {
    return not_known("GENERATION_DAMAGED", name + ": nobody knows whether its pair is whole",
                     *denied);
  }
  return finding("GENERATION_DAMAGED", {}, FindingSeverity::error,
                 name + ": a generation is damaged and is not used", what,
                 denied ? "give it back to the user who runs nolapse: chown -R --reference=" +
                              context.config.state_directory + " " + directory
                        : "nolapse renew --force " + name + "; then see to the disk");
}

// Links are made when a generation was there: what they name is lost. What only the records name,
// nobody else has heard of.
void add_lost_generations(const CheckContext& context, const CertificateSpec& spec,
                          const std::vector<unsigned>& there, std::vector<Finding>& findings) {
  const auto linked = context.store.linked_generations(spec.name);
  const auto has = [](const std::vector<unsigned>& numbers, unsigned number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
  };
  std::vector<unsigned> lost;
  for (const unsigned number : linked) {
    if (!has(there, number) && !has(lost, number)) lost.push_back(number);
  }
  for (const unsigned number : lost) {
    const std::string generation = spec.name + "/" + std::to_string(number);
    findings.push_back(
        finding("GENERATION_DAMAGED", {}, FindingSeverity::error,
                spec.name + ": generation " + std::to_string(number) + " is gone, and was in use",
                "live/ or deployed/ names certificates/" + generation + ", which is not there",
                "put certificates/" + generation + " back, or nolapse renew --force " + spec.name));
  }
  const auto records = context.store.load_deployments(spec.name);
  for (const auto& [target, record] : records.value_or(DeploymentRecords{})) {
    const unsigned number = record.generation;
    if (number == 0 || has(there, number) || has(linked, number)) continue;
    findings.push_back(finding("STATE_UNREADABLE", "deployments.json", FindingSeverity::error,
                               spec.name + ": deployments.json contradicts what is there",
                               "it says of target " + target + " that generation " +
                                   std::to_string(number) + " is " + name_of(record.stage) +
                                   "; there is no such generation",
                               "nolapse deploy " + spec.name));
  }
}

std::vector<Finding> check_generations(const CheckContext& context, const CheckSubject& subject) {
  const std::string& name = subject.certificate->name;
  const auto numbers = context.store.generation_numbers(name);
  std::vector<std::string> damaged;  // from the newest on
  const auto newest = context.store.newest_generation(name, Store::Keys::checked, &damaged);
  if (!numbers || !newest) {
    const Error& error = newest ? numbers.error() : newest.error();
    return {
        not_known("GENERATION_DAMAGED", name + ": nobody knows whether its pair is whole", error),
        unreadable(error, "certificates/" + name)};
  }
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < damaged.size() && i < numbers->size(); ++i) {
    const std::string directory = context.config.state_directory + "/certificates/" + name + "/" +
                                  std::to_string((*numbers)[numbers->size() - 1 - i]);
    findings.push_back(damaged_generation(context, name, damaged[i], directory));
  }
  add_lost_generations(context, *subject.certificate, *numbers, findings);
  return findings;
}

bool has_less_than(const FileSpace& space, std::uint64_t octets, std::uint64_t files) {
  return space.free_octets < octets || (space.files > 0 && space.free_files < files);
}

Finding low_disk(const std::string& path, const FileSpace& space, bool last) {
  return finding("DISK_LOW", {}, last ? FindingSeverity::error : FindingSeverity::warning,
                 "the disk under " + path + " is almost full",
                 std::to_string(space.free_octets >> 20) + " MiB and " +
                     std::to_string(space.free_files) + " inodes are free",
                 "make room: a renewal that cannot be stored is no renewal");
}

// Where a renewal writes besides, and little: as it proves control, and as the hook service hands a
// pair on. Where hooks write they tell themselves, with the rights that they will have.
std::vector<std::string> other_places(const CheckContext& context) {
  const Config& config = context.config;
  std::set<std::string> places;
  for (const CertificateSpec& spec : config.certificates) {
    for (const std::string& name : spec.challenges) {
      const auto challenge = config.challenges.find(name);
      if (challenge != config.challenges.end()) places.insert(challenge->second.webroot);
    }
    for (const std::string& name : spec.deploy) {
      const auto target = config.targets.find(name);
      if (target == config.targets.end()) continue;
      if (context.world.processes.may_become(target->second.user)) continue;
      places.insert(directory_of(config.hook_socket));
    }
  }
  places.erase(std::string());
  return {places.begin(), places.end()};
}

std::vector<Finding> check_space(const CheckContext& context, const CheckSubject&) {
  const std::string& path = context.config.state_directory;
  std::vector<Finding> findings;
  const auto space = context.world.files.space(path);
  if (!space && space.error().code == "FILE_MISSING") {
    // The first renewal makes it.
  } else if (!space) {
    findings.push_back(unreadable(space.error(), path));
  } else if (has_less_than(*space, least_octets, least_files)) {
    findings.push_back(low_disk(path, *space, has_less_than(*space, last_octets, last_files)));
  }
  for (const std::string& place : other_places(context)) {
    const auto room = context.world.files.space(place);
    if (!room && is_denied(room.error())) {
      findings.push_back(not_known(
          "DISK_LOW", "nobody knows how full the disk under " + place + " is", room.error()));
    } else if (room && has_less_than(*room, last_octets, last_files)) {
      findings.push_back(low_disk(place, *room, true));
    } else {
      continue;  // what is not there has findings of its own
    }
    findings.back().subject = place;
  }
  return findings;
}

std::vector<Finding> check_lock(const CheckContext& context, const CheckSubject&) {
  if (context.daemon) return {};  // it holds the lock itself
  const auto lock = context.world.files.lock(context.store.lock_path(), "nolapse check");
  if (lock || lock.error().code == "FILE_MISSING") return {};
  const auto there = context.world.files.status(context.store.lock_path());
  // What lies in its place a renewal puts aside.
  const bool intruder = there && there->kind != FileStatus::Kind::file;
  if (lock.error().kind != ErrorKind::held && !is_denied(lock.error()) && !intruder) {
    // The disk was remounted read-only, say: that is so for whoever looks.
    return {finding("DISK_WRITE_FAILED", {}, FindingSeverity::error,
                    "the state directory's lock cannot be taken, so that no renewal can begin",
                    lock.error().message, "see to the disk: df -h, dmesg, mount")};
  }
  if (lock.error().kind != ErrorKind::held) {
    return {finding("LOCK_HELD", {}, FindingSeverity::unknown,
                    "nobody knows whether the state directory is locked", lock.error().message,
                    look_as_owner)};
  }
  const std::string& text = lock.error().message;
  const std::size_t since = text.rfind(" since ");
  const auto begin = since == std::string::npos ? std::optional<Time>()
                                                : acme::parse_rfc3339(text.substr(since + 7, 20));
  const Duration age = begin ? context.world.clock.now() - *begin : Duration{0};
  if (begin && age < longest_lock) return {};
  return {finding("LOCK_HELD", {}, FindingSeverity::error,
                  "another process holds the state directory" +
                      (begin ? " for " + acme::format_duration(age) : std::string()) +
                      " and no daemon answers",
                  text, "see what that process waits for and end it; the lock ends with it")};
}

// A second machine with the same account and orders spends the first one's limits, and neither
// sees what the other does.
std::vector<Finding> check_machine(const CheckContext& context, const CheckSubject&) {
  const auto known = context.store.load_machine();
  const auto here = context.world.files.read("/etc/machine-id");
  const bool nowhere = !here && here.error().code == "FILE_MISSING";
  if (!known || (!here && !nowhere)) {
    return {not_known("STATE_FROM_ANOTHER_MACHINE",
                      "nobody knows whether the state directory is this machine's",
                      known ? here.error() : known.error())};
  }
  if (nowhere || known->empty() || *known == *here) return {};
  return {
      finding("STATE_FROM_ANOTHER_MACHINE", {}, FindingSeverity::error,
              "the state directory was copied from another machine",
              "made on machine " + known->substr(0, 12) + "…, this is " + here->substr(0, 12) + "…",
              "where the other one is gone: rm " + context.config.state_directory +
                  "/machine and restart nolapse; else give this one a state directory of its "
                  "own")};
}

void probe_writing(const std::shared_ptr<const CheckContext>& context, const CheckSubject&,
                   const CheckReport& report) {
  // Two self-tests may run at once. What a crash leaves there the next sweep takes away.
  const std::string path = context->config.state_directory + "/tmp/check-" +
                           std::to_string(context->world.random.next());
  const std::string content = "nolapse check " + std::to_string(context->world.random.next());
  std::vector<FileOperation> work{MakeDirectory{context->config.state_directory + "/tmp", 0700},
                                  RemoveTree{path}, WriteFile{path, content, 0600, {}},
                                  SyncFile{path}};
  context->world.files.run(std::move(work), [context, path, content, report](Result<void> written) {
    const auto read = written ? context->world.files.read(path) : fail(written.error());
    const std::string seen = !read              ? read.error().message
                             : *read != content ? path + " does not hold what was written"
                                                : std::string();
    context->world.files.run({RemoveTree{path}}, [seen, report, read](Result<void> removed) {
      const std::string why = seen.empty() && !removed ? removed.error().message : seen;
      if (why.empty()) return report({});
      const bool denied = !read && is_denied(read.error());
      report({finding("DISK_WRITE_FAILED", {},
                      denied ? FindingSeverity::unknown : FindingSeverity::error,
                      "the state directory takes no write", why,
                      denied ? look_as_owner : "see to the disk: df -h, dmesg, mount")});
    });
  });
}

std::vector<CodePage> pages() {
  return {
      {"STATE_UNREADABLE", "a file of the state directory cannot be read",
       "It is damaged (a full disk, a crash of the machine), of a newer nolapse, or not ours to "
       "read.",
       "ls -l the file; python3 -m json.tool FILE",
       "nolapse goes on without it and puts it aside as FILE.unreadable at its next write; the "
       "README says what each file's loss costs."},
      {"GENERATION_DAMAGED",
       "files of an issued certificate are missing, or do not belong together",
       "A disk error, or somebody changed them.",
       "openssl x509 -in cert.pem -noout -pubkey; openssl pkey -in privkey.pem -pubout",
       "nolapse renew --force NAME issues a new pair; the old one is not used."},
      {"DISK_LOW",
       "little space or few inodes are left where a renewal writes: the state directory, a "
       "webroot, "
       "the hook service's folder",
       "Logs, backups, or the events of years.", "df -h FOLDER; df -i FOLDER", "Make room."},
      {"DISK_WRITE_FAILED", "the state directory takes no write",
       "The disk is full or was remounted read-only, or the owner is wrong.",
       "touch STATE_DIR/tmp/x, as the user who runs nolapse", "See to the disk or to the owner."},
      {"LOCK_HELD", "something has held the state directory for long, and no daemon answers",
       "A command waits for a hook, a CA or a person, or the daemon hangs.",
       "cat STATE_DIR/lock; ps -fp PID", "End that process; restart the daemon."},
      {"STATE_FROM_ANOTHER_MACHINE", "the state directory is a copy from another machine",
       "A disk or a virtual machine was cloned.", "cat STATE_DIR/machine /etc/machine-id",
       "If the other one is gone, remove STATE_DIR/machine; else use another state directory."},
  };
}

}  // namespace

CheckFamily state_checks() {
  return {
      pages(),
      {plain_check({"STATE_UNREADABLE"}, CheckDepth::cheap, CheckScope::certificate, check_records),
       plain_check({"STATE_UNREADABLE"}, CheckDepth::cheap, CheckScope::ca, check_shared_records),
       plain_check({"GENERATION_DAMAGED", "STATE_UNREADABLE"}, CheckDepth::cheap,
                   CheckScope::certificate, check_generations),
       plain_check({"DISK_LOW", "STATE_UNREADABLE"}, CheckDepth::cheap, CheckScope::host,
                   check_space),
       plain_check({"LOCK_HELD", "DISK_WRITE_FAILED"}, CheckDepth::cheap, CheckScope::host,
                   check_lock),
       plain_check({"STATE_FROM_ANOTHER_MACHINE"}, CheckDepth::cheap, CheckScope::host,
                   check_machine),
       {{"DISK_WRITE_FAILED"}, CheckDepth::deep, CheckScope::host, probe_writing}}};
}

}  // namespace nolapse
