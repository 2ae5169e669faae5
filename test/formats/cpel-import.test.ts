import { describe, expect, test } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { makeTempDir } from '../../src/common/temp.ts';
import { cpelExporter } from '../../src/formats/cpel-events.ts';
import { cpelImporter } from '../../src/formats/cpel-import.ts';
import { type CpelLog, draftCpel, writeCpel } from '../../src/formats/cpel-writer.ts';
import { readCpel } from '../support/cpel.ts';
import { exportPath } from '../support/exports.ts';
import { checkImporter, importBytes } from '../support/imports.ts';

const EVENTS: readonly EventData[] = [
  { time: 1000, type: 'switch', datum: ['10', 'fio', 'a'] },
  { time: 1500, type: 'wakeup', datum: ['11', 'fio', 'b=1 c'] },
  { time: 1500, type: 'switch', datum: ['20', 'web server (x)', ''] },
];

async function logBytes(name: (event: EventData) => { name: string; number: number | undefined }): Promise<Buffer> {
  const log: CpelLog = {
    events: async function* () {
      yield EVENTS;
    },
    track: ({ datum }) => Number(datum[0]),
    trackName: name,
    datums:
      (offsetOf) =>
      ({ datum }) =>
        offsetOf(datum[2]!),
    date: 1_772_357_400,
    firstTypes: [],
    signature: 'test',
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of writeCpel(await draftCpel(log, makeTempDir()))) pieces.push(piece);
  return Buffer.concat(pieces);
}

const byTask = await logBytes(({ datum }) => ({ name: datum[1]!, number: Number(datum[0]) }));
const byCpu = await logBytes(({ datum }) => ({ name: `cpu ${datum[0]}`, number: undefined }));
const byName = await logBytes(({ datum }) => ({ name: `vpp_${datum[0]}`, number: undefined }));

describe('what every importer does', () => {
  checkImporter(cpelImporter, {
    files: { tasks: byTask, CPUs: byCpu },
    count: (file) => readCpel(file).events.length,
    exporter: cpelExporter,
    isText: false,
  });
});

describe('what every importer does, where tracks are neither tasks nor CPUs', () => {
  // None of our exporters writes such tracks.
  checkImporter(cpelImporter, {
    files: { others: byName },
    count: (file) => readCpel(file).events.length,
    isText: false,
  });
});

describe('events', () => {
  test('of tasks: name and pid', async () => {
    const { sections } = await importBytes(byTask);
    expect(sections[0]!.header).toMatchObject({
      interface: 'cpel',
      datatype: 'event',
      start: '2026-03-01T09:30:00.000Z',
      fields: ['comm', 'pid', 'datum'],
    });
    expect(sections[0]!.records).toEqual([
      { time: 0, type: 'switch', datum: ['fio', '10', 'a'] },
      { time: 500, type: 'wakeup', datum: ['fio', '11', 'b=1 c'] },
      { time: 500, type: 'switch', datum: ['web server (x)', '20', '-'] },
    ]);
  });

  test('of CPUs: the number', async () => {
    const { sections } = await importBytes(byCpu);
    expect(sections[0]!.header.fields).toEqual(['cpu', 'datum']);
    expect((sections[0]!.records as EventData[]).map(({ datum }) => datum[0])).toEqual(['10', '11', '20']);
  });

  test('of anything else: the name of the track', async () => {
    const { sections } = await importBytes(byName);
    expect(sections[0]!.header.fields).toEqual(['track', 'datum']);
    expect((sections[0]!.records as EventData[])[0]).toMatchObject({ datum: ['vpp_10', 'a'] });
  });

  test('exported again, it is the same log', async () => {
    const { path } = await importBytes(byTask);
    const [again, first] = [readCpel((await exportPath(cpelExporter, path)).bytes), readCpel(byTask)];
    expect(again.tracks).toEqual(first.tracks);
    expect(again.events.map(({ time, track }) => [time, track])).toEqual(
      first.events.map(({ time, track }) => [time, track]),
    );
    expect(again.events.map(({ datum }) => datum)).toEqual(first.events.map(({ datum }) => datum));
  });

  test('as the Python MARPLE wrote it, a line before the file', async () => {
    const { result, sections } = await importBytes(Buffer.concat([Buffer.from('[CPEL]\n'), byTask]));
    expect(result.format).toBe('cpel');
    expect(sections[0]!.records).toHaveLength(3);
  });

  test('times that no data file holds are counted', async () => {
    const damaged = Buffer.from(byTask);
    damaged.writeUInt32BE(0x9fff_ffff, damaged.length - 40);
    const { result, sections } = await importBytes(damaged);
    expect(sections[0]!.records).toHaveLength(2);
    expect(result.warnings.join()).toMatch(/1 events are left out, since their time is more/);
  });

  test('damage is named by the file that was given', async () => {
    await expect(importBytes(byTask.subarray(0, 100))).rejects.toThrow(/input: byte \d+: /);
  });
});
