import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { answerable, groupSections, makeFilter } from '../../src/analysis/select.ts';
import { sectionStats } from '../../src/analysis/stats.ts';
import { loadConfig } from '../../src/common/config.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { textWidth } from '../../src/common/text.ts';
import { type DisplayOptions, runDisplay } from '../../src/display/controller.ts';
import { displayConfigSections, type ViewName } from '../../src/display/registry.ts';
import type { PageManifest } from '../../src/display/shape/page.ts';
import { decodePage } from '../../src/display/web/decode.ts';
import { readCpel } from '../support/cpel.ts';
import { headerOf, type TestSection, tempFolder, textFile, writeFile } from '../support/data-files.ts';
import { readPng } from './png.ts';
import { drawnFrames, parseXml, shownTexts } from './svg.ts';

/*
 * Every view, in every format, with every combination of the flags that narrow or shape it: each flag does what it says, and what is
 * shown comes to what `marple stats` says of the same part of the data.
 */

const END = '2026-03-01T09:30:10.000Z';
const PROCESSES = [
  ['10', 'fio'],
  ['11', 'fio'],
  ['20', 'nginx'],
  ['30', 'ssh'],
  ['40', 'ssh'],
] as const;
const of = (i: number) => PROCESSES[i % 5]!;
const seconds = { label: 'time', unit: 's' };

