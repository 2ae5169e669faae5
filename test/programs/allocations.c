/*
 * Asks malloc for known amounts from functions of known names. Usage: allocations NAME
 *
 * Names itself, prints "ready <pid>" and obeys lines on stdin:
 *   request CALLS BYTES   CALLS times malloc(BYTES), each freed at once, in request_known()
 *   other CALLS BYTES     the same in request_other()
 *   leak CALLS BYTES      CALLS times malloc(BYTES), never freed, in leak_known()
 *   keep CALLS BYTES      the same, but freed by the next `drop`, in keep_known()
 *   drop                  frees what was kept
 *   thread CALLS BYTES    `request` by another thread
 *   touch PAGES           maps so many small pages and touches each once, in touch_known(); unmaps them
 *   fill PAGES            the same, but it is the kernel that touches them, for touch_by_kernel()
 *   fork CALLS BYTES      `request` in a child, which ends
 *   become NAME           execve() of itself with that name; answered with "ready <pid>"
 * Each is answered with "done". At the end of stdin it ends. With CALLS BYTES behind the name it does
 * `request` and `leak` once and ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMED __attribute__((noinline, noclone))

static void *volatile sink;

/* BCC's mallocstacks does not see the function that calls malloc, but its caller. */
NAMED static void *take(long bytes) {
  void *block = malloc(bytes);
  if (block != NULL) *(volatile char *)block = 1;
  return block;
}

static void **kept;
static long kept_count;

NAMED void request_known(long calls, long bytes) {
  for (long i = 0; i < calls; i++) {
    sink = take(bytes);
    free(sink);
  }
}

NAMED void request_other(long calls, long bytes) {
  for (long i = 0; i < calls; i++) {
    sink = take(bytes);
    free(sink);
  }
}

NAMED void leak_known(long calls, long bytes) {
  for (long i = 0; i < calls; i++) sink = take(bytes);
}

NAMED void keep_known(long calls, long bytes) {
  kept = mmap(NULL, calls * sizeof *kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (kept_count = 0; kept_count < calls; kept_count++) kept[kept_count] = take(bytes);
}

NAMED void drop_known(void) {
  while (kept_count > 0) free(kept[--kept_count]);
}

static char *map_small_pages(long length) {
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, length, MADV_NOHUGEPAGE);
  return memory;
}

NAMED void touch_known(long pages) {
  long size = sysconf(_SC_PAGESIZE);
  char *memory = map_small_pages(pages * size);
  for (long i = 0; i < pages; i++) *(volatile char *)(memory + i * size) = 1;
  munmap(memory, pages * size);
}

/* Who calls libc's wrapper of a system call is not seen, but its caller. */
NAMED static long read_byte(int file, char *memory) { return 2 * read(file, memory, 1); }

NAMED void touch_by_kernel(long pages) {
  long size = sysconf(_SC_PAGESIZE);
  char *memory = map_small_pages(pages * size);
  int zero = open("/dev/zero", O_RDONLY);
  for (long i = 0; i < pages; i++) read_byte(zero, memory + i * size);
  close(zero);
  munmap(memory, pages * size);
}

struct request {
  long calls, bytes;
};

static void *thread_main(void *argument) {
  struct request *request = argument;
  request_known(request->calls, request->bytes);
  return NULL;
}

NAMED static void obey(const char *line) {
  char word[20] = "";
  long calls = 0, bytes = 0;
  sscanf(line, "%19s %ld %ld", word, &calls, &bytes);
  if (strcmp(word, "request") == 0) request_known(calls, bytes);
  if (strcmp(word, "other") == 0) request_other(calls, bytes);
  if (strcmp(word, "leak") == 0) leak_known(calls, bytes);
  if (strcmp(word, "keep") == 0) keep_known(calls, bytes);
  if (strcmp(word, "drop") == 0) drop_known();
  if (strcmp(word, "touch") == 0) touch_known(calls);
  if (strcmp(word, "fill") == 0) touch_by_kernel(calls);
  if (strcmp(word, "thread") == 0) {
    struct request request = {calls, bytes};
    pthread_t thread;
    pthread_create(&thread, NULL, thread_main, &request);
    pthread_join(thread, NULL);
  }
  if (strcmp(word, "become") == 0) {
    char name[20] = "";
    sscanf(line, "become %19s", name);
    execl("/proc/self/exe", "allocations", name, NULL);
  }
  if (strcmp(word, "fork") == 0) {
    pid_t child = fork();
    if (child == 0) {
      request_known(calls, bytes);
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) return 2;
  prctl(PR_SET_NAME, argv[1]);
  if (argc == 4) {
    request_known(atol(argv[2]), atol(argv[3]));
    leak_known(atol(argv[2]), atol(argv[3]));
    return 0;
  }
  char line[100];
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  printf("ready %d\n", getpid());
  while (fgets(line, sizeof line, stdin)) {
    obey(line);
    puts("done");
  }
  return 0;
}
