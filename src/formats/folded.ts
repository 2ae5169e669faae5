import { isJoined, withHostFrames } from '../analysis/fleet/joined.ts';
import type { StackData } from '../common/datatypes.ts';
import { addStacks, WeightedTrie } from '../common/stack-trie.ts';
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
  run: foldedText,
};

async function* foldedText(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<Buffer> {
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

/** Bytes that are given at once, and what a weight and the line's end take of them at most. */
const PIECE = 256 * 1024;
const WEIGHT = 32;

/**
 * The lines in the order of their bytes, as `LC_ALL=C sort` has it, without holding them all: those that begin alike are one
 * subtree. No frame holds a `;`, so its order among its siblings decides.
 */
function* sortedLines(trie: WeightedTrie): Generator<Buffer> {
  const { names, frames, self } = trie;
  const restsOf = restsBehind(trie);
  const line = new Line();
  let piece = Buffer.allocUnsafe(PIECE);
  let filled = 0;
  // The rests are taken from the end.
  const pending = [{ start: 0, rests: restsOf(0) }];
  for (let level = pending.at(-1); level !== undefined; level = pending.at(-1)) {
    const rest = level.rests.pop();
    if (rest === undefined) {
      pending.pop();
      continue;
    }
    const end = line.put(level.start, names[frames[rest.node]!]!);
    if (!rest.isEnd) {
      pending.push({ start: line.put(end, ';'), rests: restsOf(rest.node) });
      continue;
    }
    if (filled + end + WEIGHT > piece.length) {
      yield piece.subarray(0, filled);
      piece = Buffer.allocUnsafe(Math.max(PIECE, end + WEIGHT));
      filled = 0;
    }
    filled += line.copy(end, piece, filled);
    filled += piece.write(` ${self[rest.node]}\n`, filled, 'latin1');
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** The bytes of a line, as far as it is known. */
class Line {
  #bytes = Buffer.allocUnsafe(4096);

  /** Goes on with a text behind the first bytes, and gives how many there are then. */
  put(start: number, text: string): number {
    if (start + 3 * text.length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * (start + 3 * text.length));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    return start + this.#bytes.write(text, start);
  }

  /** Copies the first bytes. */
  copy(length: number, to: Buffer, at: number): number {
    return this.#bytes.copy(to, at, 0, length);
  }
}

/** What stands behind some frames: one more, and there the end of a line, or others. */
interface Rest {
  readonly node: number;
  readonly isEnd: boolean;
}

/** The rests behind a node, the last of them in the order of their bytes first. */
function restsBehind({ names, frames, parents, self, size }: WeightedTrie): (node: number) => Rest[] {
  const starts = new Int32Array(size + 1);
  for (let node = 1; node < size; node++) starts[parents[node]! + 1]!++;
  for (let node = 0; node < size; node++) starts[node + 1]! += starts[node]!;
  const places = starts.slice();
  const children = new Int32Array(size);
  for (let node = 1; node < size; node++) children[places[parents[node]!]!++] = node;
  const keyOf = ({ node, isEnd }: Rest): string => bytesOf(names[frames[node]!]!) + (isEnd ? ` ${self[node]}` : ';');
  return (parent) => {
    const rests: Rest[] = [];
    for (let i = starts[parent]!; i < starts[parent + 1]!; i++) {
      const node = children[i]!;
      if (self[node]! > 0) rests.push({ node, isEnd: true });
      if (starts[node + 1]! > starts[node]!) rests.push({ node, isEnd: false });
    }
    if (rests.length < 2) return rests;
    const keyed = rests.map((rest) => ({ rest, key: keyOf(rest) }));
    return keyed.sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0)).map(({ rest }) => rest);
  };
}

/** Bytes of UTF-8 as code units. */
function bytesOf(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}
