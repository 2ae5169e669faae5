import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileRecord, type FileSample, PerfFile } from '../../src/formats/perf-file.ts';
import { testFolder } from '../support/folder.ts';
import { heldBytes } from '../support/held-bytes.ts';
import {
  numbers,
  pair,
  perfFileOf,
  ROUND,
  record,
  sample,
  tracepointFileOf,
  tracepointSample,
  trailer,
} from '../support/perf-file.ts';

/*
 * Files made by the format's description, for what a recording does not show on demand: rounds out of order, cut and
 * damaged records. That real files are read as perf reads them is in test/real/perf-file.test.ts.
 */

function fileOf(...records: readonly Buffer[]): string {
  const path = join(testFolder(), 'perf.data');
  writeFileSync(path, perfFileOf(...records));
  return path;
}

function read(path: string, origin = 0n): { records: FileRecord[]; damaged: number } {
  const file = new PerfFile(path, origin);
  const records = [...file.records()];
  const { damaged } = file;
  file.close();
  return { records, damaged };
}

const times = (records: readonly FileRecord[]): (number | undefined)[] =>
  records.map((found) => (found.kind === 'sample' ? found.time : undefined));

describe('samples', () => {
  test('with their task, CPU, time since the origin and call chain in its two parts', () => {
    const chain = [-128n, 0xffffffff81000130n, -512n, 0x55n, 0x66n];
    const { records } = read(fileOf(sample(5_000_000_123, chain)), 5_000_000_000n);
    expect(records).toEqual([expect.objectContaining({ kind: 'sample', time: 123, pid: 7, tid: 8, cpu: 3 })]);
    const { chain: found, event } = records[0] as FileSample;
    expect(found).toMatchObject({ kernel: [-0x7effffff + 0x12f], user: [0x55, 0x66], isCut: false });
    expect(event.name).toBe('cpu-clock');
  });

  test('what is no address and no known mark cuts the chain', () => {
    const [found] = read(fileOf(sample(1, [-512n, 0x55n, -1n, 0x66n]))).records;
    expect((found as FileSample).chain).toMatchObject({ user: [0x55], isCut: true });
  });

  test('in the order of time across the rounds in which buffers were written', () => {
    const { records } = read(fileOf(sample(30), sample(10), ROUND, sample(40), sample(20), ROUND, sample(35), ROUND));
    expect(times(records)).toEqual([10, 20, 30, 35, 40]);
  });

  test('in the order of time however many runs there are, those of the same time as they stand', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 60 }), (all) => {
        const { records } = read(fileOf(...all.map((time, i) => sample(time, [-512n, BigInt(i + 1)]))));
        const expected = [...all.entries()].sort(([, a], [, b]) => a - b).map(([i, time]) => [time, i + 1]);
        expect(records.map((found) => found.kind === 'sample' && [found.time, found.chain.user[0]])).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  test('as they were written, from more blocks than are held at once, with rounds across them', () => {
    const template = sample(0, [-512n, ...Array.from({ length: 200 }, () => 0x55n), 0n]);
    const parts: Buffer[] = [];
    for (let start = 0; start < 6000; start += 1000) {
      // Two CPUs whose samples come one behind the other, the first of them up to where the next round begins.
      for (const [first, last] of [
        [start, start + 1000],
        [start + 1, start + 801],
      ] as const) {
        for (let time = first; time < last; time += 2) {
          const bytes = Buffer.from(template);
          bytes.writeUInt32LE(time, 24);
          bytes.writeUInt32LE(time, bytes.length - 8);
          parts.push(bytes);
        }
      }
      parts.push(ROUND);
    }
    const file = new PerfFile(fileOf(...parts), 0n);
    const found: (number | undefined)[] = [];
    for (const record of file.records()) {
      if (record.kind !== 'sample') continue;
      expect(record.chain.user.at(-1)).toBe(record.time);
      found.push(record.time);
    }
    file.close();
    expect(found).toHaveLength(5400);
    expect(found).toEqual(found.toSorted((a, b) => a! - b!));
  });

  test('of tracepoints hold no more of the file than a few rounds of it', () => {
    const raw = new Uint8Array(4000);
    const round = Buffer.concat([...Array.from({ length: 250 }, (_, i) => tracepointSample(i, [], raw)), ROUND]);
    const path = join(testFolder(), 'perf.data');
    writeFileSync(path, tracepointFileOf(1, ...Array.from({ length: 64 }, () => round)));
    const file = new PerfFile(path, 0n);
    const before = heldBytes();
    let [samples, most] = [0, 0];
    for (const { kind } of file.records()) {
      expect(kind).toBe('sample');
      if (++samples % 1000 === 0) most = Math.max(most, heldBytes() - before);
    }
    file.close();
    expect(samples).toBe(64 * 250);
    expect(most).toBeLessThan(0.2 * statSync(path).size);
  });

  test('are counted, with the first and the last of them, without being put in order', () => {
    const file = new PerfFile(fileOf(sample(30), sample(10), ROUND, sample(40), sample(20)), 0n);
    expect(file.overview()).toEqual({ samples: 4, times: { first: 10, last: 40 }, kernel: [] });
    file.close();
  });
});

