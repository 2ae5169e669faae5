import { isJoined, withHostFrames } from '../analysis/fleet/joined.ts';
import type { StackData } from '../common/datatypes.ts';
import { addStacks, WeightedTrie } from '../common/stack-trie.ts';
import { textBytes } from '../common/text-bytes.ts';
import { type Exporter, type ExportSource, firstOf, hasStacks } from './exporter.ts';
import type { Importer, ImportInput, ImportOptions, ImportSection, ImportSink } from './importer.ts';
import { plainLines } from './lines.ts';

/*
 * Folded stacks: a line per stack, its frames from the root on joined by `;`, a blank, its weight. What flame graph tools
 * read and write; see docs/folding.md.
 */

// fio;main;io_u_submit 42
const LINE = /^(.*?) (\d+)(?:\.\d+)?$/;

function isFolded(line: string): boolean {
  const [, stack, weight] = LINE.exec(line) ?? [];
  return stack !== undefined && stack.trim() !== '' && Number.isSafeInteger(Number(weight));
}

export const foldedImporter: Importer = {
  format: 'folded',
  summary: 'folded stacks: frame;frame;... weight',
  detects: (head) => {
    const lines = head.toString('latin1').split('\n').slice(0, -1);
    const read = lines.filter((line) => line !== '' && !line.startsWith('#'));
    return read.length > 0 && read.every((line) => isFolded(line.replace(/\r$/, '')));
  },
  run: importFolded,
};

const BATCH = 8192;

async function importFolded(input: ImportInput, sink: ImportSink, _: ImportOptions): Promise<void> {
  let section: ImportSection | undefined;
  const write = async (records: readonly StackData[]): Promise<void> => {
    if (records.length === 0) return;
    section ??= sink.section({
      interface: 'callstack',
      datatype: 'stack',
      weight: { label: 'samples', unit: 'samples' },
    });
    await section.write(records);
  };
  let records: StackData[] = [];
  for await (const lines of plainLines(input.chunks())) {
    for (const line of lines) {
      if (line === '' || line.startsWith('#')) continue;
      const [, stack = '', weight = ''] = LINE.exec(line) ?? [];
      if (!isFolded(line)) {
        sink.skipped(line);
        continue;
      }
      // Some tools end each frame with the separator.
      const frames = stack.split(';');
      if (frames.at(-1) === '' && frames.length > 1) frames.pop();
      records.push({ weight: Number(weight), stack: frames });
    }
    if (records.length < BATCH) continue;
    await write(records);
    records = [];
  }
  await write(records);
}

export const foldedExporter: Exporter = {
  format: 'folded',
  hosts: 'records',
  only: 'stack',
  summary: 'folded stacks of the first stack section',
  run: (source, warn) => textBytes(foldedText(source, warn)),
};

async function* foldedText(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<string> {
  const first = firstOf(source, hasStacks, 'stacks', 'folded text', warn);
  const trie = new WeightedTrie();
  const isByHost = source.byHost === true && isJoined(first);
  const stacks = isByHost
    ? withHostFrames(first.stacks(), await first.lineEnds(), first.header.hosts ?? [])
    : first.stacks();
  await addStacks(trie, stacks, plainFrame);
  yield* sortedLines(trie);
}

/** What would be read as another frame is what folding tools make of it. */
function plainFrame(frame: string): string {
  return /[;\r\n]/.test(frame) ? frame.replaceAll(';', ':').replace(/[\r\n]/g, ' ') : frame;
}

/** What stands behind some frames: the end of a line, or a frame with more behind it. */
interface Rest {
  /** Orders it among its like; bytes of UTF-8 as code units. */
  readonly key: string;
  readonly text: string;
  /** The node whose children follow; 0 at the end of a line. */
  readonly node: number;
}

/**
 * The lines in the order of their bytes, as `LC_ALL=C sort` has it, without holding them all: those that begin alike are one
 * subtree. No frame holds a `;`, so its order among its siblings decides.
 */
function* sortedLines(trie: WeightedTrie): Generator<string> {
  const { names, frames, self } = trie;
  const children = childrenOf(trie);
  const restsOf = (parent: number): Rest[] => {
    const rests: Rest[] = [];
    for (const node of children(parent)) {
      const name = names[frames[node]!]!;
      const key = bytesOf(name);
      if (self[node]! > 0) rests.push({ key: `${key} ${self[node]}`, text: `${name} ${self[node]}\n`, node: 0 });
      if (children(node).length > 0) rests.push({ key: `${key};`, text: `${name};`, node });
    }
    // Popped from the end.
    return rests.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  };
  const pending: { readonly start: string; readonly rests: Rest[] }[] = [{ start: '', rests: restsOf(0) }];
  for (let level = pending.at(-1); level !== undefined; level = pending.at(-1)) {
    const next = level.rests.pop();
    if (next === undefined) pending.pop();
    else if (next.node === 0) yield level.start + next.text;
    else pending.push({ start: level.start + next.text, rests: restsOf(next.node) });
  }
}

/** The children of each node, in the order in which they were added. */
function childrenOf({ parents, size }: WeightedTrie): (node: number) => Int32Array {
  const starts = new Int32Array(size + 1);
  for (let node = 1; node < size; node++) starts[parents[node]! + 1]!++;
  for (let node = 0; node < size; node++) starts[node + 1]! += starts[node]!;
  const places = starts.slice();
  const children = new Int32Array(size);
  for (let node = 1; node < size; node++) children[places[parents[node]!]!++] = node;
  return (node) => children.subarray(starts[node]!, starts[node + 1]!);
}

function bytesOf(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}
