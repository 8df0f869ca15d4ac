// What a million certificates cost in memory and time: the agenda alone, and with the configuration
// that it is about. Prints figures; it is no test and has no limits of its own.
#include <malloc.h>

#include <chrono>
#include <cstdio>

#include "agent/core/agenda.h"
#include "agent/core/config.h"

using namespace nolapse;

namespace {

constexpr std::uint32_t certificates = 1'000'000;

std::size_t octets_in_use() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

double seconds_for(const auto& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

CertificateSpec spec_of(std::uint32_t number) {
  CertificateSpec spec;
  spec.name = "certificate-" + std::to_string(number);
  spec.domains = {{"dns", spec.name + ".example"}};
  spec.challenges = {"web"};
  spec.cas = {"letsencrypt"};
  spec.deploy = {"nginx"};
  return spec;
}

}  // namespace

int main() {
  const acme::Time start{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
  const std::size_t before = octets_in_use();
  Agenda agenda;
  const double filling = seconds_for([&] {
    for (std::uint32_t i = 0; i < certificates; ++i) {
      agenda.set(i, start + std::chrono::seconds(i * 2654435761u % 5'000'000u));
    }
  });
  const std::size_t with_agenda = octets_in_use();
  std::printf("agenda: %.0f octets a certificate, filled in %.2f s\n",
              static_cast<double>(with_agenda - before) / certificates, filling);

  long due = 0;
  const double looking = seconds_for([&] {
    for (int i = 0; i < 1'000'000; ++i)
      due += agenda.take_due(start - std::chrono::seconds(1)) ? 1 : 0;
  });
  std::printf("a wake-up with nothing due: %.1f ns (%ld due)\n", looking * 1e3, due);

  const double moving = seconds_for([&] {
    for (std::uint32_t i = 0; i < certificates; ++i) {
      const auto next = agenda.take_due(start + std::chrono::hours(24 * 365));
      agenda.set(*next, start + std::chrono::hours(24 * 366) + std::chrono::seconds(i));
    }
  });
  std::printf("a look's way through the agenda: %.0f ns\n", moving * 1e9 / certificates);

  Config config;
  for (std::uint32_t i = 0; i < certificates; ++i) config.certificates.push_back(spec_of(i));
  config.certificates.shrink_to_fit();
  std::printf("its configuration beside it: %.0f octets a certificate (%zu of them its struct)\n",
              static_cast<double>(octets_in_use() - with_agenda) / certificates,
              sizeof(CertificateSpec));
}
