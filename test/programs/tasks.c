/*
 * Uses CPU time in tasks of all kinds: two threads and a child process with odd names, and with a first argument a
 * program that the child of a child becomes (by fork, fork and exec), with the arguments that follow.
 *
 *     tasks SECONDS [PROGRAM ARG...]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;
static double seconds;

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

__attribute__((noinline)) void use_cpu(void)
{
	double end = cpu_seconds() + seconds;

	while (cpu_seconds() < end)
		for (int i = 0; i < 10000; i++)
			sink += i;
}

static void *named_thread(void *name)
{
	prctl(PR_SET_NAME, name);
	use_cpu();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t first, second;

	seconds = argc > 1 ? atof(argv[1]) : 0.1;
	pthread_create(&first, NULL, named_thread, "a b [x]/y-1");
	pthread_create(&second, NULL, named_thread, "(sd 12 3)");
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	if (fork() == 0) {
		prctl(PR_SET_NAME, "kid: 1.5 2:");
		use_cpu();
		if (argc > 2 && fork() == 0) {
			execvp(argv[2], argv + 2);
			perror(argv[2]);
			_exit(127);
		}
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	wait(NULL);
	return 0;
}
