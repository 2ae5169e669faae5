import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { DiskLatency } from '../../src/collect/disklat.ts';
import { probeIosnoop } from '../../src/collect/iosnoop/probe.ts';
import { monotonicNow } from '../../src/common/clock.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { countsBetween } from '../../src/formats/diskstats.ts';
import { readStats } from '../../src/formats/ftrace.ts';
import { makePlace, type Place, sleep } from '../e2e/marple.ts';
import { headerOf } from '../support/data-files.ts';
import { readDiskData } from '../support/disk-data.ts';
import { diskOf, extentsOf, type Fio, type FioResult, prepareFio } from '../support/fio.ts';
import { collectAll, type TestRun, testRun } from '../support/run.ts';

const READS = 20_000;
const MIB = 128;
/** Half a percent. */
const SLACK = READS / 200;

let fio: Fio;
/** Where fio's file lies. */
let disk: { name: string; extents: [number, number][] };
beforeAll(() => {
  fio = prepareFio('fiotest', MIB);
  disk = { name: diskOf(fio.file).name, extents: extentsOf(fio.file) };
});

type Options = ReturnType<typeof DiskLatency.description.options.parse>;

function diskRun(settings: { buffer_kb?: number }): TestRun<Options> {
  // Stacks are tested in disklat-stacks.test.ts.
  const options = DiskLatency.description.options.parse({ buffer_kb: settings.buffer_kb, stacks: 'off' });
  // fio is started by the test and would be left out with what descends from it.
  return testRun({ tool: 'ftrace', options, scope: { own: 0 } });
}

