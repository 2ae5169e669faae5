import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../src/analysis/random.ts';

/*
 * Inputs of 200 MB, made when they are needed, of which no two parts are alike. Names, stacks and processes are as many as in
 * a recording of a busy machine.
 */

export const LARGE = 200e6;

/** `start`, then pieces, until there are so many bytes. */
export function* largeText(start: string, piece: (i: number) => string, size = LARGE): Generator<Buffer> {
  let written = 0;
  let i = 0;
  for (let text = start; written < size; text = '') {
    while (text.length < 1 << 20) text += piece(i++);
    written += text.length;
    yield Buffer.from(text);
  }
}

const seconds = (i: number): string => (i / 1000).toFixed(6);
const FRAMES = Array.from(
  { length: 20_000 },
  (_, i) =>
    `\t${(0x7f2d3a000000 + 64 * i).toString(16).padStart(16)} work::of<${i % 300}>::part_${i}+0x${(i % 64).toString(16)} (/usr/lib/libwork.so)`,
);

/** A walk through a call tree of functions: the next stack leaves some of the callers of the one before. */
function* stacks(functions: number, random: Random): Generator<readonly number[], never> {
  const stack: number[] = [];
  for (;;) {
    stack.length = Math.min(stack.length, Math.max(2, stack.length - random.integer(8)));
    while (stack.length < 4 || (stack.length < 40 && random.uniform() < 0.8)) stack.push(random.integer(functions));
    yield stack;
  }
}

/** Stacks of which 20,000 are different: few recordings have more. */
function* samples(functions: number, random: Random): Generator<readonly number[], never> {
  const walk = stacks(functions, random);
  const all = Array.from({ length: 20_000 }, () => [...walk.next().value]);
  for (;;) yield all[random.integer(all.length)]!;
}

function perfScript(): Generator<Buffer> {
  const walk = samples(FRAMES.length, new Random(1));
  return largeText('# comment\n', (i) => {
    const frames = walk
      .next()
      .value!.map((number) => FRAMES[number])
      .reverse();
    return `work ${i % 50}/${i % 90} [00${i % 4}] ${seconds(i)}: ${1 + (i % 9)} cycles: \n${frames.join('\n')}\n\n`;
  });
}

function folded(): Generator<Buffer> {
  const walk = stacks(3000, new Random(2));
  return largeText(
    '',
    (i) =>
      `work;${walk
        .next()
        .value!.map((number) => `function_${number}`)
        .join(';')} ${1 + (i % 9)}\n`,
  );
}

const IOSNOOP = 'STARTs          ENDs            COMM         PID    TYPE DEV      BLOCK        BYTES     LATms\n';
const PYTHON = '{"start time": "", "end time": "", "interface": "cpusched", "datatype": "event", "data options": {}}\n';

/** An event log with a string for each event. */
function* cpel(): Generator<Buffer> {
  const events = Math.floor(LARGE / 44);
  const words = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
    return bytes;
  };
  const table = Buffer.from('FileStrtab'.padEnd(64, '\0'));
  const names = Buffer.from('FileStrtab\0%s\0switch\0fio(10)\0cpu 1\0\0');
  const at = (name: string): number => names.indexOf(name);
  yield words(0x0100_0004, 1_772_357_400);
  yield Buffer.concat([words(1, names.length + 24 * events), names]);
  yield* blocks(events, 24, (i, bytes, place) => bytes.write(`state=${i}`.padEnd(23, 'x'), place));
  yield Buffer.concat([words(3, 68 + 12), table, words(1, 1, at('switch'), at('%s'))]);
  yield Buffer.concat([words(4, 68 + 16), table, words(2, 0, at('fio(10)'), 1, at('cpu 1'))]);
  yield Buffer.concat([words(5, 72 + 20 * events), table, words(events, 1e9)]);
  yield* blocks(events, 20, (i, bytes, place) => {
    bytes.writeUInt32BE(1000 * (i % 4_000_000), place + 4);
    bytes.writeUInt32BE(Math.floor(i / 4_000_000), place);
    bytes.writeUInt32BE(i % 2, place + 8);
    bytes.writeUInt32BE(1, place + 12);
    bytes.writeUInt32BE(names.length + 24 * i, place + 16);
  });
}

/** Entries of one size, in blocks of so many. */
const BLOCK = 2000;

function* blocks(
  count: number,
  size: number,
  fill: (i: number, bytes: Buffer, place: number) => void,
): Generator<Buffer> {
  for (let from = 0; from < count; from += BLOCK) {
    const bytes = Buffer.alloc(size * Math.min(BLOCK, count - from));
    for (let i = 0; size * i < bytes.length; i++) fill(from + i, bytes, size * i);
    yield bytes;
  }
}

const CONTEXT_KERNEL = -128n;
const CONTEXT_USER = -512n;
const KERNEL_TEXT = -0x7f00_0000n;
/** What came before the last one can be put in order now: PERF_RECORD_FINISHED_ROUND. */
const ROUND = Buffer.from([68, 0, 0, 0, 0, 0, 8, 0]);

/**
 * A perf.data of this machine: samples of one event with call chains in the kernel and in memory that belongs to no file
 * (struct perf_file_header; PERF_SAMPLE_IP, TID, TIME, CALLCHAIN, CPU and PERIOD).
 */
