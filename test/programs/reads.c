/*
 * Reads a file past the page cache, from its beginning on: so many times 4 KiB in small_reads(), and then so many times
 * 512 KiB in large_reads(). At last it reads its first 4 KiB so many times in even() and in odd(), in turns. What they
 * call has a frame of its own, which libc's pread() hides, so each of them is seen in its stacks.
 *
 *     reads FILE SMALL_COUNT LARGE_COUNT [TURNS]
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL 4096
#define LARGE (512 * 1024)

static void *buffer;

__attribute__((noinline)) long read_at(int file, size_t size, long number)
{
	ssize_t got = pread(file, buffer, size, number * size);

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

__attribute__((noinline)) long even(int file)
{
	return 2 * read_at(file, SMALL, 0);
}

__attribute__((noinline)) long odd(int file)
{
	return 3 * read_at(file, SMALL, 0);
}

int main(int argc, char **argv)
{
	long sum;
	int file;

	if (argc < 4)
		errx(2, "usage: reads FILE SMALL_COUNT LARGE_COUNT [TURNS]");
	file = open(argv[1], O_RDONLY | O_DIRECT);
	if (file < 0 || posix_memalign(&buffer, LARGE, LARGE) != 0)
		err(1, "%s", argv[1]);
	sum = small_reads(file, atol(argv[2])) + large_reads(file, atol(argv[3]));
	for (long turn = argc > 4 ? atol(argv[4]) : 0; turn > 0; turn--)
		sum += even(file) + odd(file);
	return sum == 0;
}
