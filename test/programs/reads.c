/*
 * Reads a file past the page cache: COUNT times 4 KiB in small_reads() and COUNT times 128 KiB in large_reads(), each from
 * its own places. What they call has a frame of its own, which libc's pread() hides, so each of them is seen in its stacks.
 *
 *     reads FILE SMALL_COUNT LARGE_COUNT
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL 4096
#define LARGE (128 * 1024)

static void *buffer;

__attribute__((noinline)) long read_at(int file, size_t size, long number)
{
	ssize_t got = pread(file, buffer, size, number * LARGE);

	if (got != (ssize_t)size)
		err(1, "pread");
	return got;
}

__attribute__((noinline)) long small_reads(int file, long count)
{
	long sum = 0;

	for (long i = 0; i < count; i++)
		sum += read_at(file, SMALL, i);
	return sum;
}

__attribute__((noinline)) long large_reads(int file, long count)
{
	long sum = 0;

	for (long i = 0; i < count; i++)
		sum += read_at(file, LARGE, i);
	return sum;
}

int main(int argc, char **argv)
{
	int file;

	if (argc != 4)
		errx(2, "usage: reads FILE SMALL_COUNT LARGE_COUNT");
	file = open(argv[1], O_RDONLY | O_DIRECT);
	if (file < 0 || posix_memalign(&buffer, LARGE, LARGE) != 0)
		err(1, "%s", argv[1]);
	return small_reads(file, atol(argv[2])) + large_reads(file, atol(argv[3])) == 0;
}
