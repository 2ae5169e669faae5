/*
 * Spends two thirds of its CPU time in two_thirds() and one third in one_third(), in turns of 20 and 10 ms, for so many
 * seconds of CPU time in all. What they call has a frame of its own, so each of them is seen in its stacks.
 *
 *     two_thirds SECONDS
 */
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

__attribute__((noinline)) double work_until(double end)
{
	double now;

	while ((now = cpu_seconds()) < end)
		for (int i = 0; i < 10000; i++)
			sink += i;
	return now;
}

/* Each works until its own total is `total`, so what a turn takes too long is taken off the next one. */
__attribute__((noinline)) void two_thirds(double total)
{
	static double used;
	double start = cpu_seconds();

	used += work_until(start + total - used) - start;
}

__attribute__((noinline)) void one_third(double total)
{
	static double used;
	double start = cpu_seconds();

	used += work_until(start + total - used) - start;
}

int main(int argc, char **argv)
{
	double turns = (argc > 1 ? atof(argv[1]) : 1) / 0.03;

	for (int turn = 1; turn <= turns; turn++) {
		two_thirds(0.02 * turn);
		one_third(0.01 * turn);
	}
	return 0;
}
