import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MemMap } from '../../src/collect/memmap.ts';
import { pageSize } from '../../src/collect/proc/auxv.ts';
import { installedRam, parseIomem } from '../../src/collect/proc/iomem.ts';
import { parseMeminfo } from '../../src/collect/proc/meminfo.ts';
import { PAGE, type PageClass } from '../../src/collect/proc/page-flags.ts';
import { PageWalk } from '../../src/collect/proc/page-owners.ts';
import { Ram, segmentsOf } from '../../src/collect/proc/ram.ts';
import { Slices } from '../../src/collect/proc/slices.ts';
import { parseZoneinfo } from '../../src/collect/proc/zoneinfo.ts';
import type { Datapoint, StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import type { Scope } from '../../src/common/scope.ts';
import { startMemoryProgram } from '../support/memory-program.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, testRun } from '../support/run.ts';

const MIB = 2 ** 20;

let program: string;
beforeAll(() => {
  program = compileProgram('memory');
});

interface Snapshot {
  readonly stacks: readonly StackData[];
  readonly points: readonly Datapoint[];
  readonly header: SectionHeader;
  /** Bytes of all stacks with these frames after RAM and the zone. */
  bytes(...frames: readonly (string | RegExp)[]): number;
}

async function snapshot(scope: Partial<Scope> = {}): Promise<Snapshot> {
  const options = MemMap.description.options.parse({});
  const { run, report } = testRun({ tool: 'proc', options, scope: { own: 0, ...scope } });
  const [stacks = [], points = []] = (await collectAll(new MemMap(run))) as [StackData[], Datapoint[]];
  const header = {} as SectionHeader;
  report.applyTo(header);
  const bytes = (...frames: readonly (string | RegExp)[]): number =>
    stacks
      .filter(({ stack }) =>
        frames.every((frame, i) => (frame instanceof RegExp ? frame.test(stack[i + 2] ?? '') : frame === stack[i + 2])),
      )
      .reduce((sum, { weight }) => sum + weight, 0);
  return { stacks, points, header, bytes };
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, value) => sum + value, 0);

