import type { Random } from '../../src/analysis/random.ts';

/** No mutation makes an input larger than this. */
const LARGEST = 256 * 1024;

/** Pieces that mean something to a reader, or to whoever shows what it has read. */
const TOKENS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '../../etc/passwd',
  '/dev/zero',
  '\x1b]0;title\x07\x1b[2J',
  '\u202e',
  '<script>alert(1)</script>',
  '"><svg onload=alert(1)>',
  '=HYPERLINK("http://x")',
  '%n%s%99999999s',
  '$(id)`id`',
  '{',
  '}',
  '[[[[[[[[',
  '"',
  '\\',
  '\\x',
  '\\xZZ',
  ',',
  ';',
  '#',
  '\n',
  '\r\n',
  '\0',
  '\xff\xfe',
  '\xed\xa0\x80',
  '\xf0\x9f\x98\x80',
  'null',
  'true',
  '{"__proto__":{"polluted":1}}',
  '-',
  'NaN',
  'Infinity',
  '1e999',
  '',
].map((token) => Buffer.from(token, 'latin1'));

/** Numbers at the edges of what they are kept in. */
const EDGES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

type Mutation = (random: Random, bytes: Buffer, other: Buffer) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  // A bit.
  (random, bytes) => changed(bytes, random.integer(bytes.length), (byte) => byte ^ (1 << random.integer(8))),
  // A byte.
  (random, bytes) => changed(bytes, random.integer(bytes.length), () => random.integer(256)),
  // A range goes.
  (random, bytes) => {
    const [from, to] = range(random, bytes);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  // A range comes twice, or many times.
  (random, bytes) => {
    const [from, to] = range(random, bytes);
    const times = random.integer(4) === 0 ? random.integer(50) : 1;
    return Buffer.concat([bytes.subarray(0, to), ...Array(times).fill(bytes.subarray(from, to)), bytes.subarray(to)]);
  },
  // A token, in between or in place of a range.
  (random, bytes) => {
    const [from, to] = range(random, bytes);
    return Buffer.concat([
      bytes.subarray(0, from),
      pick(random, TOKENS),
      bytes.subarray(random.integer(2) ? from : to),
    ]);
  },
  // The end goes.
  (random, bytes) => bytes.subarray(0, random.integer(bytes.length + 1)),
  // The beginning of one and the end of another.
  (random, bytes, other) =>
    Buffer.concat([bytes.subarray(0, random.integer(bytes.length + 1)), other.subarray(random.integer(other.length))]),
  // A number in the text.
  (random, bytes) => {
    const numbers = [...bytes.toString('latin1').matchAll(/-?\d+(?:\.\d+)?/g)];
    if (numbers.length === 0) return bytes;
    const { index, 0: text } = pick(random, numbers);
    const sign = random.integer(4) === 0 ? '-' : '';
    const number = random.integer(3) === 0 ? '9'.repeat(random.integer(400)) : `${pick(random, EDGES)}`;
    return Buffer.concat([bytes.subarray(0, index), Buffer.from(sign + number), bytes.subarray(index + text.length)]);
  },
  // A number in binary.
  (random, bytes) => {
    const size = pick(random, [1, 2, 4, 8] as const);
    if (bytes.length < size) return bytes;
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(pick(random, EDGES));
    const placed = random.integer(2) ? number.subarray(0, size) : number.subarray(0, size).reverse();
    const at = random.integer(bytes.length - size + 1);
    return Buffer.concat([bytes.subarray(0, at), placed, bytes.subarray(at + size)]);
  },
  // Two lines change places.
  (random, bytes) => {
    const lines = bytes.toString('latin1').split('\n');
    const [a, b] = [random.integer(lines.length), random.integer(lines.length)];
    [lines[a], lines[b]] = [lines[b] as string, lines[a] as string];
    return Buffer.from(lines.join('\n'), 'latin1');
  },
];

/** Another input that is like `bytes`; pieces of it may be of `other`. */
export function mutate(random: Random, bytes: Buffer, other: Buffer): Buffer {
  let mutated = bytes;
  for (let left = 1 + random.integer(4); left > 0; left--) {
    if (mutated.length === 0) mutated = other;
    mutated = pick(random, MUTATIONS)(random, mutated, other).subarray(0, LARGEST);
  }
  return mutated;
}

export function pick<T>(random: Random, all: readonly T[]): T {
  return all[random.integer(all.length)] as T;
}

function changed(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = change(copy[at]!);
  return copy;
}

/** Mostly short. */
function range(random: Random, bytes: Buffer): [number, number] {
  const from = random.integer(bytes.length);
  const longest = random.integer(3) === 0 ? bytes.length - from : Math.min(16, bytes.length - from);
  return [from, from + 1 + random.integer(longest)];
}
