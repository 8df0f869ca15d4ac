// A mail server that takes everything, or says why not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_clock.h"

namespace nolapse {

class FakeMail final : public Mail {
 public:
  explicit FakeMail(FakeClock& clock) : clock_(clock) {}

  void send(MailMessage message, Completion<void> done) override {
    clock_.post_after(std::chrono::milliseconds(20),
                      [this, message = std::move(message), done = std::move(done)] {
                        const auto broken = refuses_at.find(message.server);
                        if (broken != refuses_at.end()) {
                          return done(fail(ErrorKind::transient, "MAIL_FAILED", broken->second));
                        }
                        if (!refuses.empty()) {
                          return done(fail(ErrorKind::transient, "MAIL_FAILED", refuses));
                        }
                        taken.push_back(message);
                        done({});
                      });
  }

  std::string refuses;                            // why; empty: it does not
  std::map<std::string, std::string> refuses_at;  // the same for one server
  std::vector<MailMessage> taken;

 private:
  FakeClock& clock_;
};

}  // namespace nolapse
