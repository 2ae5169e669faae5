// Code that is compiled at run time, and what names it has: jit SECONDS COMMAND NAME...
// Copies a loop into fresh memory once for each name, tells perf of the copies by /tmp/perf-PID.map, calls itself COMMAND and burns
// CPU time in each of them.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define STEP 256

// push %rbp; mov %rsp,%rbp; mov %rdi,%rcx; 1: dec %rcx; jnz 1b; pop %rbp; ret
static const unsigned char loop[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf9, 0x48, 0xff, 0xc9, 0x75, 0xfb, 0x5d, 0xc3};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void burn(unsigned char *code, int copies, double until) {
  while (now() < until) {
    for (int i = 0; i < copies; i++) ((void (*)(long))(code + STEP * i))(300000);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int copies = argc - 3;
  prctl(PR_SET_NAME, argv[2]);
  unsigned char *code =
      mmap(NULL, STEP * copies, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 1;
  char path[64];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
  FILE *map = fopen(path, "w");
  if (map == NULL) return 1;
  for (int i = 0; i < copies; i++) {
    memcpy(code + STEP * i, loop, sizeof loop);
    fprintf(map, "%lx %x %s\n", (unsigned long)(code + STEP * i), STEP, argv[3 + i]);
  }
  fclose(map);
  burn(code, copies, now() + atof(argv[1]));
  return 0;
}
