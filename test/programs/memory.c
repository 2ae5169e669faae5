/*
 * Holds a known amount of memory. Usage: memory NAME MIB
 *
 * Names itself, maps and touches MIB mebibytes, prints "ready <pid>" and obeys lines on stdin:
 *   grow MIB   maps and touches more; prints "grown <before> <after>", CLOCK_MONOTONIC in ns around it
 *   fork       starts a child that shares all memory and only waits; prints "forked <pid>"
 * At the end of stdin it ends, and its children with it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void take(long mib) {
  if (mib == 0) return;
  size_t size = (size_t)mib << 20;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  memset(memory, 1, size);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  char line[100];
  prctl(PR_SET_NAME, argv[1]);
  take(atol(argv[2]));
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  printf("ready %d\n", getpid());
  while (fgets(line, sizeof line, stdin)) {
    if (strncmp(line, "grow ", 5) == 0) {
      long long before = now();
      take(atol(line + 5));
      printf("grown %lld %lld\n", before, now());
    } else if (strcmp(line, "fork\n") == 0) {
      pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
      }
      printf("forked %d\n", child);
    }
  }
  return 0;
}
