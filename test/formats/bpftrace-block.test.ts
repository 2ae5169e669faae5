import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope } from '../../src/common/scope.ts';
import { parseLine } from '../../src/formats/bpftrace-block.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { tempFolder } from '../support/data-files.ts';

const LINES = readFileSync(join(import.meta.dirname, '../fixtures/bpftrace/block.txt'), 'utf8').split('\n');

interface Decoded {
  readonly points: Datapoint[];
  readonly report: HeaderReport;
}

async function decode(
  lines: readonly string[],
  files: Readonly<Record<string, string>> = {},
  scope: Partial<Scope> = {},
): Promise<Decoded> {
  const dir = tempFolder();
  const details = {
    tool: { name: 'bpftrace', version: '0.17.0', command: ['bpftrace'] },
    devices: { '254:0': 'vda' },
    requestBased: [],
    diskstats: '',
  };
  const recording = { format: 'bpftrace-disklat', interface: 'disklat', details };
  writeFileSync(join(dir, 'recording.json'), JSON.stringify(recording));
  writeFileSync(join(dir, 'bpftrace.txt'), lines.join('\n'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const report = new HeaderReport();
  const points: Datapoint[] = [];
  const run = { origin: '0', scope: { own: 0, ...scope }, tasks: [], bootId: '' };
  for await (const { section, records } of decodeRecording(dir, run, report)) {
    expect(section).toBe(0);
    points.push(...(records as Datapoint[]));
  }
  return { points, report };
}

/** Direct reads, joined in the plainest way: `issue,completion,tid,sector,bytes`. */
function plainReads(): string[] {
  const reads: string[] = [];
  const waiting = new Map<string, string>();
  const events = LINES.filter((line) => /^[IC] /u.test(line)).map((line) => line.split(' '));
  for (const event of events.sort((a, b) => Number(a[1]) - Number(b[1]))) {
    if (event[0] === 'I' && event[8] === 'RS') {
      waiting.set(event[5]!, [event[1], event[3], event[5], event[7]].join());
    } else if (event[0] === 'C' && event[7] === 'RS' && waiting.has(event[4]!)) {
      const [issue, ...rest] = waiting.get(event[4]!)!.split(',');
      reads.push([issue, event[1], ...rest].join());
    }
  }
  return reads.sort((a, b) => Number(a.split(',')[0]) - Number(b.split(',')[0]));
}

const isRead = ({ info }: Datapoint): boolean => info[3] === 'RS';
const wordsOf = ({ x, y, info }: Datapoint): string =>
  [Math.round(x * 1e9), Math.round(x * 1e9 + y * 1e6), info[2], info[5], info[6]].join();

describe('what bpftrace printed of known reads', () => {
  test('is joined as it stands there', async () => {
    const { points, report } = await decode(LINES);
    const reads = points.filter(isRead);
    expect(reads).toHaveLength(30);
    expect(reads.map(wordsOf)).toEqual(plainReads());
    const names = reads.map(({ info }) => info[0]);
    expect(names).toEqual([...Array<string>(20).fill('reads'), ...Array<string>(10).fill('r é s')]);
    expect(reads.map(({ info }) => info[6]).filter((bytes) => bytes === '524288')).toHaveLength(10);
    expect(new Set(reads.map(({ info }) => info[4]))).toEqual(new Set(['vda']));
    expect(report.warnings).toEqual([]);
    expect(report).toMatchObject({ lostCount: 0, skippedCount: 0 });
  });

  test('is put in order where one CPU comes before the other', async () => {
    const whole = await decode(LINES);
    // Lines with an even number first: all are within half a second.
    const shuffled = [...LINES.filter((_, i) => i % 2 === 0), ...LINES.filter((_, i) => i % 2 === 1)];
    expect(await decode(shuffled)).toMatchObject({ points: whole.points });
  });

  test('with lost events: counted, and no I/O that was under way then is joined', async () => {
    const at = LINES.findIndex((line) => /^I .* RS reads/u.test(line));
    const { points, report } = await decode([...LINES.slice(0, at + 1), 'Lost 7 events', ...LINES.slice(at + 1)]);
    expect(report.lostCount).toBe(7);
    expect(report.warnings.join('\n')).toContain('7 events were lost: bpftrace could not print as fast as they came');
    expect(points.filter(isRead).map(wordsOf)).toEqual(plainReads().slice(1));
  });

  test('with what the kernel did not give to it', async () => {
    const { report } = await decode(LINES, { misses: '3\n' });
    expect(report.lostCount).toBe(3);
    expect(report.warnings.join('\n')).toMatch(/^3 events were not seen/u);
  });

  test('lines that are no record are counted and quoted', async () => {
    const { points, report } = await decode([...LINES, 'I 1 2', 'C x', 'stack overflow; $(rm)', '\x1b[31m']);
    expect(points.filter(isRead)).toHaveLength(30);
    expect(report.skippedCount).toBe(4);
    expect(report.warnings.join('\n')).toContain('"I 1 2"');
  });
});

test('an I/O is in scope by who made it, not by who took it out of the queue', async () => {
  const lines = [
    'Q 1000 7 8 266338304 640 8 4096 RS reads\\x00',
    'Q 1500 6 6 266338304 800 8 4096 RS dd\\x00',
    'I 2000 6 6 266338304 640 8 4096 RS dd\\x00',
    'I 2500 7 8 266338304 800 8 4096 RS reads\\x00',
    'C 3000 0 266338304 640 8 0 RS',
    'C 4000 0 266338304 800 8 0 RS',
    // A scheduler there is none: who issues it has made it.
    'I 5000 7 7 266338304 960 8 4096 RS reads\\x00',
    'C 6000 0 266338304 960 8 0 RS',
  ];
  const { points } = await decode(lines, {}, { comm: '^reads$' });
  expect(points).toEqual([
    { x: 2e-6, y: 0.001, info: ['reads', '7', '8', 'RS', 'vda', '640', '4096', ''] },
    { x: 5e-6, y: 0.001, info: ['reads', '7', '7', 'RS', 'vda', '960', '4096', ''] },
  ]);
});

test('names keep their bytes, up to the NUL', () => {
  const name = (escaped: string): unknown => {
    const record = parseLine(`N 5 7 ${escaped}`, 0n);
    return typeof record === 'object' && record.kind === 'rename' ? record.comm : record;
  };
  expect(name('perf\\x00iv\\x00')).toBe('perf');
  expect(name('a b,c;d\\x0aI 5\\x00')).toBe('a b,c;d\nI 5');
  expect(name('\\xc3\\xa9\\xff\\x00')).toBe('é\udcff');
  expect(name('sixteen bytes, x')).toBe('sixteen bytes, x');
  expect(name('a\\z\\x00')).toBe('a\\z');
});

test('threads are told from processes', () => {
  expect(parseLine('F 9 3855 3920 18874368 node\\x00', 4n)).toEqual({
    kind: 'fork',
    time: 5,
    tid: 3920,
    creator: 3855,
    isThread: false,
    comm: 'node',
  });
  expect(parseLine('F 9 3855 3921 4001536 node\\x00', 4n)).toMatchObject({ isThread: true });
});
