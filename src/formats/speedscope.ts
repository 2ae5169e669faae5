import { recordFields, type SectionGroup } from '../analysis/select.ts';
import type { ColumnRequest, SectionReader } from '../common/reader.ts';
import { StackTrie } from '../common/stack-trie.ts';
import { formatCount, visible } from '../common/text.ts';
import { textBytes } from '../common/text-bytes.ts';
import { VERSION } from '../common/version.ts';
import { type Exporter, type ExportSource, firstOf, hasStacks } from './exporter.ts';

/*
 * speedscope's own file format (https://www.speedscope.app/file-format-schema.json): frames, each once, and profiles whose
 * samples are lists of frames, root first, with a weight each. The first profile is the whole section, each different stack
 * once. Where the file tells when each sample was taken there is one for each process too, its samples in the order of time.
 */

export const speedscopeExporter: Exporter = {
  format: 'speedscope',
  summary: 'speedscope JSON of the first stack section, and a profile for each process',
  run: (source, warn) => textBytes(speedscopeText(source, warn)),
};

/** speedscope lists the profiles in a menu. */
const MOST_PROCESSES = 200;

/** Units of weights that speedscope knows; others are numbers without a unit. */
const UNITS: ReadonlyMap<string, string> = new Map(
  Object.entries<string>({
    ns: 'nanoseconds',
    us: 'microseconds',
    ms: 'milliseconds',
    s: 'seconds',
    bytes: 'bytes',
  }),
);

async function* speedscopeText(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<string> {
  const section = firstOf(source, hasStacks, 'stacks', 'a speedscope file', warn);
  const { weight, interface: name } = section.header;
  const unit = UNITS.get(weight?.unit ?? '') ?? 'none';
  const stacks = await readStacks(section);
  const { trie, ends, weights } = stacks;
  yield `{"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":${json(`MARPLE ${VERSION}`)},`;
  yield `"name":${json(source.name)},"activeProfileIndex":0,"shared":{"frames":[`;
  for (const [i, frame] of trie.names.entries()) yield `${i === 0 ? '' : ',\n'}{"name":${json(frame)}}`;
  yield ']},"profiles":[';
  const lines = Uint32Array.from(ends.keys()).filter((line) => weights[line]! > 0);
  yield* profile(
    stacks,
    { name: weight === undefined ? name : `${name} (${weight.label})`, unit },
    lines,
    lines.map((line) => line),
    weights,
  );
  for (const process of await readProcesses(source, section, warn)) {
    yield ',';
    const places = Uint32Array.from(process.lines.keys());
    yield* profile(stacks, { name: process.name, unit }, places, process.lines, process.weights);
  }
  yield ']}\n';
}

interface Stacks {
  readonly trie: StackTrie;
  /** By line of the section: the node at which its stack ends, and its weight. */
  readonly ends: readonly number[];
  readonly weights: readonly number[];
}

async function readStacks(section: SectionReader): Promise<Stacks> {
  const trie = new StackTrie();
  const [ends, weights]: number[][] = [[], []];
  for await (const stacks of section.batches('stack')) {
    for (const { stack, weight } of stacks) {
      ends!.push(weight > 0 ? trie.add(stack) : 0);
      weights!.push(weight);
    }
  }
  return { trie, ends: ends!, weights: weights! };
}

/** Sample i is the stack of line `lines[i]`, and weighs `weights[places[i]]`. */
function* profile(
  { trie, ends }: Stacks,
  { name, unit }: { readonly name: string; readonly unit: string },
  places: Uint32Array,
  lines: ArrayLike<number>,
  weights: ArrayLike<number>,
): Generator<string> {
  let total = 0;
  for (const place of places) total += weights[place]!;
  yield `{"type":"sampled","name":${json(name)},"unit":"${unit}","startValue":0,"endValue":${total},"samples":[`;
  for (let i = 0; i < places.length; i++) {
    yield `${i === 0 ? '' : ','}[${frameIds(trie, ends[lines[i]!]!).join(',')}]`;
  }
  yield '],"weights":[';
  for (let i = 0; i < places.length; i++) yield `${i === 0 ? '' : ','}${weights[places[i]!]!}`;
  yield ']}';
}

function frameIds(trie: StackTrie, end: number): number[] {
  const ids: number[] = [];
  for (let node = end; node !== 0; node = trie.parents[node]!) ids.push(trie.frames[node]!);
  return ids.reverse();
}

/** The samples of one process, in the order of time. */
interface ProcessSamples {
  readonly name: string;
  readonly lines: number[];
  readonly weights: number[];
}

/** Those with the most samples first; none where no section tells when each sample was taken. */
async function readProcesses(
  { sections, groups }: ExportSource,
  stacks: SectionReader,
  warn: (sentence: string) => void,
): Promise<ProcessSamples[]> {
  const group = groups.find(({ all }) => all.some(({ number }) => number === stacks.number));
  const index = group === undefined ? undefined : sampleEvents(group, sections);
  if (group === undefined || index === undefined) return [];
  const hasComm = recordFields(group, index).includes('comm');
  const want: ColumnRequest[] = [
    { field: 'stack', as: 'text' },
    { field: 'pid', as: 'number' },
    { field: 'weight', as: 'number' },
    ...(hasComm ? [{ field: 'comm', as: 'text' } as const] : []),
  ];
  const found = new Map<string, ProcessSamples>();
  for await (const { length, columns } of index.events(want)) {
    const [stack, pid, weight, comm] = columns;
    for (let i = 0; i < length; i++) {
      const line = stack!.dictionary[stack!.values[i]!]!;
      const value = weight!.values[i]!;
      if (line === '' || !(value > 0)) continue;
      const name = `${comm?.dictionary[comm.values[i]!] ?? 'process'} (${pid!.values[i]!})`;
      let samples = found.get(name);
      if (samples === undefined) {
        samples = { name, lines: [], weights: [] };
        found.set(name, samples);
      }
      samples.lines.push(Number(line));
      samples.weights.push(value);
    }
  }
  const all = [...found.values()].sort((a, b) => b.lines.length - a.lines.length);
  if (all.length > MOST_PROCESSES) {
    warn(
      `only the ${MOST_PROCESSES} processes with the most samples have profiles of their own, of ${formatCount(all.length)}; the first profile has all`,
    );
  }
  return all.slice(0, MOST_PROCESSES);
}

/** The events that say when each stack was sampled, where they are among what was asked for. */
function sampleEvents(group: SectionGroup, sections: readonly SectionReader[]): SectionReader | undefined {
  const index = group.shown.find(
    ({ header: { datatype, fields } }) =>
      datatype === 'event' && ['stack', 'pid', 'weight'].every((field) => fields?.includes(field)),
  );
  return sections.find(({ number }) => number === index?.number);
}

/** A name as a JSON string: what cannot be seen, and bytes that are not UTF-8, are written out. */
function json(text: string): string {
  return JSON.stringify(visible(text));
}
