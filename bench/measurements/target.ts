import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SCHED_EVENTS } from '../../src/formats/sched.ts';
import { compiling, reading } from '../inputs/loads.ts';
import type { Bench, Contestant, Measurement, Race } from '../measurement.ts';
import { type Command, runCommand } from '../process.ts';

/**
 * What recording costs the machine: how much longer work takes, and what the recorder itself uses meanwhile (with its tools; in
 * the columns of CPU and memory). Needs root.
 */
export const target: Measurement = {
  name: 'target',
  summary: 'how much longer a compilation and direct reads take while they are recorded, and what the recorder uses',
  races,
};

/** Of one core, while it records. */
const SHARE = 0.01;
const MIB = 80;

async function* races(bench: Bench): AsyncGenerator<Race> {
  const perf = (what: string, ...args: readonly string[]) =>
    recorder(`perf record ${what}`, (command) => [
      ...['perf', 'record', '-q', '-a', '-o', join(bench.scratch, 'perf.data')],
      ...[...args, '--', ...command],
    ]);
  const marple = (...args: readonly string[]) =>
    recorder(`marple ${args.join(' ')}`, (command) =>
      bench.programs.marple(
        'collect',
        ...args,
        '-a',
        '-q',
        '--force',
        '-o',
        join(bench.scratch, 'x.marple'),
        '--',
        ...command,
      ),
    );
  const race = (title: string, load: Command, ...recorders: readonly Recorder[]): Race => {
    const events = recorders.filter(({ name }) => EVENTS.has(name)).map(({ name }) => name);
    return {
      title,
      contestants: [watched(bench, NOBODY, load), ...recorders.map((each) => watched(bench, each, load))],
      goals: events.flatMap((of) => [
        { of, share: SHARE },
        { of, mebibytes: MIB },
      ]),
    };
  };
  yield race(
    'a compilation, recorded',
    await compiling(bench.inputs),
    marple('--stack'),
    perf('-g', '-F', '99', '-g'),
    marple('--cpu'),
    perf('of the same events', ...named(SCHED_EVENTS)),
    marple('--cpu=off'),
    perf('of switches -g', '-e', 'sched:sched_switch', '-g', '--switch-events'),
    marple('--mem'),
    marple('--system'),
    marple('--ipc'),
    marple('--stack', '--disk', '--mem'),
  );
  yield race(
    'direct reads, recorded',
    await reading(bench.inputs),
    marple('--disk'),
    marple('--disk=block_requests'),
    perf('of the same events', ...named(['block:block_rq_issue', 'block:block_rq_complete'])),
    marple('--cpu'),
    marple('--stack', '--disk', '--mem'),
  );
}

/** Interfaces whose events MARPLE itself takes from the kernel, without a tool. */
const EVENTS = new Set(['marple --cpu', 'marple --disk', 'marple --disk=block_requests', 'marple --ipc']);

function named(events: readonly string[]): string[] {
  return events.flatMap((event) => ['-e', event]);
}

interface Recorder {
  readonly name: string;
  /** The command that records another. */
  record(command: Command): Command;
}

function recorder(name: string, record: Recorder['record']): Recorder {
  return { name, record };
}

const NOBODY = recorder('not recorded', (command) => command);

/** What bench/parts/watch.ts writes. */
interface Watched {
  readonly seconds: number;
  readonly recorder: { readonly cpu: number; readonly peak: number };
  readonly tools: { readonly cpu: number; readonly peak: number };
}

function watched({ programs, scratch }: Bench, { name, record }: Recorder, load: Command): Contestant {
  return {
    name,
    run: async () => {
      const output = join(scratch, 'watched.json');
      await runCommand(record([...programs.part('watch', output), ...load]));
      const { seconds, recorder: own, tools } = JSON.parse(await readFile(output, 'utf8')) as Watched;
      // Where nobody records, the parent is what measures.
      if (name === NOBODY.name) return { seconds, cpu: 0, peak: 0 };
      return { seconds, cpu: own.cpu + tools.cpu, peak: own.peak + tools.peak };
    },
  };
}
