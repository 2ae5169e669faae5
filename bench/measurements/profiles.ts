import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programs as pipelineOf, program } from '../contestants.ts';
import {
  bootName,
  foldedText,
  perfData,
  perfScript,
  perfText,
  recordedStacks,
  stackFile,
  wholeText,
} from '../inputs/profiles.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Contestant, Measurement, Race } from '../measurement.ts';
import type { Command } from '../process.ts';

/** From what perf recorded to folded stacks and to a flame graph, beside the programs that people use for that. */
export const profiles: Measurement = {
  name: 'profiles',
  summary:
    'perf.data and text of perf script to folded stacks, a million stacks to a flame graph, beside FlameGraph and inferno',
  races,
};

const TEXT_BYTES = 200e6;
/** How many, and the seconds that they may take. */
const STACKS = [
  [18_533, 0.2],
  [1_000_000, 3],
] as const;
const ENGINES = ['flamegraph.pl', 'builtin'] as const;

async function* races(bench: Bench): AsyncGenerator<Race> {
  const { inputs, programs, scratch } = bench;
  const boot = bootName();
  const folded = join(scratch, 'out.folded');
  const marple = (input: string): Contestant =>
    program('marple', programs.marple('export', '-i', input, '--format', 'folded', '-o', folded, '--force', '-q'));
  /** The peers that are there: each takes a name and the rest of its arguments. */
  const peers = (of: (path: string) => readonly Command[], ...names: readonly string[]): Contestant[] =>
    names.flatMap((name) => {
      const path = programs.find(name);
      if (path === undefined) bench.absent(name, 'it is not installed; --path FOLDER says where it is');
      return path === undefined ? [] : [pipelineOf(name, of(path), { stdout: folded })];
    });

  for (const text of [await perfText(inputs, boot, TEXT_BYTES), await wholeText(inputs, boot)]) {
    const bytes = await sizeOf(text);
    yield {
      title: `text of perf script to folded, ${Math.round(bytes / 1e6)} MB`,
      bytes,
      contestants: [
        marple(text),
        program('marple import', programs.marple('import', text, '-o', '-', '-q')),
        ...peers((path) => [[path, text]], 'stackcollapse-perf.pl'),
        ...peers((path) => [[path, '-n', '1', text]], 'inferno-collapse-perf'),
      ],
      goals: [{ of: 'marple', mebibytes: 250 }],
    };
  }
  const data = await perfData(inputs, boot);
  yield {
    title: 'perf.data to folded',
    bytes: await sizeOf(data),
    contestants: [
      marple(data),
      program('perf script alone', perfScript(data)),
      ...peers((path) => [perfScript(data), [path]], 'stackcollapse-perf.pl', 'inferno-collapse-perf'),
    ],
    goals: [{ of: 'marple', seconds: 2 }],
  };
  const svg = join(scratch, 'out.svg');
  for (const engine of ENGINES) {
    const config = join(scratch, engine, 'marple/config.txt');
    mkdirSync(dirname(config), { recursive: true });
    writeFileSync(config, `[flamegraph]\nengine = ${engine}\n`);
  }
  const drawing = async (title: string, lines: string): Promise<Race> => {
    const stacks = await stackFile(inputs, programs, lines);
    const drawn = programs.marple('display', '-i', stacks, '-fg', '-o', svg, '--force', '--no-open', '-q');
    return {
      title,
      bytes: await sizeOf(lines),
      contestants: [
        program('marple', drawn),
        ...ENGINES.map((engine) =>
          program(`marple, engine = ${engine}`, ['env', `XDG_CONFIG_HOME=${join(scratch, engine)}`, ...drawn]),
        ),
        ...peers((path) => [[path, lines]], 'flamegraph.pl', 'inferno-flamegraph'),
      ],
    };
  };
  yield await drawing('the stacks of 200 MB of text to SVG', await recordedStacks(inputs, programs, boot, TEXT_BYTES));
  for (const [count, seconds] of STACKS) {
    yield {
      ...(await drawing(`${count} different stacks to SVG`, await foldedText(inputs, count))),
      goals: [
        { of: 'marple', seconds },
        { of: 'marple', mebibytes: 500 },
      ],
    };
  }
}
