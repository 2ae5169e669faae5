/* Counts the words of a file: reads it past the page cache, splits it, counts in a hash table. See ../benchmarks.md. */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096
#define BUCKETS 1024

struct word {
  struct word *next;
  long count;
  char text[32];
};
static struct word *table[BUCKETS];

__attribute__((noinline)) static unsigned hash(const char *text) {
  return (unsigned char)text[0];
}

__attribute__((noinline)) static void count_word(const char *text) {
  struct word **place = &table[hash(text) % BUCKETS];
  for (struct word *word = *place; word; word = word->next) {
    if (strcmp(word->text, text) == 0) {
      word->count++;
      return;
    }
  }
  struct word *word = calloc(1, sizeof *word);
  strncpy(word->text, text, sizeof word->text - 1);
  word->count = 1;
  word->next = *place;
  *place = word;
}

__attribute__((noinline)) static void split(const char *bytes, ssize_t length) {
  static char word[32];
  static unsigned used;
  for (ssize_t i = 0; i < length; i++) {
    if (isalnum((unsigned char)bytes[i]) && used < sizeof word - 1) {
      word[used++] = bytes[i];
    } else if (used > 0) {
      word[used] = 0;
      count_word(word);
      used = 0;
    }
  }
}

int main(int argc, char **argv) {
  int fd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECT) : -1;
  char *buffer = aligned_alloc(4096, BLOCK);
  if (fd < 0 || !buffer) {
    fprintf(stderr, "usage: words FILE\n");
    return 1;
  }
  ssize_t length;
  while ((length = read(fd, buffer, BLOCK)) > 0) split(buffer, length);
  long words = 0;
  for (int i = 0; i < BUCKETS; i++)
    for (struct word *word = table[i]; word; word = word->next) words += word->count;
  printf("%ld words\n", words);
  return 0;
}
