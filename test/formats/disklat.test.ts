import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { DamagedFileError } from '../../src/common/errors.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope, Task } from '../../src/common/scope.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { countsBetween } from '../../src/formats/diskstats.ts';
import { readStats } from '../../src/formats/ftrace.ts';
import { tempFolder } from '../support/data-files.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/ftrace');

interface Decoded {
  readonly points: Datapoint[];
  readonly report: HeaderReport;
}

async function decode(dir: string, scope: Partial<Scope> = {}, tasks: readonly Task[] = []): Promise<Decoded> {
  const report = new HeaderReport();
  const points: Datapoint[] = [];
  const run = { origin: '0', scope: { own: 0, ...scope }, tasks, bootId: '' };
  for await (const batch of decodeRecording(dir, run, report)) {
    expect(batch.section).toBe(0);
    points.push(...(batch.records as Datapoint[]));
  }
  return { points, report };
}

/** A copy of a fixture, to be changed. */
function copyOf(name: string): string {
  const dir = join(tempFolder(), 'recording');
  cpSync(join(FIXTURES, name), dir, { recursive: true });
  return dir;
}

interface Details {
  diskstats: string;
  ftrace: { formats: Record<string, string> };
}

function changeDetails(dir: string, change: (details: Details) => void): void {
  const path = join(dir, 'recording.json');
  const recording = JSON.parse(readFileSync(path, 'utf8')) as { details: Details };
  change(recording.details);
  writeFileSync(path, JSON.stringify(recording));
}

/**
 * The I/Os in the kernel's text of the events, joined in the plainest way. Times in microseconds, as the text has them.
 * fio-29194   [000] .....  1114.331849: block_rq_issue: 254,0 RA 4096 () 46804064 + 8 be,0,4 [fio]
 */
function kernelIos(name: string): string[] {
  const EVENT =
    /^ *.*?-(?<tid>\d+) +\[\d+\] \S+ +(?<time>\d+\.\d+): block_rq_(?<what>issue|complete): \S+ (?<op>\S+) (?:(?<bytes>\d+) )?\(\) (?<sector>\d+) \+ (?<sectors>\d+) \S+ \[(?<last>.*)\]$/u;
  const waiting = new Map<string, string[]>();
  const done: { issued: number; text: string }[] = [];
  for (const line of readFileSync(join(FIXTURES, name, 'trace.txt'), 'utf8').split('\n')) {
    const event = EVENT.exec(line)?.groups as Record<string, string> | undefined;
    if (event === undefined) continue;
    const { time, what, op, sector, sectors } = event as Record<'time' | 'what' | 'op' | 'sector' | 'sectors', string>;
    const flush = op === 'FF';
    const key = `${op.replace(/^F(?=[WD])/u, '')[0]} ${flush ? 0 : sector}+${sectors}`;
    if (what === 'issue') {
      waiting.set(key, [time, [event['last'], event['tid'], op, sector, event['bytes']].join()]);
      continue;
    }
    const [issued, text] = waiting.get(key) ?? [];
    if (issued === undefined || text === undefined) continue;
    waiting.delete(key);
    done.push({ issued: Number(issued), text: [issued, time, text].join() });
  }
  return done.sort((a, b) => a.issued - b.issued).map(({ text }) => text);
}

/** A datapoint in the same words. */
function wordsOf({ x, y, info }: Datapoint): string {
  const micros = (seconds: number): string => (Math.floor(Math.round(seconds * 1e9) / 1000 + 0.5) / 1e6).toFixed(6);
  const [comm, , tid, op, , sector, bytes] = info;
  return [micros(x), micros(x + y / 1e3), comm, tid, op, sector, bytes].join();
}

