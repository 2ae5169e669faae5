import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { EXIT, MarpleError, UsageError } from '../../src/common/errors.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { DataFileWriter } from '../../src/common/writer.ts';
import { headerOf, readRecords, tempFolder } from '../support/data-files.ts';

const options = { force: false, tempDir: tmpdir() };

function points(count: number, from = 0): Datapoint[] {
  return Array.from({ length: count }, (_, i) => ({ x: from + i, y: i / 7, info: [`name ${i % 10}`] }));
}

/** The header of each section of a file, with its record lines. */
function sectionsOf(text: string): { header: Record<string, unknown>; line: string; records: string[] }[] {
  expect(text.endsWith('\n')).toBe(true);
  const sections: { header: Record<string, unknown>; line: string; records: string[] }[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('{')) sections.push({ header: JSON.parse(line), line, records: [] });
    else sections.at(-1)!.records.push(line);
  }
  return sections;
}

async function failure(promise: Promise<unknown>): Promise<MarpleError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MarpleError);
  return error as MarpleError;
}

describe('a whole file', () => {
  test('has its sections by order, whatever the order of beginning and writing', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const late = writer.section(headerOf('datapoint', { interface: 'late' }), 100);
    const early = writer.section(headerOf('stack', { interface: 'early' }), 9);
    await late.write(points(2));
    await early.write([{ weight: 3, stack: ['a', 'b'] }]);
    await late.write(points(1, 2));
    late.header.end = '2026-03-01T09:31:00.000Z';
    late.header.warnings = ['said later'];
    await writer.finish();
    const [first, second] = sectionsOf(readFileSync(path, 'utf8'));
    expect(first).toMatchObject({ header: { interface: 'early', records: 1, bytes: 6 }, records: ['3#a;b'] });
    expect(second!.header).toMatchObject({ interface: 'late', records: 3, end: '2026-03-01T09:31:00.000Z' });
    expect(second!.header['warnings']).toEqual(['said later']);
    expect(second!.header['bytes']).toBe(second!.records.join('\n').length + 1);
    expect(second!.records[2]).toBe('2,0,name 0');
    expect(readdirSync(join(path, '..'))).toEqual(['x.marple']);
  });

  test.each([1, 3])('of %i sections, and all on its way, can be read by its owner only', async (count) => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    expect(statSync(writer.partialDir).mode & 0o777).toBe(0o700);
    for (let i = 0; i < count; i++) await writer.section(headerOf('datapoint'), i).write(points(10));
    for (const name of readdirSync(writer.partialDir)) {
      expect(statSync(join(writer.partialDir, name)).mode & 0o777).toBe(0o600);
    }
    await writer.finish();
    const found = statSync(path);
    expect([found.mode & 0o777, found.nlink]).toEqual([0o600, 1]);
  });

  test('of one section need not be copied, and is written anew where its header has outgrown its place', async () => {
    for (const warnings of [['short'], ['long '.repeat(5000)]]) {
      const path = join(tempFolder(), 'x.marple');
      const writer = await DataFileWriter.create(path, options);
      const section = writer.section(headerOf('datapoint'), 0);
      const inode = statSync(section.path).ino;
      await section.write(points(1000));
      section.header.warnings = warnings;
      await writer.finish();
      expect(statSync(path).ino === inode).toBe(warnings[0] === 'short');
      const [found] = sectionsOf(readFileSync(path, 'utf8'));
      expect(found!.header).toMatchObject({ records: 1000, warnings });
      expect(found!.records).toHaveLength(1000);
    }
  });

  test('sections without records are there', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    writer.section(headerOf('datapoint'), 0);
    writer.section(headerOf('stack'), 1);
    await writer.finish();
    expect(sectionsOf(readFileSync(path, 'utf8')).map(({ header }) => [header['records'], header['bytes']])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('counts reconcile: records written, counted and read are the same, in their order', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const section = writer.section(headerOf('datapoint'), 0);
    writer.section(headerOf('stack'), 1);
    const all = points(200_000);
    // More at once than is queued, and less than is buffered.
    await section.write(all.slice(0, 150_000));
    for (let i = 150_000; i < all.length; i += 7) await section.write(all.slice(i, i + 7));
    expect(section.records).toBe(all.length);
    await writer.finish();
    const file = await openDataFile(path);
    expect(file.sections[0]!.header.records).toBe(all.length);
    expect(await readRecords(file.sections[0]!)).toEqual(all);
    await file.close();
  });
});

