import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** The type of the entry that holds the page size, in the vector that the kernel gives every program (getauxval(3)). */
const AT_PAGESZ = 6;

let known: number | undefined;

/** Bytes of a page of memory. */
export function pageSize(): number {
  known ??= findPageSize(readFileSync('/proc/self/auxv'));
  return known;
}

/** The page size in an auxiliary vector of 64-bit pairs (type, value); the usual 4096 where it has none. */
export function findPageSize(auxv: Buffer): number {
  const read = (offset: number): bigint =>
    endianness() === 'LE' ? auxv.readBigUInt64LE(offset) : auxv.readBigUInt64BE(offset);
  for (let offset = 0; offset + 16 <= auxv.length; offset += 16) {
    if (Number(read(offset)) === AT_PAGESZ) return Number(read(offset + 8));
  }
  return 4096;
}