describe('other records', () => {
  test('forks, names, mappings and losses, in time', () => {
    const name = record(
      3,
      Buffer.concat([
        pair(7, 8),
        Buffer.from('a b\xff\0\0\0\0\0'.padEnd(8, '\0'), 'latin1').subarray(0, 8),
        trailer(20),
      ]),
      1 << 13,
    );
    const fork = record(7, Buffer.concat([pair(9, 7), pair(9, 8), numbers(0), trailer(10)]));
    const lost = record(2, Buffer.concat([numbers(1, 42), trailer(30)]));
    const mapping = record(
      1,
      Buffer.concat([pair(7, 7), numbers(0x4000, 0x1000, 0x200), Buffer.from('/bin/true\0\0\0\0\0\0\0'), trailer(5)]),
    );
    const { records, damaged } = read(fileOf(lost, name, fork, mapping));
    expect(damaged).toBe(0);
    expect(records).toEqual([
      { kind: 'mapping', pid: 7, start: 0x4000, length: 0x1000, offset: 0x200, path: '/bin/true', inode: 0 },
      { kind: 'fork', pid: 9, tid: 9, parentPid: 7, parentTid: 8 },
      { kind: 'name', pid: 7, tid: 8, comm: 'a b\udcff', isExec: true, time: 20 },
      { kind: 'lost', count: 42, time: 30, cpu: 0 },
    ]);
  });

  test('tasks that come to a CPU, leave it and end', () => {
    const out = 1 << 13;
    const preempted = out | (1 << 14);
    const records = [
      record(14, trailer(10), out),
      record(15, Buffer.concat([pair(9, 9), trailer(20)]), preempted),
      record(15, Buffer.concat([pair(0, 0), trailer(30)]), 0),
      record(4, Buffer.concat([pair(7, 1), pair(8, 1), numbers(0), trailer(40)])),
      record(14, Buffer.alloc(0), out),
    ];
    const { records: found, damaged } = read(fileOf(...records), 5n);
    const of = { kind: 'switch', pid: 7, tid: 8, cpu: 0 };
    expect(found).toEqual([
      { ...of, time: 5, isOut: true, isPreempted: false },
      { ...of, time: 15, isOut: true, isPreempted: true },
      { ...of, time: 25, isOut: false, isPreempted: false },
      { kind: 'exit', pid: 7, tid: 8 },
    ]);
    expect(damaged).toBe(1);
  });

  test('kinds that nobody knows are passed over', () => {
    expect(read(fileOf(record(4242, numbers(1, 2, 3)), record(63, trailer(1)), sample(1))).records).toHaveLength(1);
  });
});

describe('damage', () => {
  test('a file that is none', () => {
    const path = join(testFolder(), 'x');
    writeFileSync(path, 'PERFILE1'.padEnd(300));
    expect(() => new PerfFile(path, 0n)).toThrow(/no perf\.data/);
  });

  test('a record that is cut off, a size of 0, a chain that is longer than its record', () => {
    const cut = sample(2, [1, 2, 3]);
    expect(read(fileOf(sample(1), cut.subarray(0, cut.length - 8)))).toMatchObject({ damaged: 1, records: [{}] });
    expect(read(fileOf(sample(1), Buffer.alloc(64)))).toMatchObject({ damaged: 1, records: [{}] });
    const long = sample(2, [1]);
    long.writeUInt32LE(1 << 30, 8 + 8 + 8 + 8 + 8);
    expect(read(fileOf(sample(1), long)).damaged).toBe(1);
  });

  test('any bytes never throw anything but a damaged file, and never hang', () => {
    const whole = Buffer.concat([
      sample(1, [1, 2]),
      ROUND,
      sample(2),
      record(2, Buffer.concat([numbers(1, 2), trailer(3)])),
    ]);
    const change = fc.record({ at: fc.nat(whole.length + 231), value: fc.nat(255) });
    const path = fileOf(whole);
    const original = readFileSync(path);
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 10 }), (changes) => {
        const bytes = Buffer.from(original);
        for (const { at, value } of changes) bytes[at % bytes.length] = value;
        writeFileSync(path, bytes);
        try {
          read(path);
        } catch (error) {
          expect((error as Error).name).toBe('DamagedFileError');
        }
      }),
      { numRuns: 500 },
    );
  });
});
