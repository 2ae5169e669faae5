/*
 * Holds a known amount of memory. Usage: memory NAME MIB
 *
 * Names itself, maps and touches MIB mebibytes, prints "ready <pid>" and obeys lines on stdin:
 *   grow MIB   maps and touches more; prints "grown <before> <after>", CLOCK_MONOTONIC in ns around it
 *   fork       starts a child that shares all memory and only waits; prints "forked <pid>"
 *   huge MIB   maps and touches more, in huge pages where the kernel gives some; prints "huge"
 *   file PATH  maps the file, shared, and reads all of it; prints "mapped <bytes>"
 * At the end of stdin it ends, and its children with it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void take(long mib, int advice) {
  if (mib == 0) return;
  size_t size = (size_t)mib << 20;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  madvise(memory, size, advice);
  memset(memory, 1, size);
}

static long map(const char *path) {
  struct stat status;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &status) != 0) {
    perror(path);
    exit(1);
  }
  volatile char *memory = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  for (long at = 0; at < status.st_size; at += 4096) (void)memory[at];
  return status.st_size;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  char line[5000];
  prctl(PR_SET_NAME, argv[1]);
  take(atol(argv[2]), MADV_NORMAL);
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  printf("ready %d\n", getpid());
  while (fgets(line, sizeof line, stdin)) {
    if (strncmp(line, "grow ", 5) == 0) {
      long long before = now();
      take(atol(line + 5), MADV_NORMAL);
      printf("grown %lld %lld\n", before, now());
    } else if (strncmp(line, "huge ", 5) == 0) {
      take(atol(line + 5), MADV_HUGEPAGE);
      printf("huge\n");
    } else if (strncmp(line, "file ", 5) == 0) {
      line[strcspn(line, "\n")] = 0;
      printf("mapped %ld\n", map(line + 5));
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
