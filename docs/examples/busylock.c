// Four threads that check orders and add them up, all in the same totals, under one lock.
//   gcc -O1 -g -fno-omit-frame-pointer -pthread -o busylock busylock.c
#include <pthread.h>
#include <stdint.h>

enum { THREADS = 4, TOTALS = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t totals[TOTALS];

static __attribute__((noinline)) void update_totals(unsigned order) {
  for (int round = 0; round < 40; round++)
    for (int i = 0; i < TOTALS; i++) totals[i] += order ^ totals[(i + round) % TOTALS];
}

static __attribute__((noinline)) unsigned check_order(unsigned order) {
  for (int round = 0; round < 20000; round++) order = order * 1103515245 + 12345;
  return order;
}

static void *worker(void *unused) {
  (void)unused;
  for (unsigned order = 0;; order++) {
    unsigned checked = check_order(order);
    pthread_mutex_lock(&lock);
    update_totals(checked);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, worker, NULL);
  pthread_join(threads[0], NULL);
}