describe('a recording of which nothing was lost', () => {
  test('has every I/O that the kernel printed, with its times, issuer, place and size', async () => {
    const { points } = await decode(join(FIXTURES, 'whole'));
    const expected = kernelIos('whole');
    expect(expected.length).toBeGreaterThan(200);
    expect(points.map(wordsOf)).toEqual(expected);
    for (const { info } of points) expect([info[4], info[7]]).toEqual(['vda', '']);
  });

  test('keeps the nanoseconds and the order of issue', async () => {
    const { points } = await decode(join(FIXTURES, 'whole'));
    const times = points.map(({ x }) => x);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // Microseconds would all end in three zeros.
    expect(points.some(({ x }) => Math.round(x * 1e9) % 1000 !== 0)).toBe(true);
    expect(points.every(({ y }) => y > 0 && Number.isInteger(Number((y * 1e6).toFixed(3))))).toBe(true);
  });

  test('alarms nobody', async () => {
    const { report } = await decode(join(FIXTURES, 'whole'));
    expect(report).toMatchObject({ lostCount: 0, skippedCount: 0, distrusted: undefined });
    expect(report.warnings).toEqual([]);
  });

  test('gives what is in scope alone: a name, a process, a command and what descends from it', async () => {
    const dir = join(FIXTURES, 'whole');
    const all = (await decode(dir)).points;
    const comm = (await decode(dir, { comm: '^fio$' })).points;
    expect(comm).toEqual(all.filter(({ info }) => info[0] === 'fio'));
    expect(comm.length).toBeGreaterThanOrEqual(200);
    const tids = new Set(comm.map(({ info }) => Number(info[2])));
    // The jobs of fio were forked while it was recorded; the fork events tell by whom.
    const forks = readFileSync(join(dir, 'trace.txt'), 'utf8').matchAll(/ fio-(\d+) .*task_newtask: pid=(\d+) /gu);
    const parents = new Map([...forks].map(([, parent, child]) => [Number(child), Number(parent)]));
    const job = [...tids].find(
      (tid) => parents.has(tid) && comm.filter(({ info }) => info[2] === `${tid}`).length === 100,
    );
    const root = parents.get(job as number) as number;
    const own = (await decode(dir, { root })).points;
    expect(own.filter(({ info }) => info[2] === `${job}`)).toHaveLength(100);
    expect(own.length).toBeLessThan(comm.length);
    expect((await decode(dir, { pids: [job as number] })).points).toHaveLength(100);
    expect((await decode(dir, { own: root })).points).toHaveLength(all.length - own.length);
    expect((await decode(dir, { root: 0 })).points).toEqual([]);
  });

  test('a thread has the pid of its process', async () => {
    const dir = join(FIXTURES, 'whole');
    const tid = Number((await decode(dir, { comm: '^fio$' })).points.at(-1)?.info[2]);
    const { points } = await decode(dir, { pids: [4_000_000] }, [{ tid, pid: 4_000_000, parent: 1, comm: 'x' }]);
    // A fork event tells more than the list from the start, where there is one.
    const forked = readFileSync(join(dir, 'trace.txt'), 'utf8').includes(`task_newtask: pid=${tid} `);
    expect(points.every(({ info }) => info[1] === '4000000')).toBe(true);
    expect(points.length > 0).toBe(!forked);
  });
});

describe('a recording of which much was lost', () => {
  test('says how much, and what is there is true', async () => {
    const { points, report } = await decode(join(FIXTURES, 'overrun'));
    const lost = readStats(join(FIXTURES, 'overrun'))?.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
    expect(report.lostCount).toBe(lost);
    expect(report.distrusted).toBeUndefined();
    expect(report.warnings.join('\n')).toMatch(
      new RegExp(
        `^${lost} trace events were lost: the buffers of 16 KiB per CPU \\(buffer_kb\\) were too small$`,
        'mu',
      ),
    );
    expect(report.warnings.join('\n')).toMatch(
      /^I\/Os of which \d+ ends were seen are not in the data because they were under way/mu,
    );
    expect(points.length).toBeGreaterThan(50);
    // Of an I/O whose issue the kernel's text has, it has the same completion.
    const issueOf = (words: string): string => words.replace(/,[^,]*/u, '');
    const known = new Map(kernelIos('overrun').map((words) => [issueOf(words), words]));
    const both = points.map(wordsOf).filter((words) => known.has(issueOf(words)));
    expect(both.length).toBeGreaterThan(20);
    for (const words of both) expect(words).toBe(known.get(issueOf(words)));
    // The load was direct 4 KiB reads, one at a time on either CPU: a pair of two I/Os would be longer by far.
    for (const { y, info } of points) if (info[3] === 'RS') expect(y).toBeLessThan(20);
  });

  test('that was cut off too tells what its pages tell', async () => {
    const dir = copyOf('overrun');
    rmSync(join(dir, 'stats.json'));
    const { report } = await decode(dir);
    const lost = readStats(join(FIXTURES, 'overrun'))?.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
    expect(report.lostCount).toBe(lost);
    expect(report.warnings).toContain(`the recording was cut off: at least ${lost} trace events were lost`);
  });
});