describe('while it is written', () => {
  test('each section is a file whose first line is its header, before any record', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const section = writer.section(headerOf('datapoint', { interface: '../evil/name' }), 3);
    writer.section(headerOf('stack', { interface: 'other' }), 12);
    expect(readdirSync(writer.partialDir).sort()).toEqual([
      '03-.._evil_name-datapoint.section',
      '12-other-stack.section',
    ]);
    const [line, rest] = readFileSync(section.path, 'utf8').split('\n');
    expect(JSON.parse(line!)).toEqual(section.header);
    expect(rest).toBe('');
    await writer.abandon();
  });

  test('records are on their way soon, however few they are', async () => {
    const writer = await DataFileWriter.create(join(tempFolder(), 'x.marple'), options);
    const section = writer.section(headerOf('datapoint'), 0);
    await section.write(points(1));
    while (!readFileSync(section.path, 'utf8').endsWith('0,0,name 0\n')) await sleep(10);
    await writer.abandon();
  });

  test('a header can be saved again, as long as it fits', async () => {
    const writer = await DataFileWriter.create(join(tempFolder(), 'x.marple'), options);
    const section = writer.section(headerOf('datapoint'), 0);
    await section.write(points(1));
    section.header.tool = { name: 'perf', version: '6.12', command: ['perf', 'record'] };
    expect(section.saveHeader()).toBe(true);
    expect(JSON.parse(readFileSync(section.path, 'utf8').split('\n')[0]!).tool.name).toBe('perf');
    section.header.warnings = ['x'.repeat(10_000)];
    expect(section.saveHeader()).toBe(false);
    expect(JSON.parse(readFileSync(section.path, 'utf8').split('\n')[0]!).warnings).toBeUndefined();
    await writer.abandon();
  });

  test('a slow disk is waited for', async () => {
    const writer = await DataFileWriter.create(join(tempFolder(), 'x.marple'), options);
    const section = writer.section(headerOf('datapoint'), 0);
    const waits = section.write(points(1_000_000));
    expect(waits).toBeInstanceOf(Promise);
    await waits;
    expect(section.write(points(1))).toBeUndefined();
    await writer.abandon();
  });

  test('abandon leaves nothing', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    await writer.section(headerOf('datapoint'), 0).write(points(100_000));
    await writer.abandon();
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });
});