/** A folder on a real disk, or another file system, that goes with the test. */
function folderIn(place: string): string {
  const folder = mkdtempSync(join(place, 'marple-test-memmap-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fileOf(place: string, mib: number): string {
  const path = join(folderIn(place), 'file');
  const file = openSync(path, 'w');
  for (let i = 0; i < mib; i++) writeSync(file, Buffer.alloc(MIB, 1));
  closeSync(file);
  return path;
}

describe('the whole machine', () => {
  test('the stacks add up to the installed RAM, each page once, and each stack is there once', async () => {
    const { stacks, header } = await snapshot();
    const all = total(stacks.map(({ weight }) => weight));
    const ram = [...readFileSync('/proc/iomem', 'latin1').matchAll(/^ *(\w+)-(\w+) : System RAM/gm)].map(
      ([, from, to]) =>
        Math.floor((Number.parseInt(to!, 16) + 1) / pageSize()) - Math.ceil(Number.parseInt(from!, 16) / pageSize()),
    );
    const firmware = total(stacks.filter(({ stack }) => stack[2] === 'firmware').map(({ weight }) => weight));
    expect(all - firmware).toBe(total(ram) * pageSize());
    // The kernel's own list of memory, in blocks that can reach beyond the RAM.
    const blocks = '/sys/devices/system/memory';
    const size = Number.parseInt(readFileSync(join(blocks, 'block_size_bytes'), 'latin1'), 16);
    expect(all).toBeLessThanOrEqual(readdirSync(blocks).filter((name) => /^memory\d+$/.test(name)).length * size);
    expect(header.options?.['installed_bytes']).toBe(all);
    expect(new Set(stacks.map(({ stack }) => stack.join(';'))).size).toBe(stacks.length);
    for (const { weight, stack } of stacks) {
      expect(weight % pageSize()).toBe(0);
      expect(weight).toBeGreaterThan(0);
      expect(stack[0]).toBe('RAM');
    }
  });

  test('along the addresses it is as much, use by use, as in the stacks', async () => {
    const { points, stacks, header } = await snapshot();
    const uses = new Set(points.map(({ info }) => info[0]!));
    for (const use of uses) {
      const inStacks = total(stacks.filter(({ stack }) => stack[2] === use).map(({ weight }) => weight));
      expect(total(points.filter(({ info }) => info[0] === use).map(({ y }) => y)) * MIB, use).toBe(inStacks);
    }
    const missing = new Set(stacks.map(({ stack }) => stack[2]!).filter((use) => !uses.has(use)));
    expect([...missing].filter((use) => use !== 'uninitialised')).toEqual(['free']);
    const bucket = header.options?.['bucket_mib'] as number;
    const addresses = [...new Set(points.map(({ x }) => x))];
    expect(addresses).toEqual([...addresses].sort((a, b) => a - b));
    expect(addresses.length).toBeLessThan(1000);
    for (const address of addresses) {
      const used = total(points.filter(({ x }) => x === address).map(({ y }) => y));
      expect(used).toBeLessThanOrEqual(bucket);
      expect((address * 1024) % bucket).toBe(0);
    }
  });

  test('meminfo agrees', { retry: 2 }, async () => {
    const read = () => parseMeminfo(readFileSync('/proc/meminfo', 'latin1'));
    const [before, { header }, after] = [read(), await snapshot(), read()];
    const table = header.options?.['counted_and_meminfo_mib'] as Record<string, [number, number]>;
    const lines = {
      anonymous: ['AnonPages'],
      'page cache and shared memory': ['Cached', 'Buffers', 'SwapCached'],
      'shared memory': ['Shmem'],
      slab: ['Slab'],
      'page tables': ['PageTables', 'SecPageTables'],
      'huge pages (hugetlb)': ['Hugetlb'],
    };
    expect(Object.keys(table).sort()).toEqual(['free', ...Object.keys(lines)].sort());
    // The machine goes on meanwhile: as much as the kernel's own numbers changed, these may differ from them.
    const agrees = (name: string, values: readonly number[]): void => {
      const counted = table[name]![0];
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const leeway = most - least + Math.max(0.05 * most, 16);
      expect(counted, name).toBeGreaterThan(least - leeway);
      expect(counted, name).toBeLessThan(most + leeway);
    };
    for (const [name, of] of Object.entries(lines)) {
      const kernel = [before, after].map((meminfo) => total(of.map((line) => (meminfo.get(line) ?? 0) / 1024)));
      agrees(name, kernel);
    }
    const zones = parseZoneinfo(readFileSync('/proc/zoneinfo', 'latin1'));
    agrees('free', [table['free']![1], (total(zones.map(({ free }) => free)) * pageSize()) / MIB]);
    expect(table['free']![0]).toBeGreaterThan(16);
  });

  test('the processes own what their own accounts say', async () => {
    const holder = await startMemoryProgram(program, 'accounts', 30);
    const { stacks } = await snapshot();
    const rollup = readFileSync(`/proc/${holder.pid}/smaps_rollup`, 'latin1');
    const kb = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)?.[1]);
    const own = stacks.filter(({ stack }) => stack[3] === `accounts (${holder.pid})`);
    const ofUse = (use: string): number =>
      total(own.filter(({ stack }) => stack[2] === use).map(({ weight }) => weight)) / 1024;
    expect(ofUse('anonymous')).toBe(kb('Anonymous'));
    expect(total(own.map(({ weight }) => weight)) / 1024).toBe(kb('Private_Clean') + kb('Private_Dirty'));
  });
});

