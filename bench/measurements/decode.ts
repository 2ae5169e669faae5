import { join } from 'node:path';
import { program } from '../contestants.ts';
import { allocating, switching } from '../inputs/loads.ts';
import { bytesIn, recording } from '../inputs/recordings.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';
import type { Command } from '../process.ts';

/** What comes after recording: recordings of a busy machine to a data file, beside what perf takes to print the same. */
export const decode: Measurement = {
  name: 'decode',
  summary: 'recordings of a busy machine to data files (needs root), beside perf script',
  races,
};

const SECONDS = 10;

async function* races({ inputs, programs, scratch }: Bench): AsyncGenerator<Race> {
  const output = join(scratch, 'x.marple');
  for (const { name, flags, load, isPerf } of RECORDINGS) {
    const folder = await recording(inputs, programs, name, flags, load, SECONDS);
    const data = join(folder, 'recordings', name, 'perf.data');
    yield {
      title: `${name}, ${SECONDS} busy seconds`,
      bytes: await bytesIn(folder),
      contestants: [
        program('marple', programs.marple('import', folder, '-o', output, '--force', '-q')),
        ...(isPerf ? [program('perf script', ['perf', 'script', '-i', data, '--no-inline', '-F', FIELDS])] : []),
      ],
      goals: [{ of: 'marple', mebibytes: 400 }],
    };
  }
}

const FIELDS = 'comm,pid,tid,cpu,time,event,ip,sym,dso';

interface Recorded {
  readonly name: string;
  readonly flags: readonly string[];
  readonly isPerf: boolean;
  load(seconds: number): Command;
}

const RECORDINGS: readonly Recorded[] = [
  { name: 'cpusched', flags: ['--cpu'], load: switching, isPerf: false },
  { name: 'offcpu', flags: ['--cpu=off'], load: switching, isPerf: true },
  { name: 'callstack', flags: ['--stack', '-F', '4999'], load: switching, isPerf: true },
  // perf script does not take the file of a perf that was killed before it had completed it.
  { name: 'perf_malloc', flags: ['--mem=malloc_calls'], load: allocating, isPerf: false },
];
