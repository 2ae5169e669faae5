import type { StackData } from '../common/datatypes.ts';
import { StackTrie } from '../common/stack-trie.ts';
import { type Exporter, type ExportSource, firstOf, hasStacks, textBytes } from './exporter.ts';
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
  summary: 'folded stacks of the first stack section',
  run: (source, warn) => textBytes(foldedText(source, warn)),
};

async function* foldedText(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<string> {
  const first = firstOf(source, hasStacks, 'stacks', 'folded text', warn);
  const trie = new StackTrie();
  const weights = new Map<number, number>();
  for await (const stacks of first.batches('stack')) {
    for (const { stack, weight } of stacks) {
      if (weight <= 0) continue;
      // What would be read as another frame is what folding tools make of it.
      const node = trie.add(stack.map((frame) => frame.replaceAll(';', ':').replace(/[\r\n]/g, ' ')));
      weights.set(node, (weights.get(node) ?? 0) + weight);
    }
  }
  const lines = [...weights].map(([node, weight]) => `${trie.stackOf(node).join(';')} ${weight}\n`);
  lines.sort(bytewise);
  yield* lines;
}

/** As `LC_ALL=C sort` has it: UTF-8 sorts as its code points do, which JavaScript's order of code units is not quite. */
function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
