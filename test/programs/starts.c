/*
 * Starts a program again and again, at a steady rate: starts RATE SECONDS PROGRAM ARG...
 * Or so many processes that do nothing but wait until its stdin ends: starts idle COUNT
 * Prints how many it has started.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int idle(long count) {
  char end;
  long made = 0;
  for (; made < count; made++) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  printf("%ld\n", made);
  fflush(stdout);
  while (read(0, &end, 1) > 0) {
  }
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(NULL) > 0) {
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "idle") == 0) {
    setpgid(0, 0);
    return idle(atol(argv[2]));
  }
  if (argc < 4) return 2;
  double rate = atof(argv[1]), seconds = atof(argv[2]), start = now();
  long made = 0;
  for (double elapsed = 0; elapsed < seconds; elapsed = now() - start) {
    if (made < elapsed * rate) {
      pid_t pid;
      if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ) != 0) return 1;
      made++;
    } else {
      usleep(500);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  while (wait(NULL) > 0) {
  }
  printf("%ld\n", made);
  return 0;
}