export function* perfData(count: number): Generator<Buffer> {
  const depth = 30;
  const sampleBytes = 8 + 48 + 8 * depth;
  const attribute = Buffer.alloc(128 + 16);
  attribute.writeUInt32LE(1, 0);
  attribute.writeUInt32LE(128, 4);
  attribute.writeBigUInt64LE(4000n, 16);
  attribute.writeUInt32LE(1 | 2 | 4 | 32 | 128 | 256, 24);
  attribute.writeUInt32LE(1 << 10, 40);
  const data = 104 + attribute.length;
  const dataBytes = count * sampleBytes + ROUND.length * Math.ceil(count / BLOCK);
  const features = data + dataBytes;
  const texts = [hostname(), release()].map((text) => {
    const bytes = Buffer.alloc(4 + 128);
    bytes.writeUInt32LE(128, 0);
    bytes.write(text, 4);
    return bytes;
  });
  const sections = Buffer.alloc(16 * texts.length);
  for (const [i, { length }] of texts.entries()) {
    sections.writeBigUInt64LE(BigInt(features + sections.length + i * length), 16 * i);
    sections.writeBigUInt64LE(BigInt(length), 16 * i + 8);
  }
  const header = Buffer.alloc(104);
  header.write('PERFILE2');
  for (const [i, value] of [104, attribute.length, 104, attribute.length, data, dataBytes].entries()) {
    header.writeBigUInt64LE(BigInt(value), 8 + 8 * i);
  }
  // Hostname and release of the kernel.
  header[72] = (1 << 3) | (1 << 4);
  yield Buffer.concat([header, attribute]);
  const walk = samples(20_000, new Random(3));
  const records = blocks(count, sampleBytes, (i, bytes, place) => {
    const functions = walk.next().value;
    bytes.writeUInt32LE(9, place);
    bytes.writeUInt16LE(1, place + 4);
    bytes.writeUInt16LE(sampleBytes, place + 6);
    bytes.writeUInt32LE(100 + (i % 2), place + 16);
    bytes.writeUInt32LE(100 + (i % 4), place + 20);
    bytes.writeBigUInt64LE(BigInt(1_000_000_000 + 1000 * i), place + 24);
    bytes.writeUInt32LE(i % 4, place + 32);
    bytes.writeBigUInt64LE(BigInt(1 + (i % 9)), place + 40);
    bytes.writeBigUInt64LE(BigInt(depth), place + 48);
    // Innermost first: functions of the kernel, then those of the program; and as a context at the end, nothing more.
    bytes.writeBigInt64LE(CONTEXT_KERNEL, place + 56);
    for (let frame = 1; frame < depth; frame++) {
      const called = functions.at(-frame);
      const at = place + 56 + 8 * frame;
      if (called === undefined) bytes.writeBigInt64LE(CONTEXT_USER, at);
      else bytes.writeBigInt64LE((called < 10_000 ? KERNEL_TEXT : 0x40_0000n) + BigInt(16 * called), at);
    }
  });
  for (const block of records) {
    yield block;
    yield ROUND;
  }
  yield Buffer.concat([sections, ...texts]);
}

/** By format of import. */
export const LARGE_INPUTS: Readonly<Record<string, () => Generator<Buffer>>> = {
  'perf-script': perfScript,
  'perf-data': () => perfData(700_000),
  folded,
  cpel,
  iosnoop: () =>
    largeText(
      IOSNOOP,
      (i) =>
        `${seconds(i)}        ${seconds(i + 3)}        fio ${i % 7}        1966   RS   254,0    ${i}     4096       3.00\n`,
    ),
  biosnoop: () =>
    largeText(
      'TIME(s)     COMM           PID    DISK    T SECTOR     BYTES   LAT(ms)\n',
      (i) => `${seconds(i)}    fio            ${i % 99}   vda     R ${i}   4096      0.03\n`,
    ),
  'marple-py': () =>
    largeText(
      PYTHON,
      (i) => `${i}$$$sched:sched_switch$$$${"{'pid': '"}${i % 999}', 'comm': 'a b', 'cpu': '001'}$$$None\n`,
    ),
};

export function writeLarge(path: string, pieces: Iterable<Buffer>): void {
  const file = openSync(path, 'w');
  try {
    for (const piece of pieces) writeSync(file, piece);
  } finally {
    closeSync(file);
  }
}

const header = (more: Readonly<Record<string, unknown>>): string =>
  `${JSON.stringify({ marple: 1, start: '2026-03-01T09:30:00.000Z', end: '2026-03-01T09:31:00.000Z', ...more })}\n`;

/** A section of stacks, as many different ones as there are. */
export function stackSection(): Generator<Buffer> {
  const walk = stacks(3000, new Random(4));
  return largeText(
    header({ interface: 'callstack', datatype: 'stack', weight: { label: 'samples', unit: 'samples' } }),
    (i) =>
      `${1 + (i % 9)}#work;${walk
        .next()
        .value!.map((number) => `function_${number}`)
        .join(';')}\n`,
  );
}

/** A section of the switches of 1000 tasks on 4 CPUs. */
export function eventSection(): Generator<Buffer> {
  const fields = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
  const random = new Random(5);
  const running = [1, 2, 3, 4];
  return largeText(header({ interface: 'cpusched', datatype: 'event', fields }), (i) => {
    const [cpu, next] = [random.integer(4), 1 + random.integer(1000)];
    const before = running[cpu]!;
    running[cpu] = next;
    return `${1000 * i + random.integer(1000)},switch,${cpu},${before},task ${before},${next},task ${next},${'SRD'[i % 3]}\n`;
  });
}

/** A folder of a run that was cut off, with a section that large. */
export function writeLargePartial(path: string): void {
  mkdirSync(path);
  const start = header({ interface: 'memtime', datatype: 'datapoint', end: null, fields: ['comm', 'pid'] });
  writeLarge(
    join(path, '00-memtime-datapoint.section'),
    largeText(start, (i) => `${i / 1000},${(i % 1000) / 8},task ${i % 500},${i % 500}\n`),
  );
}
