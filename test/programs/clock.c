// clock FILE PORT: sleeps and wakes, allocates, reads one block of FILE past the page cache, sends one TCP message to PORT.
// Before and after each step it prints CLOCK_MONOTONIC in nanoseconds: `STEP before after`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void rest(void) { usleep(200000); }

static void step(const char *name, long long before) {
  printf("%s %lld %lld\n", name, before, now());
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long long before = now();
  rest();
  step("wake", before);

  before = now();
  char *memory = malloc(100 * MIB);
  memset(memory, 1, 100 * MIB);
  step("allocate", before);
  // Memory is looked at every half a second.
  for (int i = 0; i < 5; i++) rest();

  void *block;
  int file = open(argv[1], O_RDONLY | O_DIRECT);
  if (file < 0 || posix_memalign(&block, 4096, 4096) != 0) return 1;
  before = now();
  if (pread(file, block, 4096, 8 * 4096) != 4096) return 1;
  step("read", before);
  rest();

  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  int peer = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(peer, (struct sockaddr *)&to, sizeof to) != 0) return 1;
  before = now();
  if (send(peer, "0123456789abcdef", 16, 0) != 16) return 1;
  step("send", before);
  rest();
  return memory[5] == 1 ? 0 : 1;
}