describe('known memory', () => {
  test('anonymous memory is under its process and mapping, to the page', async () => {
    const { pid } = await startMemoryProgram(program, 'a hundred MiB', 100);
    const { bytes } = await snapshot();
    const found = bytes('anonymous', `a hundred MiB (${pid})`, '[anon]');
    expect(found).toBeGreaterThanOrEqual(100 * MIB);
    expect(found).toBeLessThan(100.25 * MIB);
  });

  test('a child shares it until one of them writes', async () => {
    const parent = await startMemoryProgram(program, 'sharing', 40);
    await parent.ask('fork');
    const { bytes } = await snapshot();
    const found = bytes('anonymous', 'sharing (shared)', '[anon]');
    expect(found).toBeGreaterThanOrEqual(40 * MIB);
    expect(found).toBeLessThan(40.25 * MIB);
    expect(bytes('anonymous', `sharing (${parent.pid})`)).toBeLessThan(MIB);
  });

  test('anonymous memory in huge pages is a use of its own, as much as smaps says', async () => {
    const holder = await startMemoryProgram(program, 'huge', 0);
    await holder.ask('huge 64');
    const { bytes } = await snapshot();
    const rollup = readFileSync(`/proc/${holder.pid}/smaps_rollup`, 'latin1');
    const kilobytes = Number(/^AnonHugePages: +(\d+) kB$/m.exec(rollup)?.[1]);
    expect(kilobytes).toBeGreaterThan(0);
    expect(bytes('anonymous (huge pages)', `huge (${holder.pid})`, '[anon]')).toBe(kilobytes * 1024);
  });

  test('a file in a tmpfs is shared memory, mapped or not', { retry: 2 }, async () => {
    const path = fileOf('/dev/shm', 64);
    const before = await snapshot();
    const holder = await startMemoryProgram(program, 'mapper', 0);
    expect(await holder.ask(`file ${path}`)).toEqual([64 * MIB]);
    const mapped = await snapshot();
    expect(mapped.bytes('shared memory', `mapper (${holder.pid})`, path)).toBe(64 * MIB);
    const fallen = before.bytes('shared memory', 'not mapped') - mapped.bytes('shared memory', 'not mapped');
    expect(Math.abs(fallen - 64 * MIB)).toBeLessThan(MIB);
    await holder.end();
    rmSync(path);
    const after = await snapshot();
    expect(Math.abs(before.bytes('shared memory') - after.bytes('shared memory') - 64 * MIB)).toBeLessThan(MIB);
  });

  test('a file in the page cache is under who maps it, under several as shared, and else not mapped', async () => {
    const path = fileOf('/var/tmp', 50);
    const [one, two] = [await startMemoryProgram(program, 'one', 0), await startMemoryProgram(program, 'two', 0)];
    await one.ask(`file ${path}`);
    const alone = await snapshot();
    expect(alone.bytes('page cache (mapped)', `one (${one.pid})`, path)).toBe(50 * MIB);
    await two.ask(`file ${path}`);
    const both = await snapshot();
    expect(both.bytes('page cache (mapped)', 'shared', path)).toBe(50 * MIB);
    await Promise.all([one.end(), two.end()]);
    const neither = await snapshot();
    expect(neither.stacks.every(({ stack }) => stack[4] !== path)).toBe(true);
  });

  // Others may read and write files meanwhile, so it is a large file, and about its size.
  test('a file that is read, not mapped, makes the page cache grow', { retry: 2 }, async () => {
    const path = fileOf('/var/tmp', 400);
    execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
    const before = await snapshot();
    readFileSync(path);
    const after = await snapshot();
    const grown = after.bytes('page cache (not mapped)') - before.bytes('page cache (not mapped)');
    expect(Math.abs(grown - 400 * MIB)).toBeLessThan(100 * MIB);
  });

  test('a mapping of terabytes with a page here and there does not hold it up', async () => {
    const source = [
      'import mmap, sys',
      'memory = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)',
      'for at in range(0, 1 << 40, 1 << 34): memory[at] = 1',
      'print("ready", flush=True)',
      'sys.stdin.read()',
    ];
    const child = spawn('python3', ['-c', source.join('\n')], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill());
    await once(child.stdout, 'data');
    const { stacks } = await snapshot();
    const own = stacks.filter(({ stack }) => stack[3] === `python3 (${child.pid})` && stack[4] === '[anon]');
    expect(total(own.map(({ weight }) => weight))).toBeGreaterThanOrEqual(64 * pageSize());
  });
});

