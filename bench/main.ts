import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Inputs } from './inputs.ts';
import type { Bench, Contestant, Measurement, Race, Sample } from './measurement.ts';
import { TIME } from './process.ts';
import { Programs } from './programs.ts';
import { MEASUREMENTS } from './registry.ts';
import { type Outcome, outcomeOf, raceText } from './report.ts';

const USAGE = `npm run bench -- [MEASUREMENT ...] [--race TEXT] [--runs COUNT] [--path FOLDER] [--inputs FOLDER] [--json FILE] [--list]

  --race TEXT      only races whose title holds this
  --runs COUNT     runs of each contestant, 5; the medians are printed
  --path FOLDER    where programs are that are not in PATH (inferno's, FlameGraph's); may be repeated
  --inputs FOLDER  where inputs are kept, bench/cache
  --json FILE      what was measured, for bench/plot.ts and others
  --list           what can be measured
`;

/** A race and what came of it; --json writes these. */
export interface Result {
  readonly measurement: string;
  readonly title: string;
  readonly series: string | undefined;
  readonly bytes: number | undefined;
  readonly outcomes: readonly Outcome[];
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      race: { type: 'string', default: '' },
      runs: { type: 'string', default: '5' },
      path: { type: 'string', multiple: true, default: [] },
      inputs: { type: 'string', default: 'bench/cache' },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(USAGE);
  if (values.list) return say(MEASUREMENTS.map(({ name, summary }) => `${name}: ${summary}`).join('\n'));
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a count, not ${values.runs}`);
  await access(TIME).catch(() => {
    throw new Error(`${TIME} is needed: sudo apt-get install time`);
  });
  say(
    `${cpus()[0]?.model}, ${availableParallelism()} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`,
  );
  const results: Result[] = [];
  for (const measurement of measurementsNamed(positionals)) {
    const { races, name } = measurement;
    const only = (bench: Bench) => filtered(races(bench), ({ title }) => title.includes(values.race));
    results.push(
      ...(await measure({ name, races: only }, runs, new Inputs(values.inputs, say), new Programs(values.path))),
    );
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 1)}\n`);
  }
}

function measurementsNamed(names: readonly string[]): readonly Measurement[] {
  const unknown = names.find((name) => !MEASUREMENTS.some((measurement) => measurement.name === name));
  if (unknown !== undefined) throw new Error(`there is no measurement ${unknown}; see npm run bench -- --list`);
  return MEASUREMENTS.filter(({ name }) => names.length === 0 || names.includes(name));
}

async function* filtered<T>(items: AsyncIterable<T>, isWanted: (item: T) => boolean): AsyncGenerator<T> {
  for await (const item of items) if (isWanted(item)) yield item;
}

async function measure(
  measurement: Pick<Measurement, 'name' | 'races'>,
  runs: number,
  inputs: Inputs,
  programs: Programs,
): Promise<Result[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'marple-bench-'));
  const bench: Bench = { inputs, programs, scratch, absent: (name, why) => say(`${name} does not take part: ${why}`) };
  const results: Result[] = [];
  try {
    for await (const race of measurement.races(bench)) {
      const outcomes = await run(race, runs);
      say(`\n${measurement.name}: ${raceText(race, outcomes)}`);
      results.push({
        measurement: measurement.name,
        title: race.title,
        series: race.series,
        bytes: race.bytes,
        outcomes,
      });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return results;
}

/** All contestants in turn, round by round; one round more than is counted, in which files come into memory. */
async function run({ contestants }: Race, runs: number): Promise<Outcome[]> {
  const samples = new Map<Contestant, Sample[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round <= runs; round++) {
    for (const contestant of contestants) {
      const sample = await contestant.run();
      if (round > 0) samples.get(contestant)!.push(sample);
    }
  }
  return [...samples].map(([{ name }, all]) => outcomeOf(name, all));
}

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
