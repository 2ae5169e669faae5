import { sectionNotes } from '../../../analysis/notes.ts';
import { partHeader } from '../../../analysis/part.ts';
import { isScheduling } from '../../../analysis/scheduling.ts';
import { encodeText, serialiseHeader } from '../../../common/codec.ts';
import { askedTime, columnOf, describeFilter, type Filter, knows, maskOf, stackWeights } from '../filters.ts';
import { type PageData, type Section, type Stacks, stackLines } from '../model.ts';

/*
 * A data file (docs/format.md) of what passes the filters, made of what the page holds: what `marple export` would write of the
 * file that the page was made of, where its flags can say the same.
 */

/** Characters of lines that are put together at once; then the page can do something else. */
const CHUNK = 1 << 20;

/** Sections that are saved; that do not know what the filters ask for; and of which the page of a server has not all records. */
export interface SavedSections {
  readonly saved: readonly Section[];
  readonly unable: readonly Section[];
  readonly reduced: readonly Section[];
}

export function savedSections({ sections }: PageData, filters: readonly Filter[]): SavedSections {
  const isAble = (section: Section): boolean => filters.every((filter) => knows(section, filter));
  const isReduced = ({ isReduced: own, naming }: Section): boolean => own || naming?.isReduced === true;
  return {
    saved: sections.filter((section) => isAble(section) && !isReduced(section)),
    unable: sections.filter((section) => !isAble(section)),
    reduced: sections.filter((section) => isAble(section) && isReduced(section)),
  };
}

export async function dataFile(data: PageData, filters: readonly Filter[]): Promise<Blob> {
  const parts: BlobPart[] = [];
  for (const section of savedSections(data, filters).saved) {
    const lines: Uint8Array<ArrayBuffer>[] = [];
    let [records, bytes] = [0, 0];
    for (const { text, count } of chunks(linesOf(section, filters))) {
      const encoded = new TextEncoder().encode(text);
      lines.push(encoded);
      records += count;
      bytes += encoded.length;
      await new Promise((resolve) => setTimeout(resolve));
    }
    parts.push(`${serialiseHeader({ ...headerOf(data, section, filters), records, bytes })}\n`, ...lines);
  }
  return new Blob(parts, { type: 'text/plain' });
}

function headerOf(data: PageData, { header, notes }: Section, filters: readonly Filter[]): Section['header'] {
  // What became of the data on its way into the page.
  const own = notes.filter((note) => !sectionNotes(header).includes(note));
  const whole = { ...header, ...(own.length === 0 ? {} : { notes: [...(header.notes ?? []), ...own] }) };
  const { from, to } = askedTime(data, filters);
  const words = filters.map(describeFilter);
  if (words.length === 0 && from === undefined && to === undefined) return whole;
  const narrowing = filters.filter((filter) => filter.kind === 'field');
  const tasks = narrowing.find(({ field, not }) => (field === 'pid' || field === 'tid') && !not);
  return partHeader(whole, {
    from,
    to,
    isOfTasks: narrowing.length > 0,
    pids: tasks?.values.map(Number),
    selection: { from, to, filters: words },
    note: `a part, saved from a report: ${words.join(', ') || 'all that it held'}`,
  });
}

interface Chunk {
  readonly text: string;
  readonly count: number;
}

function* chunks(lines: Iterable<string>): Generator<Chunk> {
  let [text, count] = ['', 0];
  for (const line of lines) {
    text += `${line}\n`;
    count++;
    if (text.length < CHUNK) continue;
    yield { text, count };
    [text, count] = ['', 0];
  }
  yield { text, count };
}

