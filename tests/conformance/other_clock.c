/* The time of day as a case wants it, for a program that is started with this preloaded: so many
   seconds away (OTHER_CLOCK_OFFSET), and so many times as fast (OTHER_CLOCK_RATE). The clocks that
   timers and waiting use stay as they are, and so does time(), by which OpenSSL judges the CA's own
   certificate. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const long long billion = 1000000000;
static long long began, offset, rate = 1;

static long long nanoseconds(const struct timespec* value) {
  return value->tv_sec * billion + value->tv_nsec;
}

__attribute__((constructor)) static void begin(void) {
  struct timespec value;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &value);
  began = nanoseconds(&value);
  if (getenv("OTHER_CLOCK_OFFSET")) offset = atoll(getenv("OTHER_CLOCK_OFFSET")) * billion;
  if (getenv("OTHER_CLOCK_RATE")) rate = atoll(getenv("OTHER_CLOCK_RATE"));
}

int clock_gettime(clockid_t clock, struct timespec* value) {
  const int result = (int)syscall(SYS_clock_gettime, clock, value);
  if (result != 0 || clock != CLOCK_REALTIME) return result;
  const long long now = began + (nanoseconds(value) - began) * rate + offset;
  value->tv_sec = now / billion;
  value->tv_nsec = now % billion;
  return 0;
}

time_t time(time_t* result) {
  struct timespec value;
  clock_gettime(CLOCK_REALTIME, &value);
  if (result) *result = value.tv_sec;
  return value.tv_sec;
}
