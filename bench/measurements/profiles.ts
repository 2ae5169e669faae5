import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programs as pipelineOf, program } from '../contestants.ts';
import { bootName, foldedText, perfData, perfScript, perfText, stackFile, wholeText } from '../inputs/profiles.ts';
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
/** Where MARPLE takes the script by itself no more. */
const SCRIPT = 'marple, engine = flamegraph.pl';

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
  const config = join(scratch, 'marple/config.txt');
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, '[flamegraph]\nengine = flamegraph.pl\n');
  for (const [count, seconds] of STACKS) {
    const [stacks, lines] = [await stackFile(inputs, programs, count), await foldedText(inputs, count)];
    const drawn = programs.marple('display', '-i', stacks, '-fg', '-o', svg, '--force', '--no-open', '-q');
    yield {
      title: `${count} different stacks to SVG`,
      bytes: await sizeOf(lines),
      contestants: [
        program('marple', drawn),
        program(SCRIPT, ['env', `XDG_CONFIG_HOME=${scratch}`, ...drawn]),
        ...peers((path) => [[path, lines]], 'flamegraph.pl', 'inferno-flamegraph'),
      ],
      goals: [
        { of: 'marple', seconds },
        { of: 'marple', mebibytes: 500 },
      ],
    };
  }
}
