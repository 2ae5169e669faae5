/**
 * 12 hexadecimal digits for the name of a file beside others, as good as never given twice. Whoever makes such a file opens it so that
 * it must be new (O_EXCL): nobody gains from guessing the name, and node:crypto takes longer to load than most files take to write.
 */
export function randomName(): string {
  return Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0');
}
