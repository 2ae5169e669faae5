import { join } from 'node:path';
import { program } from '../contestants.ts';
import { eventFile, mixedFile, pointFile } from '../inputs/data-files.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';

/** What is asked of a data file of any size: read, written, listed, counted. */
export const dataFile: Measurement = {
  name: 'data-file',
  summary: 'reading, writing, listing and counting data files of ten million records and of 2 GB',
  races,
};

const RECORDS = 10_000_000;
const MIB = 400;

async function* races({ inputs, programs, scratch }: Bench): AsyncGenerator<Race> {
  for (const [what, make] of [
    ['points', pointFile],
    ['events', eventFile],
  ] as const) {
    const file = await make(inputs, RECORDS);
    const bytes = await sizeOf(file);
    const output = join(scratch, 'out.marple');
    // What a tool that does nothing but look at each byte takes.
    const wc = program('wc -lw', ['wc', '-lw', file]);
    yield {
      title: `stats of ${RECORDS} ${what}`,
      bytes,
      contestants: [program('marple', programs.marple('stats', '-i', file)), wc],
      goals: [{ of: 'marple', mebibytes: MIB }],
    };
    yield {
      title: `${RECORDS} ${what} read and written again`,
      bytes,
      contestants: [
        program('marple', programs.marple('export', '-i', file, '--format', 'marple', '-o', output, '--force')),
        wc,
      ],
      goals: [{ of: 'marple', mebibytes: MIB }],
    };
  }
  const events = await eventFile(inputs, RECORDS);
  const cpel = join(scratch, 'out.cpel');
  yield {
    title: `CPEL of ${RECORDS} events`,
    bytes: await sizeOf(events),
    contestants: [
      program('marple', programs.marple('export', '-i', events, '--format', 'cpel', '-o', cpel, '--force')),
    ],
    goals: [
      { of: 'marple', seconds: 10 },
      { of: 'marple', mebibytes: MIB },
    ],
  };
  const mixed = await mixedFile(inputs, RECORDS);
  yield {
    title: `display -l of five sections`,
    bytes: await sizeOf(mixed),
    contestants: [program('marple', programs.marple('display', '-l', '-i', mixed))],
    goals: [{ of: 'marple', seconds: 0.3 }],
  };
}
