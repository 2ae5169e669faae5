/*
 * Waits in one known way, and says what it measured: a line with its thread's id, the nanoseconds that it was off its CPU
 * in the function of that name (time that passed, less its CPU time), and how often it left the CPU, by itself and not.
 * What it calls has a frame of its own, since a system call's wrapper hides its caller.
 *
 *     waits sleep TIMES MILLISECONDS      sleep_in_turns()
 *     waits pipe TIMES MILLISECONDS       read_from_pipe(), the other end is a process that sleeps before each byte
 *     waits lock TIMES MILLISECONDS       take_lock(), which another thread holds
 *     waits disk TIMES FILE               read_directly(), each time another 4 KiB of the file, past the page cache
 *     waits spin SECONDS CPU              spin_on(), pinned to the CPU
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int times;
static const char *what;
static volatile unsigned long sink;

static long long clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_ms(void)
{
	usleep(atoi(what) * 1000);
}

__attribute__((noinline)) void sleep_once(void)
{
	sleep_ms();
	sink++;
}

__attribute__((noinline)) void sleep_in_turns(void)
{
	for (int i = 0; i < times; i++)
		sleep_once();
}

static int ends[2];

static void prepare_pipe(void)
{
	if (pipe(ends) != 0)
		exit(1);
	if (fork() > 0)
		return;
	for (int i = 0; i < times; i++) {
		sleep_ms();
		if (write(ends[1], "x", 1) != 1)
			exit(1);
	}
	_exit(0);
}

__attribute__((noinline)) void read_once(void)
{
	char byte;

	if (read(ends[0], &byte, 1) != 1)
		exit(1);
	sink++;
}

__attribute__((noinline)) void read_from_pipe(void)
{
	for (int i = 0; i < times; i++)
		read_once();
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void *hold_lock(void *unused)
{
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&lock);
		pthread_barrier_wait(&barrier);
		sleep_ms();
		pthread_mutex_unlock(&lock);
		pthread_barrier_wait(&barrier);
	}
	return unused;
}

static void prepare_lock(void)
{
	pthread_t holder;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&holder, NULL, hold_lock, NULL);
}

__attribute__((noinline)) void lock_once(void)
{
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	pthread_barrier_wait(&barrier);
	sink++;
}

__attribute__((noinline)) void take_lock(void)
{
	for (int i = 0; i < times; i++)
		lock_once();
}

static int file;
static char *block;

static void prepare_disk(void)
{
	file = open(what, O_RDONLY | O_DIRECT);
	if (file < 0 || posix_memalign((void **)&block, 4096, 4096) != 0)
		exit(1);
}

__attribute__((noinline)) void read_block(off_t offset)
{
	if (pread(file, block, 4096, offset) != 4096)
		exit(1);
	sink++;
}

__attribute__((noinline)) void read_directly(void)
{
	for (int i = 0; i < times; i++)
		read_block(4096L * i);
}

static void prepare_spin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(atoi(what), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
		exit(1);
}

__attribute__((noinline)) void spin_on(void)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + times * 1000000000LL;

	while (clock_ns(CLOCK_MONOTONIC) < end)
		for (int i = 0; i < 10000; i++)
			sink += i;
}

static void nothing(void)
{
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} ways[] = {
	{ "sleep", nothing, sleep_in_turns },
	{ "pipe", prepare_pipe, read_from_pipe },
	{ "lock", prepare_lock, take_lock },
	{ "disk", prepare_disk, read_directly },
	{ "spin", prepare_spin, spin_on },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct rusage before, after;
		long long wall, cpu;

		if (strcmp(argv[1], ways[i].name) != 0)
			continue;
		times = atoi(argv[2]);
		what = argv[3];
		ways[i].prepare();
		getrusage(RUSAGE_THREAD, &before);
		wall = clock_ns(CLOCK_MONOTONIC);
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		ways[i].run();
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
		wall = clock_ns(CLOCK_MONOTONIC) - wall;
		getrusage(RUSAGE_THREAD, &after);
		printf("%ld %lld %ld %ld\n", syscall(SYS_gettid), wall - cpu, after.ru_nvcsw - before.ru_nvcsw,
		       after.ru_nivcsw - before.ru_nivcsw);
		return 0;
	}
	fprintf(stderr, "usage: waits sleep|pipe|lock|disk|spin TIMES WHAT\n");
	return 2;
}
