// Recipients that a mail server refuses, as the message of an Error of Mail names them: for good
// (5xx) or for now (4xx, a mailbox that is full or a sender that is not known yet). Both sides of
// Mail have it from here. [RFC 5321 §4.2.1]
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace nolapse {

struct MailRefusal {
  std::string recipient;
  std::string answer;  // "450 4.2.0 greylisted"

  bool for_now() const { return answer.starts_with('4'); }
};

inline constexpr const char* mail_refusal_mark = " is refused: ";

// "ops@shop.test is refused: 550 no such user; …"
inline std::string in_words(const std::vector<MailRefusal>& refusals) {
  std::string text;
  for (const MailRefusal& each : refusals) {
    std::string answer = each.answer;
    std::replace(answer.begin(), answer.end(), ';', ',');
    text += (text.empty() ? "" : "; ") + each.recipient + mail_refusal_mark + answer;
  }
  return text;
}

// Those of these recipients that the message names.
inline std::vector<MailRefusal> refusals_in(const std::string& message,
                                            const std::vector<std::string>& recipients) {
  std::vector<MailRefusal> refusals;
  for (const std::string& recipient : recipients) {
    const std::string wanted = " " + recipient + mail_refusal_mark;
    const std::size_t at = (" " + message).find(wanted);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + wanted.size() - 1;
    refusals.push_back({recipient, message.substr(begin, message.find(';', begin) - begin)});
  }
  return refusals;
}

}  // namespace nolapse
