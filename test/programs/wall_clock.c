/*
 * A library to be loaded before all others (LD_PRELOAD): the wall clock of the process is set back by an hour as soon as
 * the file that WALL_CLOCK_FILE names is there. No other clock is touched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOUR 3600

static long shift(void) {
  const char *path = getenv("WALL_CLOCK_FILE");
  return path != NULL && access(path, F_OK) == 0 ? HOUR : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, time);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec -= shift();
  return result;
}

int gettimeofday(struct timeval *time, void *zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(time, zone);
  time->tv_sec -= shift();
  return result;
}
