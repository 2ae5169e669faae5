/*
 * Stands in for a service of any name: names itself NAME, answers some forty requests a second, each with a little work,
 * and keeps 64 KiB of each for 4 s. Usage: service NAME. It runs until it is killed, or its parent ends.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KEPT 160
#define BYTES (64 * 1024)

__attribute__((noinline)) static unsigned handle_request(char *room)
{
	unsigned sum = 0;

	for (int i = 0; i < BYTES; i++) {
		room[i] = (char)i;
		sum = sum * 31 + (unsigned)room[i];
	}
	return sum;
}

int main(int argc, char **argv)
{
	char *kept[KEPT] = {0};
	volatile unsigned sum = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc > 1) prctl(PR_SET_NAME, argv[1]);
	for (unsigned i = 0;; i = (i + 1) % KEPT) {
		free(kept[i]);
		kept[i] = malloc(BYTES);
		if (kept[i] == NULL) return 1;
		sum += handle_request(kept[i]);
		usleep(25000);
	}
}
