// Four threads that work on orders; all of them add to the same totals, under one lock.
//   gcc -O1 -g -fno-omit-frame-pointer -pthread -o busylock busylock.c
#include <pthread.h>
#include <stdint.h>
#include <time.h>

enum { THREADS = 4, TOTALS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t totals[TOTALS];

static __attribute__((noinline)) void update_totals(unsigned order) {
  for (int round = 0; round < 40; round++)
    for (int i = 0; i < TOTALS; i++) totals[i] += order ^ totals[(i + round) % TOTALS];
}

static __attribute__((noinline)) void take_order(unsigned order) {
  pthread_mutex_lock(&lock);
  update_totals(order);
  pthread_mutex_unlock(&lock);
}

static void *worker(void *unused) {
  (void)unused;
  const struct timespec pause = {.tv_nsec = 200000};
  for (unsigned order = 0;; order++) {
    take_order(order);
    if (order % 8 == 0) nanosleep(&pause, NULL);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, worker, NULL);
  pthread_join(threads[0], NULL);
}