/** The trace instances of one MARPLE. */
function instancesOf(pid: number): string[] {
  return readdirSync('/sys/kernel/tracing/instances').filter((name) => name.startsWith(`marple-${pid}-`));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number;
/** The direct reads of fio's job, by who did them, their size and their place. */
function isOfJob({ info }: Datapoint): boolean {
  const [comm, , , op = '', dev, sector, bytes] = info;
  if (comm !== 'fiotest' || !op.startsWith('R') || dev !== disk.name || bytes !== '4096') return false;
  return disk.extents.some(([first, last]) => Number(sector) >= first && Number(sector) + 7 <= last);
}

/** The block layer's latency lies within what fio measures around its system call; their clocks may differ by a little. */
function expectLatenciesWithin(points: readonly Datapoint[], result: FioResult): void {
  const nanoseconds = points.map(({ y }) => y * 1e6);
  expect(nanoseconds.reduce((most, each) => Math.max(most, each), 0)).toBeLessThanOrEqual(result.longest * 1.01);
  expect(nanoseconds.every((each) => each > 0)).toBe(true);
  expect(median(nanoseconds)).toBeLessThanOrEqual(result.median * 1.05);
  expect(median(nanoseconds)).toBeGreaterThan(result.median / 5);
}

describe('ftrace', () => {
  test('a known number of direct reads is there, with its latencies, places, sizes and times', async () => {
    const { run, report, started, stop } = diskRun({});
    const collected = collectAll(new DiskLatency(run));
    await started;
    const from = monotonicNow();
    const result = await fio.start(`--number_ios=${READS}`);
    const to = monotonicNow();
    stop();
    const points = ((await collected)[0] ?? []) as Datapoint[];
    expect(result.reads).toBe(READS);
    const reads = points.filter(isOfJob);
    expect(reads).toHaveLength(READS);
    expectLatenciesWithin(reads, result);

    // One process did it; fio reads each block once.
    expect(new Set(reads.map(({ info }) => info[1])).size).toBe(1);
    for (const { info } of reads) expect(info[2]).toBe(info[1]);
    expect(new Set(reads.map(({ info }) => info[5])).size).toBe(reads.length);

    const times = points.map(({ x }) => x);
    expect(times.every((time, i) => i === 0 || time >= (times[i - 1] as number))).toBe(true);
    const [first, last] = [from, to].map((time) => Number(time - run.clock.origin) / 1e9) as [number, number];
    for (const { x, y } of reads) if (x < first || x + y / 1e3 > last) expect([x, y]).toEqual('within the run of fio');

    expect(report).toMatchObject({ lostCount: 0, skippedCount: 0, distrusted: undefined });
    expect(report.warnings).toEqual([]);
  });

  test('the I/Os of the machine are those that the block layer counted', async () => {
    const { run, report, started, stop } = diskRun({});
    const collected = collectAll(new DiskLatency(run));
    await started;
    await fio.start('--number_ios=3000', '--ioengine=libaio', '--iodepth=16');
    stop();
    const points = ((await collected)[0] ?? []) as Datapoint[];
    const dir = await run.recordingDir();
    const { details } = JSON.parse(readFileSync(`${dir}/recording.json`, 'utf8')) as { details: { diskstats: string } };
    const number = readFileSync(`/sys/block/${disk.name}/dev`, 'utf8').trim();
    const after = readFileSync(`${dir}/diskstats`, 'utf8');
    const { requests } = countsBetween(details.diskstats, after, number);
    const header = headerOf('datapoint');
    report.applyTo(header);
    const before = /(\d+) under way when the recording began/u.exec(header.notes?.join('\n') ?? '')?.[1] ?? '0';
    const ofDisk = points.filter(({ info }) => info[4] === disk.name);
    const data = ofDisk.filter(({ info }) => info[3] !== 'FF').length;
    // An empty write that asks for a flush is counted, and is no I/O.
    const flushes = ofDisk.length - data;
    expect(data).toBeGreaterThan(3000);
    expect(Math.abs(data + Number(before) - requests)).toBeLessThanOrEqual(SLACK + flushes);
    const stats = readStats(dir);
    expect(stats?.cpus.every(({ entries, overrun, dropped }) => entries + overrun + dropped === 0)).toBe(true);
  });

  test('where the buffers overflow, what is lost is said and no latency is wrong', async () => {
    const { run, report, started, stop } = diskRun({ buffer_kb: 64 });
    const collected = collectAll(new DiskLatency(run));
    await started;
    // The same few blocks again and again: an issue that was joined with a completion behind a gap would show.
    const running = fio.start('--size=64k', '--time_based', '--runtime=3', '--norandommap');
    const lock = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 4; i++) {
      await sleep(200);
      // Nothing of this process runs: what comes overflows.
      Atomics.wait(lock, 0, 0, 400);
    }
    const result = await running;
    stop();
    const reads = ((await collected)[0] as Datapoint[]).filter(isOfJob);
    const overrun = readStats(await run.recordingDir())?.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
    expect(overrun).toBeGreaterThan(1000);
    expect(report.lostCount).toBe(overrun);
    expect(report.distrusted).toBeUndefined();
    expect(report.warnings.join('\n')).toMatch(/trace events were lost: the buffers of 64 KiB per CPU \(buffer_kb\)/u);
    expect(report.warnings.join('\n')).not.toMatch(/holes that nothing explains/u);
    expect(reads.length).toBeGreaterThan(1000);
    expect(reads.length).toBeLessThan(result.reads);
    expectLatenciesWithin(reads, result);
  });

  test('nothing is left behind', () => {
    expect(instancesOf(process.pid)).toEqual([]);
  });
});