test('a page that comes into use after its flags were read is what it is used for then', async () => {
  const holder = await startMemoryProgram(program, 'late', 20);
  const path = fileOf('/var/tmp', 10);
  await holder.ask(`file ${path}`);
  const resources = parseIomem(readFileSync('/proc/iomem', 'latin1'));
  const zones = parseZoneinfo(readFileSync('/proc/zoneinfo', 'latin1'));
  const ram = new Ram(segmentsOf(installedRam(resources, pageSize()), zones));
  ram.classes.fill(PAGE.free);
  const walk = new PageWalk(ram, pageSize(), new Slices());
  await walk.add({ pid: holder.pid, process: holder.pid, comm: 'late', title: 'late', detailed: true });
  const { tallies } = await ram.survey(1000, new Slices());
  const found = (mapping: string, use: PageClass): number =>
    total(
      tallies.filter((tally) => tally.owner?.frames[1] === mapping && tally.class === use).map(({ pages }) => pages),
    );
  expect(found('[anon]', PAGE.anonymous) * pageSize()).toBeGreaterThanOrEqual(20 * MIB);
  expect(found(path, PAGE.mappedCache) * pageSize()).toBe(10 * MIB);
  expect(found(path, PAGE.anonymous)).toBe(0);
  const owned = total(tallies.filter(({ owner }) => owner?.comm === 'late').map(({ pages }) => pages));
  expect(walk.result).toMatchObject({ changed: owned, denied: 0, unfinished: 0 });
  expect([...walk.result.shift].filter((pages) => pages < 0)).toEqual([-owned]);
  expect(total([...walk.result.shift])).toBe(0);
});

describe('scope', () => {
  test('those out of scope are one, and all RAM is still there', async () => {
    const one = await startMemoryProgram(program, 'in scope', 20);
    const two = await startMemoryProgram(program, 'out of scope', 30);
    const { stacks, bytes, header } = await snapshot({ pids: [one.pid] });
    expect(bytes('anonymous', `in scope (${one.pid})`, '[anon]')).toBeGreaterThanOrEqual(20 * MIB);
    expect(bytes('anonymous', 'other processes')).toBeGreaterThan(30 * MIB);
    expect(stacks.some(({ stack }) => stack.join(';').includes(`(${two.pid})`))).toBe(false);
    expect(stacks.filter(({ stack }) => stack[3] === 'other processes').every(({ stack }) => stack.length === 4)).toBe(
      true,
    );
    expect(bytes('page cache (mapped)', 'shared', /libc/)).toBeGreaterThan(0);
    expect(total(stacks.map(({ weight }) => weight))).toBe(header.options?.['installed_bytes']);
    expect(header.warnings ?? []).toEqual([]);
    const nobody = await snapshot({ comm: '^no such process$' });
    expect(nobody.header.warnings).toEqual([expect.stringMatching(/^no process that was asked for/)]);
    const named = await snapshot({ comm: '^in scope$' });
    expect(named.bytes('anonymous', `in scope (${one.pid})`, '[anon]')).toBeGreaterThanOrEqual(20 * MIB);
  });

  test("MARPLE's own memory goes by that name; the command's does not", async () => {
    const { pid } = await startMemoryProgram(program, 'command', 20);
    const all = await snapshot({ own: process.pid });
    expect(all.bytes('anonymous', 'MARPLE')).toBeGreaterThan(20 * MIB);
    expect(all.stacks.some(({ stack }) => stack[3] === `command (${pid})`)).toBe(false);
    const command = await snapshot({ own: process.pid, root: pid });
    expect(command.bytes('anonymous', `command (${pid})`, '[anon]')).toBeGreaterThanOrEqual(20 * MIB);
  });
});

test('without the right to see physical pages the probe says what is needed', async () => {
  const probe = async () => MemMap.description.tools[0]?.probe({ scope: { own: 0 }, tempDir: '' });
  expect(await probe()).toMatchObject({ usable: true });
  process.seteuid?.('nobody');
  try {
    expect(await probe()).toMatchObject({
      usable: false,
      why: expect.stringMatching(/root|permission denied/),
      hint: 'run the same command with sudo',
    });
  } finally {
    process.seteuid?.(0);
  }
});
