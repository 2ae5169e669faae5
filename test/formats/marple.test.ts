import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type Filter, groupSections } from '../../src/analysis/select.ts';
import { sectionStats } from '../../src/analysis/stats.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { marpleExporter } from '../../src/formats/marple.ts';
import { readRecords, type TestSection, tempFolder, writeFile } from '../support/data-files.ts';
import { type ExportSettings, exportSections, SECTION, SOME } from '../support/exports.ts';

/** With a clock, as collected files have it. */
const COLLECTED: readonly TestSection[] = SOME.map(({ header, records }) => ({
  header: { ...header, clock: { name: 'CLOCK_MONOTONIC', origin: '12', realtime: header.start } },
  records,
}));

async function selected(settings: ExportSettings) {
  const { bytes, warnings } = await exportSections(marpleExporter, COLLECTED, settings);
  const path = join(tempFolder(), 'part.marple');
  writeFileSync(path, bytes);
  const file = await openDataFile(path);
  const sections = [];
  for (const { header, ...section } of file.sections) {
    sections.push({ header, records: await readRecords(file.sections[section.number - 1]!) });
  }
  await file.close();
  return { path, sections, warnings };
}

/** All of a file in numbers, without what names the file. */
async function statsOf(path: string, filter: Filter) {
  const file = await openDataFile(path);
  const all = [];
  for (const group of groupSections(file.sections)) {
    for (const section of group.shown) {
      const {
        start: _,
        section: __,
        notes: ___,
        ...numbers
      } = await sectionStats(group, section, {
        filter,
        by: 'pid',
        top: 100,
      });
      all.push(numbers);
    }
  }
  await file.close();
  return all;
}

const WITH_STACKS = [SECTION.stacks, SECTION.samples, SECTION.disklat, SECTION.ioStacks];

describe('a selection as a data file', () => {
  it('is the file itself where all of it is selected', async () => {
    const { sections, warnings } = await selected({});
    expect(warnings).toEqual([]);
    expect(sections.map(({ records }) => records)).toEqual(COLLECTED.map(({ records }) => records));
    for (const [i, { header }] of sections.entries()) {
      expect(header).toMatchObject(COLLECTED[i]!.header);
      expect(header.records).toBe(COLLECTED[i]!.records.length);
      expect(header['selection']).toBeUndefined();
    }
  });

  it('numbers stacks anew, and records name them by their new numbers', async () => {
    const { sections } = await selected({ pick: WITH_STACKS, filter: { pids: [20] } });
    expect(sections.map(({ records }) => records)).toEqual([
      [{ weight: 1, stack: ['web_server', 'main', 'parse<int, "x">'] }],
      [{ time: 1_500_000_000, type: 'cpu-clock', datum: ['0', '1', '20', '20', '1'] }],
      [{ x: 2.5, y: 9, info: ['=cmd|calc', '20', '20', 'R', 'vdb', '0', '512', '0'] }],
      [{ weight: 1, stack: ['=cmd|calc', 'read'] }],
    ]);
  });

  it('says in its headers what was selected', async () => {
    const { sections } = await selected({ pick: [SECTION.samples], filter: { from: 1, to: 3, pids: [10, 20] } });
    const { header } = sections[0]!;
    expect(header).toMatchObject<Partial<SectionHeader>>({
      start: '2026-03-01T09:30:01.000Z',
      end: '2026-03-01T09:30:03.000Z',
      records: 2,
      selection: { file: 'x.marple', from: 1, to: 3, pids: [10, 20] },
      notes: ['a part of x.marple: --from 1 --to 3 --pid 10,20'],
      clock: { name: 'CLOCK_MONOTONIC', origin: '12', realtime: '2026-03-01T09:30:00.000Z' },
    });
  });

  test.each<[string, readonly number[], Filter]>([
    ['a range of time', [...WITH_STACKS, SECTION.memtime, SECTION.system, SECTION.ipc], { from: 0.001, to: 2.5 }],
    ['a process', [...WITH_STACKS, SECTION.memtime], { pids: [10] }],
    ['a name', [...WITH_STACKS, SECTION.memtime, SECTION.ipc], { comm: /^fio$/u }],
    ['a name with a blank', [SECTION.stacks, SECTION.samples, SECTION.memtime], { comm: /web server/u }],
    ['all three', WITH_STACKS, { from: 0.4, to: 2.6, pids: [10, 20], comm: /fio/u }],
  ])('has the numbers of the file: %s', async (_, pick, filter) => {
    const whole = join(tempFolder(), 'whole.marple');
    await writeFile(
      whole,
      pick.map((number) => COLLECTED[number - 1]!),
    );
    const { path } = await selected({ pick, filter });
    const [expected, found] = [await statsOf(whole, filter), await statsOf(path, {})];
    expect(found.some(({ records }) => records > 0)).toBe(true);
    expect(found).toEqual(expected);
    // The same filter again takes nothing more away.
    expect(await statsOf(path, filter)).toEqual(expected);
  });

  it('keeps the switches on both sides of a task, and its CPU time', async () => {
    const filter: Filter = { pids: [10] };
    const whole = join(tempFolder(), 'whole.marple');
    await writeFile(whole, COLLECTED.slice(0, 1));
    const { path, sections } = await selected({ pick: [SECTION.cpusched], filter });
    expect(sections[0]!.records).toHaveLength(4);
    expect(sections[0]!.header.scope).toEqual({ system_wide: false, pids: [10] });
    const processes = async (of: string) => (await statsOf(of, filter))[0]!.scheduling!.processes;
    expect((await processes(whole))[0]!.cpu_seconds).toBeGreaterThan(2);
    expect(await processes(path)).toEqual(await processes(whole));
  });

  it('says where records are written without their stacks', async () => {
    const { sections, warnings } = await selected({ pick: [SECTION.disklat] });
    expect(warnings).toEqual([
      'section 4 (disklat) is written without its stacks: they are in section 5 (add it to -e)',
    ]);
    expect(sections[0]!.records.map((record) => ('info' in record ? record.info.at(-1) : undefined))).toEqual([
      '',
      '',
      '',
    ]);
  });

  it('may be empty', async () => {
    const { sections } = await selected({ pick: WITH_STACKS, filter: { pids: [99] } });
    expect(sections.map(({ header, records }) => [header.records, records])).toEqual([
      [0, []],
      [0, []],
      [0, []],
      [0, []],
    ]);
  });
});