describe('marple collect --disk', () => {
  let place: Place;
  beforeAll(() => {
    place = makePlace();
    return () => place.remove();
  });

  interface Found {
    readonly header: Record<string, unknown>;
    readonly points: Datapoint[];
  }

  function dataFile(path: string): Found {
    const { headers, points } = readDiskData(path);
    return { header: { ...headers[0] }, points };
  }

  test('with a command: its I/Os alone, and all numbers agree', async () => {
    const args = ['collect', '--disk', '-o', 'x.marple', '--json=x.json', '--', fio.program];
    const ended = await place.marple([...args, ...fio.args(`--number_ios=${READS}`)]);
    expect(ended).toMatchObject({ code: 0 });
    const { header, points } = dataFile(place.path('x.marple'));
    const reads = points.filter(isOfJob);
    expect(reads).toHaveLength(READS);
    expectLatenciesWithin(reads, fio.result());
    expect(new Set(points.map(({ info }) => info[0]))).toEqual(new Set(['fiotest']));
    expect(header).toMatchObject({ interface: 'disklat', records: points.length, scope: { system_wide: false } });
    expect(header).not.toHaveProperty('lost');
    expect(header).not.toHaveProperty('skipped');
    const [section] = (JSON.parse(readFileSync(place.path('x.json'), 'utf8')) as { sections: unknown[] }).sections;
    expect(section).toMatchObject({ records: points.length, lost: 0, skipped: 0, tool: 'ftrace' });
    const listing = await place.marple(['display', '-l', '-i', 'x.marple']);
    expect(listing.stdout).toMatch(new RegExp(`disklat +datapoint +latency +${points.length} `, 'u'));
    const span = Date.parse(header['end'] as string) - Date.parse(header['start'] as string);
    for (const { x } of points) if (x < 0 || x * 1e3 > span + 1) expect(x).toBe('within the run');
  });

  test('Ctrl-C keeps what came', async () => {
    const running = place.start(['collect', '--disk', '--comm', '^fiotest$', '-t', '60', '-o', 'c.marple']);
    await running.says('disklat (');
    const result = await fio.start('--number_ios=2000');
    running.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    const { points, header } = dataFile(place.path('c.marple'));
    expect(points.filter(isOfJob)).toHaveLength(2000);
    expect(header['records']).toBe(points.length);
    expectLatenciesWithin(points.filter(isOfJob), result);
    expect(instancesOf(running.pid)).toEqual([]);
  });

  test('after kill -9 the data is there, and the next run removes the trace instance, never that of a living one', async () => {
    const killed = place.start(['collect', '--disk', '-t', '60', '-o', 'k.marple']);
    await killed.says('disklat (');
    await fio.start('--number_ios=2000');
    await sleep(500);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(instancesOf(killed.pid)).toHaveLength(1);

    const living = place.start(['collect', '--disk', '-t', '60', '-o', 'l.marple']);
    await living.says('disklat (');
    expect(instancesOf(killed.pid)).toEqual([]);
    await place.marple(['collect', '--disk', '-t', '0.2', '-o', 'o.marple']);
    expect(instancesOf(living.pid)).toHaveLength(1);
    await fio.start('--number_ios=100');
    living.kill('SIGTERM');
    expect((await living.ended).code).toBe(143);
    expect(instancesOf(living.pid)).toEqual([]);
    expect(dataFile(place.path('l.marple')).points.filter(isOfJob).length).toBeGreaterThanOrEqual(99);

    const imported = await place.marple(['display', '-l', '-i', 'k.marple']);
    expect(imported).toMatchObject({ code: 0 });
    const records = Number(/disklat +datapoint +latency +(\d+)/u.exec(imported.stdout)?.[1]);
    expect(records).toBeGreaterThanOrEqual(1990);
    expect(readdirSync(place.dir)).toContain('k.marple.partial');
  });
});