const SECTIONS: readonly TestSection[] = [
  {
    header: headerOf('stack', { interface: 'callstack', end: END, weight: { label: 'samples', unit: 'samples' } }),
    records: [
      { weight: 240, stack: ['fio', 'main', 'read'] },
      { weight: 120, stack: ['nginx', 'main', 'write'] },
      { weight: 240, stack: ['ssh', 'main', 'send'] },
    ],
  },
  {
    header: headerOf('event', { interface: 'callstack', end: END, fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
    records: Array.from({ length: 600 }, (_, i) => {
      const [pid, comm] = of(i);
      const datum = [String(['fio', 'nginx', 'ssh'].indexOf(comm)), String(i % 2), pid, pid, '1'];
      return { time: Math.round(i * 1.65e7), type: 'cpu-clock', datum };
    }),
  },
  {
    header: headerOf('datapoint', {
      interface: 'disklat',
      end: END,
      x: seconds,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid'],
    }),
    records: Array.from({ length: 500 }, (_, i) => {
      const [pid, comm] = of(i);
      return { x: i / 50, y: 1 + ((i * 7) % 13), info: [comm, pid] };
    }),
  },
  {
    header: headerOf('event', {
      interface: 'cpusched',
      end: END,
      cpus: 1,
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
    }),
    records: Array.from({ length: 300 }, (_, i) => {
      const [from, to] = [of(i), of(i + 1)];
      return { time: Math.round(i * 3.3e7) + 1000, type: 'switch', datum: ['0', ...from, ...to, 'S'] };
    }),
  },
];

interface Case {
  readonly view: ViewName;
  readonly pick: readonly number[];
  readonly formats: readonly string[];
}

const CASES: readonly Case[] = [
  { view: 'flamegraph', pick: [1], formats: ['svg', 'html', 'txt'] },
  { view: 'treemap', pick: [1], formats: ['html', 'txt'] },
  { view: 'heatmap', pick: [2], formats: ['png', 'html', 'txt'] },
  { view: 'heatmap', pick: [3], formats: ['png', 'html', 'txt'] },
  { view: 'stackplot', pick: [3], formats: ['png', 'html', 'txt'] },
  { view: 'plot', pick: [4], formats: ['png', 'html', 'txt'] },
  { view: 'g2', pick: [4], formats: ['cpel'] },
  { view: 'report', pick: [1, 2, 3, 4], formats: ['html', 'txt'] },
];

const TITLE = 'A title of my own';
const FLAGS = {
  time: { from: 2, to: 7 },
  pid: { pids: [10, 40] },
  comm: { comm: '^fio$' },
  title: { title: TITLE },
  size: { width: 920, height: 640 },
} as const;
type Flag = keyof typeof FLAGS;
const NAMES = Object.keys(FLAGS) as Flag[];
const SUBSETS: readonly (readonly Flag[])[] = Array.from({ length: 2 ** NAMES.length }, (_, bits) =>
  NAMES.filter((__, i) => (bits >> i) & 1),
);

let input: string;
let folder: string;
beforeAll(async () => {
  const { mkdtempSync, rmSync } = await import('node:fs');
  folder = mkdtempSync('/tmp/marple-test-flags-');
  input = join(folder, 'x.marple');
  await writeFile(input, SECTIONS);
  return () => rmSync(folder, { recursive: true });
});

async function draw({ view, pick }: Case, format: string, flags: readonly Flag[]) {
  const path = join(folder, `x.${format}`);
  const own: Partial<DisplayOptions> = Object.assign({}, ...flags.map((flag) => FLAGS[flag]));
  const config = loadConfig(displayConfigSections(), [textFile('[flamegraph]\nengine = builtin\n', 'config.txt')]);
  const options = { inputs: [input], output: path, view, pick, open: false, force: true, ...own };
  const { outputs } = await runDisplay(options, { config, tempDir: tempFolder() });
  return { bytes: readFileSync(path), notes: outputs[0]!.notes };
}

/** What stats says of each section that was picked: records, and of stacks the weight. */
async function expected(pick: readonly number[], flags: readonly Flag[]): Promise<number[]> {
  const filter = makeFilter(
    Object.assign({}, ...flags.filter((flag) => flag !== 'title' && flag !== 'size').map((flag) => FLAGS[flag])),
  );
  const file = await openDataFile(input);
  try {
    const counts: number[] = [];
    for (const group of groupSections(file.sections, new Set(pick))) {
      for (const section of group.shown) {
        const options = { filter: answerable(group, section, filter), by: 'comm', top: 10 } as const;
        const { records, stacks } = await sectionStats(group, section, options);
        counts.push(stacks?.total ?? records);
      }
    }
    return counts;
  } finally {
    await file.close();
  }
}

/** What a picture shows of each section, as far as it can be read from it. */
async function shown({ view, pick }: Case, format: string, bytes: Buffer): Promise<number[] | undefined> {
  switch (format) {
    case 'svg': {
      const [root] = drawnFrames(parseXml(bytes));
      return [root === undefined ? 0 : Number(root.total.split(' ')[0]!.replaceAll(',', ''))];
    }
    case 'html': {
      const manifest = manifestOf(bytes);
      const data = /id="data">([^<]*)</.exec(bytes.toString())![1]!;
      const sections = await decodePage(manifest, data, () => undefined);
      return manifest.sections.flatMap(({ number }, i) => {
        if (!pick.includes(number)) return [];
        const { stacks, columns } = sections[i]!;
        return [stacks === undefined ? columns[0]!.length : stacks.weights.reduce((a, b) => a + b, 0)];
      });
    }
    case 'txt': {
      // A line may end before or within what is looked for.
      const text = bytes
        .toString()
        .replace(/·\n|(?<=\d)\n(?=samples|records|events)/g, (end) => end.replace('\n', ' '));
      const numbers = [...text.matchAll(/(?:· |^)([\d,]+) (?:samples|records|events)\b(?! hidden)/gm)];
      const counts = numbers.map(([, count]) => Number(count!.replaceAll(',', '')));
      // Of the report each interface has a view: the samples of callstack are told with its stacks.
      return view === 'report' ? [counts[0]!, counts[0]!, ...counts.slice(1, 3)] : counts.slice(0, 1);
    }
    case 'cpel':
      return [readCpel(bytes).events.length];
    default:
      return undefined;
  }
}

function manifestOf(bytes: Buffer): PageManifest {
  return JSON.parse(/id="manifest">([^<]*)</.exec(bytes.toString())![1]!) as PageManifest;
}

function titleOf(format: string, bytes: Buffer): string | undefined {
  if (format === 'html') return manifestOf(bytes).title;
  if (format === 'svg') return shownTexts(parseXml(bytes))[0];
  return format === 'txt' ? /^(.*?) {2,}Drawn by/.exec(bytes.toString())![1] : undefined;
}

function checkSize(format: string, bytes: Buffer): void {
  const { width, height } = FLAGS.size;
  if (format === 'png') expect(readPng(bytes)).toMatchObject({ width, height });
  else if (format === 'html') expect(manifestOf(bytes)).toMatchObject({ width, height });
  else if (format === 'svg') expect(parseXml(bytes).attributes['width']).toBe(String(width));
  else if (format === 'txt') {
    expect(Math.max(...bytes.toString().split('\n').map(textWidth))).toBeLessThanOrEqual(width / 8);
  }
}

/** Flags that a format has no place for: that is noted. */
function isUnused(flag: Flag, format: string): boolean {
  return format === 'cpel' && (flag === 'title' || flag === 'size');
}

describe.each(CASES.flatMap((one) => one.formats.map((format) => [one.view, one.pick.join(), format, one] as const)))(
  '%s of section %s as %s',
  (_, __, format, one) => {
    it('takes any flags together, does what each says, and shows what stats tells', async () => {
      const drawn = new Map<string, Buffer>();
      for (const flags of SUBSETS) {
        const { bytes, notes } = await draw(one, format, flags);
        drawn.set(flags.join(), bytes);
        const numbers = await shown(one, format, bytes);
        if (numbers !== undefined) expect([flags, numbers]).toEqual([flags, await expected(one.pick, flags)]);
        if (flags.includes('title') && !isUnused('title', format) && format !== 'png') {
          expect(titleOf(format, bytes)).toBe(TITLE);
        }
        if (flags.includes('size')) checkSize(format, bytes);
        const unused = flags.filter((flag) => isUnused(flag, format));
        if (unused.length > 0) expect(notes.join()).toContain('not used');
        // Every flag changes the picture, whatever others there are.
        for (const flag of flags) {
          const without = drawn.get(flags.filter((other) => other !== flag).join())!;
          if (!isUnused(flag, format)) expect([flags, flag, without.equals(bytes)]).toEqual([flags, flag, false]);
        }
      }
    });
  },
);