describe('what is refused', () => {
  test('a file that exists, unless it is to be overwritten', async () => {
    const path = join(tempFolder(), 'x.marple');
    writeFileSync(path, 'old');
    const error = await failure(DataFileWriter.create(path, options));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(`${path} exists already`);
    expect(error.hint).toMatch(/--force/);
    expect(existsSync(`${path}.partial`)).toBe(false);
    const writer = await DataFileWriter.create(path, { ...options, force: true });
    await writer.section(headerOf('datapoint'), 0).write(points(1));
    expect(readFileSync(path, 'utf8')).toBe('old');
    await writer.finish();
    expect(readFileSync(path, 'utf8')).toMatch(/^\{"marple":1/);
  });

  test('a file that came into being meanwhile; what was collected is kept', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const section = writer.section(headerOf('datapoint'), 0);
    await section.write(points(3));
    writeFileSync(path, 'new');
    const error = await failure(writer.finish());
    expect(error.message).toContain(`${path} exists already; what was collected is in ${path}.partial`);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(sectionsOf(readFileSync(section.path, 'utf8'))[0]!.records).toHaveLength(3);
  });

  test('the partial folder of another run, even with force', async () => {
    const path = join(tempFolder(), 'x.marple');
    mkdirSync(`${path}.partial`);
    for (const force of [false, true]) {
      const error = await failure(DataFileWriter.create(path, { ...options, force }));
      expect(error.message).toContain(`${path}.partial is there already`);
      expect(error.hint).toContain(`marple display -i ${path}.partial`);
    }
  });

  test.each([
    ['there/is/none/x.marple', 'there is no such file or folder', /mkdir -p/],
    ['/proc/self/status/x.marple', 'a part of its path is no folder', /-o FILE/],
    ['/sys/x.marple', 'permission denied', /-o FILE/],
    [`${'x'.repeat(300)}.marple`, 'its name is too long', /-o FILE/],
  ])('a place that cannot be written: %s', async (name, reason, hint) => {
    const error = await failure(DataFileWriter.create(join(name.startsWith('/') ? '/' : tempFolder(), name), options));
    expect(error.exitCode).toBe(EXIT.usage);
    expect(error.message).toMatch(new RegExp(`cannot be written: ${reason}$`));
    expect(error.hint).toMatch(hint);
  });

  test('a folder, and a device, even with force', async () => {
    for (const path of [tempFolder(), '/dev/null']) {
      const error = await failure(DataFileWriter.create(path, { ...options, force: true }));
      expect(error.message).toBe(`${path} is no regular file`);
      expect(existsSync(`${path}.partial`)).toBe(false);
    }
  });

  test('links that others have put in the way are not followed', async () => {
    const folder = tempFolder();
    const path = join(folder, 'x.marple');
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    const writer = await DataFileWriter.create(path, options);
    symlinkSync(victim, join(writer.partialDir, '00-test-datapoint.section'));
    linkSync(victim, join(writer.partialDir, '01-test-datapoint.section'));
    expect(() => writer.section(headerOf('datapoint'), 0)).toThrow(UsageError);
    expect(() => writer.section(headerOf('datapoint'), 1)).toThrow(UsageError);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    await writer.abandon();
    // The file that is overwritten is replaced, and not what it leads to.
    symlinkSync(victim, path);
    const forced = await DataFileWriter.create(path, { ...options, force: true });
    forced.section(headerOf('datapoint'), 0);
    await forced.finish();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(lstatSync(path).isFile()).toBe(true);
  });

  test('a record that is none of the section, where those before it stay', async () => {
    const path = join(tempFolder(), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const section = writer.section(headerOf('datapoint'), 0);
    expect(() => section.write([...points(2), { x: Number.NaN, y: 0, info: ['a'] }])).toThrow(RangeError);
    await writer.finish();
    expect(sectionsOf(readFileSync(path, 'utf8'))[0]).toMatchObject({ header: { records: 2 } });
  });
});

describe('stdout', () => {
  test('gets the whole file, however slowly it is read', async () => {
    const stdout = new PassThrough({ highWaterMark: 1000 });
    const folder = tempFolder();
    const writer = await DataFileWriter.create('-', { force: false, tempDir: folder, stdout });
    await writer.section(headerOf('datapoint', { interface: 'b' }), 1).write(points(100_000));
    await writer.section(headerOf('stack', { interface: 'a' }), 0).write([{ weight: 1, stack: ['x'] }]);
    const chunks: Buffer[] = [];
    const reading = (async () => {
      for await (const chunk of stdout) chunks.push(chunk as Buffer);
    })();
    await writer.finish();
    stdout.end();
    await reading;
    const [a, b] = sectionsOf(Buffer.concat(chunks).toString());
    expect([a!.header['interface'], a!.records.length]).toEqual(['a', 1]);
    expect([b!.header['interface'], b!.records.length, b!.header['records']]).toEqual(['b', 100_000, 100_000]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a reader that has gone is one clear sentence', async () => {
    const child = spawn('true', [], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'close');
    const writer = await DataFileWriter.create('-', {
      force: false,
      tempDir: tempFolder(),
      stdout: child.stdin as Writable,
    });
    await writer.section(headerOf('datapoint'), 0).write(points(10_000));
    const error = await failure(writer.finish());
    expect(error.message).toMatch(/^the data could not be written to stdout: /);
    expect(error.hint).toMatch(/-o FILE/);
  });
});

// Only root can make a disk that is small enough to be filled.
describe.skipIf(process.geteuid?.() !== 0)('a full disk', () => {
  function smallDisk(kilobytes: number): string {
    const folder = tempFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'marple-test', folder]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', folder]);
    });
    return folder;
  }

  async function writeUntil(section: { write(records: Datapoint[]): void | Promise<void> }, batches: number) {
    for (let i = 0; i < batches; i++) {
      await section.write(points(1000, i * 1000));
      await sleep(1);
    }
  }

  test('while records come: the error says so, and what came before can be read', async () => {
    const path = join(smallDisk(1024), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const full = writer.section(headerOf('datapoint', { interface: 'much' }), 0);
    const other = writer.section(headerOf('datapoint', { interface: 'little' }), 1);
    await other.write(points(10));
    const error = await failure(writeUntil(full, 10_000));
    expect(error.message).toBe(`${full.path} cannot be written: the disk is full; what came before is in it`);
    expect(error.hint).toBe(`look at it with: marple display -i ${path}.partial`);
    expect((await failure(writer.finish())).message).toBe(error.message);
    expect(existsSync(path)).toBe(false);
    const file = await openDataFile(`${path}.partial`);
    const kept = await readRecords(file.sections[0]!);
    expect(kept.length).toBeGreaterThan(10_000);
    expect(kept).toEqual(
      Array.from({ length: Math.ceil(kept.length / 1000) }, (_, i) => points(1000, i * 1000))
        .flat()
        .slice(0, kept.length),
    );
    await file.close();
  });

  test('while sections are joined: the partial folder is whole, and nothing stands under the final name', async () => {
    const path = join(smallDisk(1024), 'x.marple');
    const writer = await DataFileWriter.create(path, options);
    const sections = [0, 1].map((order) => writer.section(headerOf('datapoint'), order));
    for (const section of sections) await section.write(points(12_000));
    const error = await failure(writer.finish());
    expect(error.message).toBe(
      `${path} could not be completed: the disk is full; what was collected is in ${path}.partial`,
    );
    expect(existsSync(path)).toBe(false);
    const file = await openDataFile(`${path}.partial`);
    for (const section of file.sections) {
      expect(section.header.records).toBe(12_000);
      expect(await readRecords(section)).toHaveLength(12_000);
    }
    expect(readdirSync(`${path}.partial`)).not.toContain('joined');
    await file.close();
    rmSync(`${path}.partial`, { recursive: true });
  });
});