describe('a recording that was cut off', () => {
  test('gives the I/Os of the whole pages', async () => {
    const dir = copyOf('whole');
    rmSync(join(dir, 'stats.json'));
    rmSync(join(dir, 'diskstats'));
    truncateSync(join(dir, 'cpu1.raw'), 3 * 4096 + 1000);
    const { points, report } = await decode(dir);
    const known = new Set(kernelIos('whole'));
    expect(points.length).toBeGreaterThan(20);
    expect(points.length).toBeLessThan(known.size);
    expect(points.map(wordsOf).filter((word) => !known.has(word))).toEqual([]);
    expect(report.warnings).toContain('the recording was cut off: no trace event is known to be lost');
    expect(report.warnings).toContain('1 page of the trace was cut or could not be read to its end');
  });

  test('before its first page is empty', async () => {
    const dir = copyOf('whole');
    for (const name of ['stats.json', 'diskstats', 'cpu0.raw', 'cpu1.raw']) rmSync(join(dir, name));
    expect((await decode(dir)).points).toEqual([]);
  });
});

describe('counts that do not agree', () => {
  const statsLine = (reads: number): string => ` 254       0 vda ${reads} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n`;

  test('a trace that misses I/Os which the block layer counted is not believed', async () => {
    const dir = copyOf('whole');
    changeDetails(dir, (details) => {
      details.diskstats = statsLine(1000);
    });
    writeFileSync(join(dir, 'diskstats'), statsLine(3000));
    const { report } = await decode(dir);
    expect(report.distrusted).toMatch(/^vda: the trace has \d+ completed I\/Os, but \/proc\/diskstats counted 2000$/u);
  });

  test('unless it is known to have lost events', async () => {
    const dir = copyOf('overrun');
    changeDetails(dir, (details) => {
      details.diskstats = statsLine(0);
    });
    writeFileSync(join(dir, 'diskstats'), statsLine(3000));
    const { report } = await decode(dir);
    expect(report.distrusted).toBeUndefined();
    expect(report.warnings.join('\n')).toMatch(/diskstats counted 3000/u);
  });

  test('the counters of the recorded machine do agree', async () => {
    const { report, points } = await decode(join(FIXTURES, 'whole'));
    const { details } = JSON.parse(readFileSync(join(FIXTURES, 'whole/recording.json'), 'utf8')) as {
      details: Details;
    };
    const after = readFileSync(join(FIXTURES, 'whole/diskstats'), 'utf8');
    const { requests } = countsBetween(details.diskstats, after, '254:0');
    expect(report.distrusted).toBeUndefined();
    expect(requests).toBeGreaterThan(0);
    expect(points.filter(({ info }) => info[3] !== 'FF').length).toBeGreaterThanOrEqual(0.95 * requests);
  });

  test('fewer events than the kernel says were read', async () => {
    const dir = copyOf('whole');
    writeFileSync(
      join(dir, 'stats.json'),
      JSON.stringify({ cpus: [{ cpu: 0, entries: 0, overrun: 0, commitOverrun: 0, dropped: 0, read: 9999 }] }),
    );
    const { report } = await decode(dir);
    expect(report.warnings.join('\n')).toMatch(/^the kernel counted 9999 trace events that were read, but \d+ could/mu);
  });
});

test('a description that cannot be read is damage', async () => {
  const dir = copyOf('whole');
  changeDetails(dir, ({ ftrace }) => {
    ftrace.formats['block:block_rq_issue'] = (ftrace.formats['block:block_rq_issue'] ?? '').replace(
      'sector;',
      'place;',
    );
  });
  await expect(decode(dir)).rejects.toThrow(DamagedFileError);
  await expect(decode(dir)).rejects.toThrow('the event block_rq_issue of this kernel has no field sector');
  writeFileSync(
    join(dir, 'recording.json'),
    JSON.stringify({ format: 'ftrace-disklat', interface: 'disklat', details: {} }),
  );
  await expect(decode(dir)).rejects.toThrow('not a description of a disk trace');
});