describe('iosnoop', () => {
  let place: Place;
  beforeAll(() => {
    place = makePlace();
    return () => place.remove();
  });

  const TRACING = '/sys/kernel/debug/tracing';

  /** What the tool changes. A buffer that was never used counts as what its first user would get. */
  function globalTrace(): Record<string, string> {
    const names = ['current_tracer', 'tracing_on', 'trace_clock', 'set_event', 'buffer_size_kb'];
    const values = names.map((name) => readFileSync(`${TRACING}/${name}`, 'utf8').trim());
    return {
      ...Object.fromEntries(names.map((name, i) => [name, values[i] as string])),
      buffer_size_kb: /(\d+)\)?$/u.exec(values.at(-1) as string)?.[1] as string,
      lock: existsSync('/var/tmp/.ftrace-lock') ? 'there' : 'none',
    };
  }

  /** The same up to the rounding of the kernel: a buffer of 1408 KiB, asked for again, has 1410. */
  function expectAsBefore(before: Record<string, string>): void {
    const after = globalTrace();
    const [was, is] = [before, after].map((trace) => Number(trace['buffer_size_kb'])) as [number, number];
    expect(Math.abs(was - is)).toBeLessThanOrEqual(4);
    expect({ ...after, buffer_size_kb: '' }).toEqual({ ...before, buffer_size_kb: '' });
    expect(before).toMatchObject({ current_tracer: 'nop', set_event: '', lock: 'none' });
  }

  test('its rows, wrong on this kernel, carry the warning, and it is not taken the next time', async () => {
    const before = globalTrace();
    const running = place.start(['collect', '--disk', '--tool', 'disklat=iosnoop', '-t', '60', '-o', 'i.marple']);
    await running.says('disklat (iosnoop)');
    const from = monotonicNow();
    const result = await fio.start('--number_ios=1000');
    const to = monotonicNow();
    running.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    expectAsBefore(before);

    // Its second section, that of the stacks, is empty.
    const [header = '', ...lines] = readFileSync(place.path('i.marple'), 'utf8').trimEnd().split('\n').slice(0, -1);
    const { warnings, tool, records, clock } = JSON.parse(header) as {
      warnings: string[];
      tool: object;
      records: number;
      clock: { origin: string };
    };
    expect(tool).toMatchObject({ name: 'iosnoop' });
    expect(records).toBe(lines.length);
    const points = lines.map((line) => line.split(','));
    // What it says of the issue is true. Its clock is another one, and is converted to within a millisecond.
    const issues = points.filter(([, , comm]) => comm === 'fiotest').map(([x]) => Number(x));
    expect(issues.length).toBeGreaterThan(0);
    const [first, last] = [from, to].map((time) => Number(time - BigInt(clock.origin)) / 1e9) as [number, number];
    expect(issues.filter((x) => x < first - 0.001 || x > last + 0.001)).toEqual([]);
    const times = points.map(([x]) => Number(x));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(points.every(([, y]) => Number(y) >= 0)).toBe(true);
    expect(result.reads).toBe(1000);
    expect(warnings.join('\n')).toMatch(/iosnoop reads the wrong columns on this kernel/u);
    // Each of its lines is a row.
    expect(warnings.filter((warning) => /lines could not be read/u.test(warning))).toEqual([]);

    const memory = readFileSync(place.path('state/marple/probes.json'), 'utf8');
    const { probes } = JSON.parse(memory) as { probes: Record<string, { usable: boolean; why?: string }> };
    expect(probes['disklat/iosnoop/all']).toMatchObject({
      usable: false,
      why: expect.stringContaining('wrong columns') as string,
    });
  });

  test('its probe says so, and puts everything back', async () => {
    const before = globalTrace();
    expect(await probeIosnoop(place.dir)).toEqual({
      usable: false,
      why: expect.stringContaining('wrong columns') as string,
    });
    expectAsBefore(before);
  });

  test('after kill -9 the tool ends, and the next run puts everything back', async () => {
    const before = globalTrace();
    const killed = place.start(['collect', '--disk', '--tool', 'disklat=iosnoop', '-t', '60', '-o', 'z.marple']);
    await killed.says('disklat (iosnoop)');
    killed.kill('SIGKILL');
    await killed.ended;
    expect(globalTrace()).not.toEqual(before);
    // The tool ends at the first I/O that it cannot print any more.
    while (existsSync('/var/tmp/.ftrace-lock')) {
      await fio.start('--number_ios=10');
      await sleep(50);
    }
    const next = await place.marple(['collect', '--mem', '-t', '0.1', '-o', 'y.marple']);
    expect(next.stderr).toContain('put the global trace back to what it was before an earlier run that was killed');
    expectAsBefore(before);
    const again = await place.marple(['collect', '--mem', '-t', '0.1', '-o', 'y.marple', '--force']);
    expect(again.stderr).not.toContain('global trace');
  });

  test('a run that ends at once ends', async () => {
    const before = globalTrace();
    for (const seconds of ['0.01', '0.05']) {
      const args = ['collect', '--disk', '--tool', 'disklat=iosnoop', '-t', seconds, '--force', '-o', 's.marple'];
      expect(await place.marple(args)).toMatchObject({ code: 0 });
    }
    expectAsBefore(before);
  });
});

describe('biosnoop', () => {
  test('needs kprobes: where there are none it says so for both of its kinds', async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    const args = ['collect', '--disk', '--tool', 'disklat=biosnoop', '-o', 'b.marple', '--', fio.program];
    const ended = await place.marple([...args, ...fio.args('--number_ios=200')]);
    if (hasKprobes()) {
      expect(ended).toMatchObject({ code: 0 });
      expect(readDiskData(place.path('b.marple')).points.filter(isOfJob).length).toBeGreaterThan(100);
      return;
    }
    expect(ended).toMatchObject({ code: 4 });
    expect(ended.stderr).toMatch(/biosnoop \(libbpf-tools\) exited with status 1: failed to load BPF object/u);
    expect(ended.stderr).toMatch(/biosnoop \(BCC\) exited with status 1: .*kprobes/u);
    expect(ended.stderr).toContain('hint: its probes need a kernel with CONFIG_KPROBES');
  });
});

function hasKprobes(): boolean {
  return existsSync('/sys/kernel/tracing/kprobe_events');
}
