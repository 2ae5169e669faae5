import { join } from 'node:path';
import { program } from '../contestants.ts';
import { eventFile, mixedFile, pointFile } from '../inputs/data-files.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Goal, Measurement, Race } from '../measurement.ts';

/** What is asked of a data file of any size: read, written, listed, counted. */
export const dataFile: Measurement = {
  name: 'data-file',
  summary: 'reading, writing, listing and counting data files of ten million records and of 2 GB',
  races,
};

const RECORDS = 10_000_000;
/** Whatever the size of the file. */
const LITTLE: Goal = { of: 'marple', mebibytes: 400 };

async function* races({ inputs, programs, scratch }: Bench): AsyncGenerator<Race> {
  for (const [what, make] of [
    ['points', pointFile],
    ['events', eventFile],
  ] as const) {
    const file = await make(inputs, RECORDS);
    const bytes = await sizeOf(file);
    const output = join(scratch, 'out.marple');
    // What tools take that do nothing but look at each byte, or copy it to the disk.
    const wc = program('wc -lw', ['wc', '-lw', file]);
    const copy = program('dd fsync', ['dd', `if=${file}`, `of=${join(scratch, 'copy')}`, 'bs=1M', 'conv=fsync']);
    for (const how of ['columns', 'records']) {
      yield {
        title: `${RECORDS} ${what} read as ${how}`,
        bytes,
        contestants: [program('marple', programs.part('read', file, how)), wc],
        goals: [{ of: 'marple', megabytesPerCpuSecond: 150 }, LITTLE],
      };
    }
    yield {
      title: `${RECORDS} ${what} written`,
      bytes,
      contestants: [program('marple', programs.part('write', file, String(RECORDS), output)), copy],
      goals: [{ of: 'marple', megabytesPerCpuSecond: 100 }, LITTLE],
    };
    yield {
      title: `stats of ${RECORDS} ${what}`,
      bytes,
      contestants: [program('marple', programs.marple('stats', '-i', file)), wc],
      goals: [LITTLE],
    };
    yield {
      title: `${RECORDS} ${what} read and written again`,
      bytes,
      contestants: [
        program('marple', programs.marple('export', '-i', file, '--format', 'marple', '-o', output, '--force')),
        copy,
      ],
      goals: [LITTLE],
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
    goals: [{ of: 'marple', seconds: 10 }, LITTLE],
  };
  const mixed = await mixedFile(inputs, RECORDS);
  yield {
    title: `display -l of five sections`,
    bytes: await sizeOf(mixed),
    contestants: [program('marple', programs.marple('display', '-l', '-i', mixed))],
    goals: [{ of: 'marple', seconds: 0.3 }],
  };
}