function linesOf(section: Section, filters: readonly Filter[]): Iterable<string> {
  switch (section.header.datatype) {
    case 'stack':
      return stackLinesOf(section, section.stacks!, filters);
    case 'event': {
      const times = section.times!;
      return recordLines(section, filters, ['type', ...(section.header.fields ?? [])], (row) =>
        String(Math.round(times[row]! * 1e9)),
      );
    }
    case 'datapoint': {
      const [x, y] = ['x', 'y'].map((name) => section.columns.get(name)!.values) as [Float64Array, Float64Array];
      return recordLines(
        section,
        filters,
        section.header.fields ?? ['info'],
        (row) => `${numberText(x[row]!)},${numberText(y[row]!)}`,
      );
    }
  }
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function* stackLinesOf(section: Section, stacks: Stacks, filters: readonly Filter[]): Generator<string> {
  const weights = stackWeights(section, filters);
  const kept = keptLines(section, filters);
  const frames = stacks.names.map((name) => encodeText(name, ';'));
  for (let line = 0; line < weights.length; line++) {
    if (kept[line] === -1) continue;
    let text = '';
    for (let node = stacks.ends[line]!; node !== 0; node = stacks.parents[node]!) {
      text = text === '' ? frames[stacks.frames[node]!]! : `${frames[stacks.frames[node]!]};${text}`;
    }
    yield `${weights[line]}#${text}`;
  }
}

/** The new line of each stack; -1 where nothing is left of it. */
function keptLines(section: Section, filters: readonly Filter[]): Int32Array {
  const { stacks, naming } = section;
  const weights = stackWeights(section, filters);
  const isNamed = new Uint8Array(weights.length);
  if (naming !== undefined) {
    const mask = recordMask(naming, filters);
    const lineAt = stackLines(naming);
    for (let row = 0; row < naming.rows; row++) if (mask?.[row] !== 0 && lineAt(row) >= 0) isNamed[lineAt(row)] = 1;
  }
  let count = 0;
  return Int32Array.from(stacks!.ends, (end, line) =>
    end !== 0 && (weights[line]! > 0 || isNamed[line] === 1) ? count++ : -1,
  );
}

function* recordLines(
  section: Section,
  filters: readonly Filter[],
  fields: readonly string[],
  head: (row: number) => string,
): Generator<string> {
  const mask = recordMask(section, filters);
  const columns = fields.map((field) => {
    const { values, texts } = section.columns.get(field)!;
    if (field === 'stack' && section.named !== undefined) return stackNumber(section, section.named, filters);
    const encoded = texts?.map((text) => encodeText(text, ','));
    return (row: number): string => (encoded === undefined ? String(values[row]!) : encoded[values[row]!]!);
  });
  for (let row = 0; row < section.rows; row++) {
    if (mask?.[row] === 0) continue;
    let line = head(row);
    for (const textAt of columns) line += `,${textAt(row)}`;
    yield line;
  }
}

/** The new number of the stack of a record; empty where it has none. */
function stackNumber(section: Section, named: Section, filters: readonly Filter[]): (row: number) => string {
  // Where the stacks are not saved, nothing can name them.
  if (!filters.every((filter) => knows(named, filter))) return () => '';
  const kept = keptLines(named, filters);
  const lineAt = stackLines(section);
  return (row) => {
    const line = kept[lineAt(row)] ?? -1;
    return line < 0 ? '' : String(line);
  };
}

/**
 * Which records are saved. Of scheduler events those of either task, since both are needed to follow one; and those of no task, for
 * a hole in the data is one in that of every task.
 */
function recordMask(section: Section, filters: readonly Filter[]): Uint8Array | undefined {
  if (!isScheduling(section.header)) return maskOf(section, filters);
  const ofTasks = (filter: Filter): boolean => filter.kind === 'field' && /^(comm|pid|tid)$/.test(filter.field);
  let mask = maskOf(
    section,
    filters.filter((filter) => !ofTasks(filter)),
  );
  const pids = section.columns.get('pid');
  for (const filter of filters.filter(ofTasks)) {
    if (filter.kind !== 'field') continue;
    const own = columnOf(section, filter.field)!.name;
    const [ours, theirs] = [own, `other_${own}`].map((field) => maskOf(section, [{ ...filter, field }]));
    mask ??= new Uint8Array(section.rows).fill(1);
    for (let row = 0; row < mask.length; row++) {
      const isOfNone = pids?.texts?.[pids.values[row]!] === '';
      if (ours?.[row] === 0 && theirs?.[row] === 0 && !isOfNone) mask[row] = 0;
    }
  }
  return mask;
}
