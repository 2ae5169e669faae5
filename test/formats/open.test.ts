import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import type { Datapoint, MarpleRecord } from '../../src/common/datatypes.ts';
import { DamagedFileError, UsageError } from '../../src/common/errors.ts';
import type { DataFile } from '../../src/common/reader.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { openData } from '../../src/formats/open.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { asRead, headerOf, readRecords, tempFolder, textFile, writeFile } from '../support/data-files.ts';

const stacks: MarpleRecord[] = [
  { weight: 3, stack: ['a', 'b'] },
  { weight: 1, stack: ['a', '\udcff'] },
];

async function wholeFile(): Promise<string> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, [{ header: headerOf('stack'), records: stacks }]);
  return path;
}

async function recordsOf(file: DataFile): Promise<MarpleRecord[][]> {
  const records: MarpleRecord[][] = [];
  for (const section of file.sections) records.push(await readRecords(section));
  return records;
}

describe('one file', () => {
  test('by its path', async () => {
    const path = await wholeFile();
    const file = await openData(path, tempFolder());
    expect(file).toMatchObject({ path, partial: false });
    expect(await recordsOf(file)).toEqual([stacks]);
    await file.close();
  });

  test('from stdin, in pieces; nothing of it stays', async () => {
    const bytes = readFileSync(await wholeFile());
    const tempDir = tempFolder();
    const stdin = Readable.from([...bytes].map((byte) => Buffer.of(byte)));
    const file = await openData('-', tempDir, { stdin });
    expect(file).toMatchObject({ path: 'stdin', partial: false });
    expect(await recordsOf(file)).toEqual([stacks]);
    await file.close();
    expect(readdirSync(tempDir)).toEqual([]);
  });

  test('from a pipe that has a name', async () => {
    const pipe = join(tempFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const [file] = await Promise.all([
      openData(pipe, tempFolder()),
      pipeline(Readable.from([readFileSync(await wholeFile())]), createWriteStream(pipe)),
    ]);
    expect(await recordsOf(file)).toEqual([stacks]);
    await file.close();
  });

  test('damage on stdin is named so', async () => {
    await expect(openData('-', tempFolder(), { stdin: Readable.from(['perf script output\n']) })).rejects.toThrow(
      /^stdin:1: this is no/,
    );
    await expect(openData('-', tempFolder(), { stdin: Readable.from([]) })).rejects.toThrow(
      /^stdin:1: the file is empty/,
    );
    await expect(openData('/dev/null', tempFolder())).rejects.toThrow(/^\/dev\/null:1: the file is empty/);
  });

  test('a stream that cannot be kept', async () => {
    const broken = Readable.from(
      (async function* () {
        yield 'x';
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      })(),
    );
    await expect(openData('-', tempFolder(), { stdin: broken })).rejects.toThrow(
      /^stdin could not be read into .*: the disk is full$/,
    );
  });

  test('that is not there', async () => {
    const path = join(tempFolder(), 'x.marple');
    await expect(openData(path, tempFolder())).rejects.toThrow(UsageError);
    await expect(openData(path, tempFolder())).rejects.toThrow(`there is no file ${path}`);
  });
});

const FIXTURE = join(import.meta.dirname, '../fixtures/ftrace/whole');
const diskHeader = headerOf('datapoint', {
  interface: 'disklat',
  fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
});
const run: RunInfo = { origin: '0', scope: { own: 0 }, tasks: [], bootId: '' };

/** The partial folder of a run with two interfaces, one of them as a raw recording. Gives the name of its file. */
function partialRun(): { name: string; partial: string; recording: string } {
  const name = join(tempFolder(), 'x.marple');
  const partial = `${name}.partial`;
  const recording = join(partial, 'recordings', 'disklat');
  mkdirSync(join(partial, 'recordings'), { recursive: true });
  cpSync(FIXTURE, recording, { recursive: true });
  writeFileSync(join(partial, 'run.json'), JSON.stringify(run));
  const memtime = headerOf('datapoint', { interface: 'memtime' });
  writeFileSync(
    join(partial, '00-disklat-datapoint.section'),
    `${JSON.stringify(diskHeader)}\n1,2,half,of,what,had,been,deco`,
  );
  writeFileSync(join(partial, '10-memtime-datapoint.section'), `${JSON.stringify(memtime)}\n1,2,a\n2,3,b\n`);
  return { name, partial, recording };
}

async function decoded(): Promise<{ records: MarpleRecord[]; report: HeaderReport }> {
  const report = new HeaderReport();
  const records: MarpleRecord[] = [];
  for await (const batch of decodeRecording(FIXTURE, run, report)) {
    expect(batch.section).toBe(0);
    records.push(...batch.records.map(asRead));
  }
  return { records, report };
}

describe('the folder of a run that was cut off', () => {
  test('is found by the name that its file would have had, as long as there is none', async () => {
    const { name, partial } = partialRun();
    for (const path of [name, partial, `${partial}/`]) {
      const file = await openData(path, tempFolder());
      expect(file).toMatchObject({ path: partial, partial: true });
      expect(file.sections.map(({ number, header }) => [number, header.interface])).toEqual([
        [1, 'disklat'],
        [2, 'memtime'],
      ]);
      await file.close();
    }
    copyFileSync(await wholeFile(), name);
    const file = await openData(name, tempFolder());
    expect(file).toMatchObject({ path: name, partial: false });
    await file.close();
  });

  test('has its recordings decoded by what decodes them at the end of a run', async () => {
    const { name, partial } = partialRun();
    const tempDir = tempFolder();
    const before = readdirSync(partial, { recursive: true });
    const expected = await decoded();
    expect(expected.records.length).toBeGreaterThan(10);
    const file = await openData(name, tempDir);
    const [disk, memory] = await recordsOf(file);
    expect(disk).toEqual(expected.records);
    expect(memory).toHaveLength(2);
    const header = { ...diskHeader };
    expected.report.applyTo(header);
    expect(file.sections[0]!.header).toMatchObject({
      ...header,
      records: expected.records.length,
      bytes: expect.any(Number),
    });
    expect(file.sections[0]!.header.end).toBeNull();
    const sectors: number[] = [];
    for await (const { columns } of file.sections[0]!.points([{ field: 'sector', as: 'number' }])) {
      sectors.push(...columns[0]!.values);
    }
    expect(sectors).toEqual((expected.records as Datapoint[]).map(({ info }) => Number(info[5])));
    await file.close();
    expect(readdirSync(tempDir)).toEqual([]);
    expect(readdirSync(partial, { recursive: true })).toEqual(before);
  });

  test('has what had been recorded until a recording was cut off', async () => {
    const { name, recording } = partialRun();
    const all = (await decoded()).records.length;
    for (const length of [0, 1, 5000, 40_000]) {
      truncateSync(join(recording, 'cpu1.raw'), Math.min(length, 73_728));
      const file = await openData(name, tempFolder());
      const [disk, memory] = await recordsOf(file);
      expect(disk!.length).toBeLessThan(all);
      expect(memory).toHaveLength(2);
      await file.close();
      copyFileSync(join(FIXTURE, 'cpu1.raw'), join(recording, 'cpu1.raw'));
    }
  });

  const broken: [string, (paths: ReturnType<typeof partialRun>) => void, RegExp][] = [
    [
      'run.json is cut off',
      ({ partial }) => writeFileSync(join(partial, 'run.json'), '{"origin":"12'),
      /run\.json cannot be read: it is not whole/,
    ],
    [
      'run.json is missing parts',
      ({ partial }) => writeFileSync(join(partial, 'run.json'), '{"origin":"12"}'),
      /run\.json cannot be read: it is not whole/,
    ],
    [
      'recording.json is cut off',
      ({ recording }) => writeFileSync(join(recording, 'recording.json'), '{"for'),
      /recording\.json:1: it does not say what was recorded/,
    ],
    [
      'its format is not known',
      ({ recording }) =>
        writeFileSync(join(recording, 'recording.json'), '{"format":"constructor","interface":"disklat","details":{}}'),
      /its format is "constructor", and this MARPLE knows .*perf-callstack.*ftrace-disklat/,
    ],
    [
      'its details are wrong',
      ({ recording }) =>
        writeFileSync(
          join(recording, 'recording.json'),
          '{"format":"ftrace-disklat","interface":"disklat","details":{}}',
        ),
      /not a description of a disk trace/,
    ],
  ];

  test.each(broken)('says why a recording is left out: %s', async (_, change, reason) => {
    const paths = partialRun();
    change(paths);
    const file = await openData(paths.name, tempFolder());
    const warning = file.warnings.find((sentence) => sentence.startsWith('disklat: '));
    expect(warning).toMatch(reason);
    expect(file.sections[0]!.header.warnings).toEqual([warning!.replace('disklat: ', '')]);
    expect((await recordsOf(file)).map((records) => records.length)).toEqual([0, 2]);
    await file.close();
  });

  test('a recording that had not begun leaves the section as it was written', async () => {
    const { name, partial, recording } = partialRun();
    writeFileSync(
      join(partial, '00-disklat-datapoint.section'),
      `${JSON.stringify(diskHeader)}\n1,2,a,1,1,R,vda,0,512,\n`,
    );
    execFileSync('rm', [join(recording, 'recording.json')]);
    const file = await openData(name, tempFolder());
    expect((await recordsOf(file)).map((records) => records.length)).toEqual([1, 2]);
    await file.close();
  });

  test('a section that was complete is not decoded again', async () => {
    const { name, partial } = partialRun();
    const line = '1,2,a,1,1,R,vda,0,512,\n';
    const header = { ...diskHeader, records: 1, bytes: line.length, lost: 5 };
    writeFileSync(join(partial, '00-disklat-datapoint.section'), `${JSON.stringify(header)}\n${line}`);
    const file = await openData(name, tempFolder());
    expect(file.sections[0]!.header.lost).toBe(5);
    expect((await recordsOf(file)).map((records) => records.length)).toEqual([1, 2]);
    await file.close();
  });

  test('damage in a section as it was written is damage', async () => {
    const { name, partial } = partialRun();
    writeFileSync(join(partial, '10-memtime-datapoint.section'), '{"marple":2}\n');
    await expect(openData(name, tempFolder())).rejects.toThrow(DamagedFileError);
  });

  test('an empty one', async () => {
    const path = join(tempFolder(), 'x.marple.partial');
    mkdirSync(path);
    await expect(openData(path, tempFolder())).rejects.toThrow(/cut off before anything was recorded/);
  });
});

test('a folder of other things is no data', async () => {
  const path = textFile('text', 'notes.txt');
  await expect(openData(join(path, '..'), tempFolder())).rejects.toThrow(/is a folder, and no data file/);
});
