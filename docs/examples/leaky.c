// Answers forty requests a second, and keeps 64 KiB of each for ever.
//   gcc -O1 -g -fno-omit-frame-pointer -o leaky leaky.c
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct request {
  struct request *before;
  char body[65536];
};

static struct request *requests;

static __attribute__((noinline)) void remember_request(void) {
  struct request *request = malloc(sizeof *request);
  memset(request->body, 'x', sizeof request->body);
  request->before = requests;
  requests = request;
  char *scratch = malloc(4096);
  memset(scratch, 0, 4096);
  free(scratch);
}

static __attribute__((noinline)) void handle_request(void) {
  remember_request();
}

int main(void) {
  const struct timespec pause = {.tv_nsec = 25000000};
  for (;;) {
    handle_request();
    nanosleep(&pause, NULL);
  }
}
