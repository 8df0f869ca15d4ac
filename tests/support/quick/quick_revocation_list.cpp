// In place of acme/x509_revocation_list.cpp: a list as lines of text, the last of which is a
// signature over those before. "revoked=SERIAL,REASON,MILLISECONDS SERIAL,…"
#include <charconv>

#include "acme/base64url.h"
#include "acme/revocation_list.h"
#include "tests/support/quick/quick_certificate.h"
#include "tests/support/quick/quick_key.h"
#include "tests/support/test_issuer.h"

namespace nolapse {

namespace {

tl::unexpected<acme::Error> refuse_list(const std::string& why) {
  return acme::fail(acme::ErrorKind::transient, "BAD_REVOCATION_LIST",
                    "the revocation list " + why);
}

std::string text_of(acme::Time time) {
  return std::to_string(time.time_since_epoch().count());
}

}  // namespace

std::string TestIssuer::sign_revocation_list(const RevocationListOptions& list) const {
  std::string text = "list=1\nissuer=" + common_name_ + "\nfrom=" + text_of(list.this_update) +
                     "\nuntil=" + text_of(list.next_update.value_or(acme::Time::max())) +
                     "\nplace=" + list.place + "\nrevoked=";
  for (const RevokedSerial& each : list.revoked) {
    text += acme::hex_encode(each.serial) + "," + std::to_string(each.reason) + "," +
            text_of(each.at) + " ";
  }
  return quick::sign_lines(text + "\n", key_.public_key_der());
}

namespace acme {

namespace {

std::vector<RevocationList::Entry> read_entries(std::string_view text) {
  std::vector<RevocationList::Entry> entries;
  while (!text.empty()) {
    const std::string_view each = text.substr(0, text.find(' '));
    const std::size_t comma = std::min(each.find(','), each.size() - 1);
    const std::size_t second = std::min(each.find(',', comma + 1), each.size() - 1);
    RevocationList::Entry entry;
    if (const auto serial = parse_serial(each.substr(0, comma))) entry.serial = *serial;
    std::from_chars(each.data() + comma + 1, each.data() + second, entry.reason);
    entry.at = quick::read_time(std::string(each.substr(second + 1)));
    entries.push_back(entry);
    text.remove_prefix(each.size() + 1);
  }
  return entries;
}

}  // namespace

Result<RevocationList> parse_revocation_list(std::string_view body, const Certificate& issuer,
                                             std::string_view url, Time now) {
  if (!body.starts_with("list=1\n")) return refuse_list("is none");
  if (!quick::is_signed_with(body, issuer.public_key_der))
    return refuse_list("is not signed by the CA");
  const std::string place = quick::field(body, "place");
  if (!place.empty() && place != url) return refuse_list("is for another place");
  const Time until = quick::read_time(quick::field(body, "until"));
  if (quick::read_time(quick::field(body, "from")) > now + std::chrono::hours(1) || until < now)
    return refuse_list("is not in force; is this machine's clock right?");
  return RevocationList(read_entries(quick::field(body, "revoked")), until);
}

}  // namespace acme

}  // namespace nolapse
