// Uses RAND_set_rand_method: deprecated since OpenSSL 3.0, but the one switch that reaches every
// RAND_bytes of the library, key generation and ECDSA nonces included, without a provider of our
// own. No locks: the fake world has one thread.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/support/seeded_openssl.h"

#include <openssl/rand.h>

#include "tests/support/seeded_random.h"

namespace nolapse {

namespace {

SeededRandom generator(0);
int active = 0;

int fill(unsigned char* buffer, int size) {
  for (int i = 0; i < size; ++i) buffer[i] = static_cast<unsigned char>(generator.next() & 0xff);
  return 1;
}

int ready() {
  return 1;
}

const RAND_METHOD method = {nullptr, fill, nullptr, nullptr, fill, ready};

}  // namespace

SeededOpenssl::SeededOpenssl(std::uint64_t seed) {
  generator = SeededRandom(seed);
  ++active;
  RAND_set_rand_method(&method);
}

SeededOpenssl::~SeededOpenssl() {
  if (--active == 0) RAND_set_rand_method(nullptr);
}

}  // namespace nolapse
