import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { System } from '../../src/collect/system.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { collectAll, testRun } from '../support/run.ts';

const CPU = 0;
const MEMORY = 1;
const DISK = 3;
const REQUESTS = 4;
const NETWORK = 5;
const PRESSURE = 6;

const total = (numbers: readonly number[]): number => numbers.reduce((sum, value) => sum + value, 0);

/** What was collected while something was done, with what y comes to over all the time. */
async function during(work: () => Promise<unknown>, interval = 0.2) {
  const { run, started, stop } = testRun({ tool: 'proc', options: System.description.options.parse({ interval }) });
  const collecting = collectAll(new System(run));
  await started;
  const result = await work();
  // One interval more, so that the last reading comes after the work.
  await new Promise((resolve) => setTimeout(resolve, 1000 * interval));
  stop();
  const sections = (await collecting) as Datapoint[][];
  const times = [...new Set(sections[MEMORY]!.map(({ x }) => x))];
  /** Sum of y times the seconds that it stands for, over the points with these fields. */
  const integral = (section: number, ...fields: readonly string[]): number => {
    const points = (sections[section] ?? []).filter(({ info }) => fields.every((field, i) => field === info[i]));
    const moments = [...new Set((sections[section] ?? []).map(({ x }) => x))];
    // The first reading shows only in the sections of levels.
    const before = (x: number): number => moments[moments.indexOf(x) - 1] ?? times[0]!;
    return total(points.map(({ x, y }) => y * (x - before(x))));
  };
  return { sections, times, integral, result };
}

/** Spins for so long, with a nice value of its own or none; gives the seconds of user time that it got. */
async function burn(seconds: number, nice: number): Promise<number> {
  const source = `import os,time\nend=time.monotonic()+${seconds}\nwhile time.monotonic()<end: pass\nprint(os.times().user)`;
  const child = spawn('nice', ['-n', String(nice), 'python3', '-c', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(output.toString());
}

describe('CPU time', () => {
  test('a program that spins is in it with what it got, a nice one as nice', async () => {
    const plain = await during(() => burn(1.5, 0));
    expect(plain.integral(CPU, 'user')).toBeGreaterThan((plain.result as number) - 0.1);
    const nice = await during(() => burn(1.5, 5));
    expect(nice.result).toBeGreaterThan(0.2);
    expect(Math.abs(nice.integral(CPU, 'nice') - (nice.result as number))).toBeLessThan(0.15);
  });

  test('the modes of a CPU add up to one CPU', async () => {
    const { sections, times, integral } = await during(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
    });
    const online = readFileSync('/proc/stat', 'latin1').match(/^cpu\d+/gm)?.length ?? 0;
    expect(online).toBe(cpus().length);
    const seconds = times.at(-1)! - times[0]!;
    const perCpu = [...new Set(sections[CPU]!.map(({ info }) => info[1]!))].map((cpu) =>
      total([...new Set(sections[CPU]!.map(({ info }) => info[0]!))].map((mode) => integral(CPU, mode, cpu))),
    );
    expect(perCpu).toHaveLength(online);
    for (const sum of perCpu) expect(Math.abs(sum / seconds - 1)).toBeLessThan(0.1);
  });
});

test('memory adds up to MemTotal at every reading', async () => {
  const { sections, times } = await during(async () => undefined);
  const meminfo = Number(/^MemTotal: +(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) / 1024;
  expect(times.length).toBeGreaterThan(1);
  for (const time of times) {
    const uses = sections[MEMORY]!.filter(({ x }) => x === time);
    expect(new Set(uses.map(({ info }) => info[0])).size).toBe(uses.length);
    expect(total(uses.map(({ y }) => y))).toBeCloseTo(meminfo, 6);
  }
});

describe('disk', () => {
  const folder = (): string => {
    const path = mkdtempSync('/var/tmp/marple-test-system-');
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    return path;
  };
  /** The whole disk that a path lies on. */
  const diskOf = (path: string): string => {
    const { dev } = statSync(path);
    const number = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
    const link = execFileSync('readlink', ['-f', `/sys/dev/block/${number}`], { encoding: 'utf8' }).trim();
    const parent = basename(join(link, '..'));
    return readdirSync('/sys/block').includes(basename(link)) ? basename(link) : parent;
  };
  const counted = (disk: string): number[] => {
    const line =
      readFileSync('/proc/diskstats', 'latin1')
        .split('\n')
        .find((text) => text.includes(` ${disk} `)) ?? '';
    return line.trim().split(/ +/).slice(3).map(Number);
  };

  test('100 MiB written past the cache, and read, are 100 MiB in 100 requests and more', async () => {
    const file = join(folder(), 'data');
    const disk = diskOf('/var/tmp');
    const dd = (...args: readonly string[]): Promise<unknown> =>
      once(spawn('dd', ['bs=1M', 'count=100', ...args], { stdio: ['ignore', 'ignore', 'ignore'] }), 'exit');
    const before = counted(disk);
    const { integral } = await during(async () => {
      await dd('if=/dev/zero', `of=${file}`, 'oflag=direct');
      await dd(`if=${file}`, 'of=/dev/null', 'iflag=direct');
    });
    const after = counted(disk);
    const difference = (column: number): number => after[column]! - before[column]!;
    for (const [direction, requests, sectors] of [
      ['read', 0, 2],
      ['write', 4, 6],
    ] as const) {
      const mib = integral(DISK, disk, direction);
      expect(mib).toBeGreaterThan(98);
      // What others did on the disk in the moments around the collection is in its own counters too.
      expect(mib).toBeLessThan(difference(sectors) / 2048 + 2);
      expect(integral(REQUESTS, disk, direction)).toBeGreaterThan(98);
      expect(integral(REQUESTS, disk, direction)).toBeLessThan(1.02 * difference(requests) + 2);
    }
  });

  test('only whole disks are listed, none that is built on others', async () => {
    const { sections } = await during(async () => undefined);
    const disks = new Set(sections[DISK]!.map(({ info }) => info[0]!));
    expect(disks).toContain(diskOf('/var/tmp'));
    for (const disk of disks) {
      expect(readdirSync('/sys/block')).toContain(disk);
      expect(readdirSync(`/sys/block/${disk}/slaves`)).toEqual([]);
    }
  });
});

test('known traffic on the loopback is there, received and sent', async () => {
  const mib = 64;
  const { integral } = await during(async () => {
    const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(Buffer.alloc(mib * 2 ** 20));
    await once(socket, 'close');
    server.close();
  });
  const [received, sent] = [integral(NETWORK, 'lo', 'received'), integral(NETWORK, 'lo', 'sent')];
  // Headers come on top, and perhaps a little of others.
  expect(received).toBeGreaterThan(0.98 * mib);
  expect(received).toBeLessThan(1.1 * mib);
  expect(Math.abs(sent - received)).toBeLessThan(1);
});

test('time waited is what the kernel has counted', async () => {
  const some = (): number =>
    Number(/^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'latin1'))?.[1]) / 1e6;
  const before = some();
  // More tasks than CPUs, so that some wait.
  const { integral } = await during(() => Promise.all(Array.from({ length: cpus().length + 2 }, () => burn(1, 0))));
  const counted = some() - before;
  expect(counted).toBeGreaterThan(0.5);
  expect(Math.abs(integral(PRESSURE, 'cpu') / 100 - counted)).toBeLessThan(0.1 + 0.05 * counted);
});
