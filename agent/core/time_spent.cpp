#include "agent/core/time_spent.h"

namespace nolapse {
namespace {

constexpr std::array<const char*, TimeSpent::phases> names = {"nolapse", "ca",    "waiting",
                                                              "proof",   "hooks", "verification"};
constexpr std::array<const char*, TimeSpent::phases> words = {
    "nolapse itself", "the CA", "waiting for the CA", "proof", "hooks", "verification"};

std::string seconds(Duration duration) {
  const auto hundredths = (duration.count() + 5) / 10;
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + std::string(2 - fraction.size(), '0') + fraction +
         "s";
}

}  // namespace

const char* TimeSpent::name_of(Phase phase) {
  return names[static_cast<std::size_t>(phase)];
}

// In the order of a certificate's life; what nolapse itself took comes last.
std::string TimeSpent::text() const {
  std::string text;
  for (std::size_t i = 1; i <= phases; ++i) {
    const std::size_t phase = i % phases;
    if (spent_[phase] < std::chrono::milliseconds(5)) continue;
    text += (text.empty() ? "" : ", ") + seconds(spent_[phase]) + " " + words[phase];
  }
  return text;
}

}  // namespace nolapse
