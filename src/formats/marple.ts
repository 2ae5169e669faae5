import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { partHeader } from '../analysis/part.ts';
import { isScheduling } from '../analysis/scheduling.ts';
import {
  type Filter,
  isWide,
  type SectionGroup,
  selectEventRecords,
  selectedSection,
  selectStacks,
} from '../analysis/select.ts';
import type { MarpleRecord } from '../common/datatypes.ts';
import type { SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { SectionWriter } from '../common/writer.ts';
import type { Exporter, ExportSource } from './exporter.ts';

/*
 * A data file of what was selected. Times stay those of the whole file. Of the stacks those are left that something is left
 * of, and records name them by their new lines.
 */

export const marpleExporter: Exporter = {
  format: 'marple',
  hosts: 'sections',
  summary: 'a data file of what was selected',
  run: exportMarple,
};

async function* exportMarple(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<Uint8Array> {
  const { sections, groups, filter } = source;
  const lines = new Map<SectionGroup, StackLines>();
  for (const section of sections) {
    const group = groups.find(({ shown }) => shown.some(({ number }) => number === section.number))!;
    let kept = lines.get(group);
    if (kept === undefined) {
      kept = await keptStacks(group, filter, warn);
      lines.set(group, kept);
    }
    const folder = await mkdtemp(join(source.tempDir, 'section-'));
    const writer = SectionWriter.create(join(folder, 'section'), selectedHeader(section.header, source));
    try {
      for await (const records of recordsOf(group, section, filter, kept)) await writer.write(records);
      await writer.complete();
      yield* writer.contents();
    } finally {
      await writer.discard();
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** What was selected, beside what was collected. */
function selectedHeader(header: SectionHeader, { name, filter }: ExportSource): SectionHeader {
  const { records: _, bytes: __, ...whole } = header;
  if (isWide(filter)) return { ...whole, records: null, bytes: null };
  const { from, to, pids, comm } = filter;
  const flags = [
    ...(from === undefined ? [] : [`--from ${from}`]),
    ...(to === undefined ? [] : [`--to ${to}`]),
    ...(pids === undefined ? [] : [`--pid ${pids.join(',')}`]),
    ...(comm === undefined ? [] : [`--comm ${comm.source}`]),
  ];
  const part = partHeader(whole, {
    from,
    to,
    isOfTasks: (pids ?? comm) !== undefined,
    pids,
    selection: { file: name, from, to, pids, comm: comm?.source },
    note: `a part of ${name}: ${flags.join(' ')}`,
  });
  return { ...part, records: null, bytes: null };
}

/** The new line of each stack, by its old one; -1 where nothing is left of it. Undefined where the lines stay. */
type StackLines = readonly number[] | undefined;

async function keptStacks(group: SectionGroup, filter: Filter, warn: (sentence: string) => void): Promise<StackLines> {
  const stacks = group.all.find(({ header }) => header.datatype === 'stack');
  const referring = group.shown.filter(({ header }) => header.datatype !== 'stack' && header.fields?.includes('stack'));
  if (stacks === undefined) return undefined;
  if (!group.shown.includes(stacks)) {
    const [first] = referring;
    if (first === undefined) return undefined;
    warn(
      `section ${first.number} (${first.header.interface}) is written without its stacks: they are in section ${stacks.number} (add it to -e)`,
    );
    return [];
  }
  if (isWide(filter)) return undefined;
  const named = new Set<string>();
  for (const section of referring) {
    const place = section.header.fields!.indexOf('stack');
    for await (const records of selected(group, section, filter)) {
      for (const record of records) named.add(textsOf(record)[place]!);
    }
  }
  const lines: number[] = [];
  let kept = 0;
  for await (const { weight } of selectStacks(group, stacks, filter)) {
    lines.push(weight > 0 || named.has(String(lines.length)) ? kept++ : -1);
  }
  return lines;
}

/** The records of a section that are written, naming stacks by their new lines. */
async function* recordsOf(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  lines: StackLines,
): AsyncGenerator<readonly MarpleRecord[]> {
  const place = section.header.fields?.indexOf('stack') ?? -1;
  let line = 0;
  for await (const records of selected(group, section, filter)) {
    if (lines === undefined) yield records;
    else if (section.header.datatype === 'stack') yield records.filter(() => lines[line++] !== -1);
    else yield place < 0 ? records : records.map((record) => renamed(record, place, lines));
  }
}

function renamed(record: MarpleRecord, place: number, lines: readonly number[]): MarpleRecord {
  const texts = [...textsOf(record)];
  const line = lines[Number(texts[place])];
  texts[place] = texts[place] === '' || line === undefined ? '' : String(line);
  return 'time' in record ? { ...record, datum: texts } : { ...record, info: texts };
}

function textsOf(record: MarpleRecord): readonly string[] {
  return 'time' in record ? record.datum : 'info' in record ? record.info : [];
}

/** The records that pass the filter; of scheduler events those of either task, since both are needed to follow one. */
async function* selected(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
): AsyncGenerator<readonly MarpleRecord[]> {
  const { header, number } = section;
  switch (header.datatype) {
    case 'stack': {
      let batch: MarpleRecord[] = [];
      for await (const stack of selectStacks(group, ownOf(group, number), filter)) {
        batch.push(stack);
        if (batch.length < BATCH) continue;
        yield batch;
        batch = [];
      }
      yield batch;
      return;
    }
    case 'event': {
      const own = header.fields?.length ?? 0;
      const ends = isScheduling(header) ? 'either' : 'own';
      for await (const events of selectEventRecords(group, ownOf(group, number), filter, ends)) {
        yield events.map((event) =>
          event.datum.length === own ? event : { ...event, datum: event.datum.slice(0, own) },
        );
      }
      return;
    }
    case 'datapoint':
      yield* selectedSection(group, ownOf(group, number), filter).batches('datapoint');
  }
}

const BATCH = 8192;

/** The section with all its records. */
function ownOf({ all }: SectionGroup, wanted: number): SectionReader {
  return all.find(({ number }) => number === wanted)!;
}
