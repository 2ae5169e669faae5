import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** Types of the entries of the vector that the kernel gives every program (getauxval(3)). */
const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

let vector: Buffer | undefined;

function own(): Buffer {
  vector ??= readFileSync('/proc/self/auxv');
  return vector;
}

/** Bytes of a page of memory. */
export function pageSize(): number {
  return findEntry(own(), AT_PAGESZ) ?? 4096;
}

/** Ticks a second of the clock in which /proc gives CPU times (USER_HZ). */
export function ticksPerSecond(): number {
  return findEntry(own(), AT_CLKTCK) ?? 100;
}

/** A value of an auxiliary vector of 64-bit pairs (type, value); undefined where it has none of the type. */
export function findEntry(auxv: Buffer, type: number): number | undefined {
  const read = (offset: number): bigint =>
    endianness() === 'LE' ? auxv.readBigUInt64LE(offset) : auxv.readBigUInt64BE(offset);
  for (let offset = 0; offset + 16 <= auxv.length; offset += 16) {
    if (Number(read(offset)) === type) return Number(read(offset + 8));
  }
  return undefined;
}
