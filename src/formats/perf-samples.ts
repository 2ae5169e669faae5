import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Report } from '../common/section.ts';
import { PerfFile } from './perf-file.ts';
import type { PerfFork, PerfLost, PerfSample } from './perf-script.ts';
import { PerfSymbols } from './perf-symbols.ts';

/** A sample with its time in nanoseconds since the origin, undefined where it has none. */
export interface TimedSample {
  readonly kind: 'sample';
  readonly sample: PerfSample;
  readonly since: number | undefined;
}

export type TimedRecord = TimedSample | PerfFork | PerfLost;

/** Records that are handled between two rests, so that what else runs has its turns. */
const SLICE = 20_000;

/**
 * The samples of a perf.data in the order of their times, with the names of their functions, and what else matters for
 * them: new tasks and lost records. For frame pointers only: DWARF's copies of stacks have to be unwound by perf. The
 * file is read twice, since C++ names are demangled in one go. What could not be read is told to the report.
 * @throws DamagedFileError where it is no perf.data.
 */
export async function* perfSamples(path: string, origin: bigint, report: Report): AsyncGenerator<TimedRecord[]> {
  const first = PerfSymbols.create();
  for await (const _ of pass(path, origin, first));
  const mangled = await first.demangle();
  if (mangled > 0)
    report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
  yield* pass(path, origin, first.again(), report);
}

async function* pass(
  path: string,
  origin: bigint,
  symbols: PerfSymbols,
  report?: Report,
): AsyncGenerator<TimedRecord[]> {
  const file = new PerfFile(path, origin);
  try {
    let group: TimedRecord[] = [];
    for (const record of file.records()) {
      switch (record.kind) {
        case 'name':
          symbols.name(record);
          break;
        case 'mapping':
          symbols.mapping(record);
          break;
        case 'fork':
          symbols.fork(record);
          group.push({ ...record, comm: symbols.commOf(record.tid) });
          break;
        case 'lost':
          group.push(record);
          break;
        case 'sample': {
          const { pid, tid, cpu, period, event, time } = record;
          const frames = symbols.frames(record);
          const comm = symbols.commOf(tid);
          const sample: PerfSample = {
            kind: 'sample',
            comm,
            pid,
            tid,
            cpu,
            time: undefined,
            period,
            event: event.name,
            frames,
          };
          group.push({ kind: 'sample', sample, since: time });
        }
      }
      if (group.length < SLICE) continue;
      if (report !== undefined) yield group;
      group = [];
      await yieldToOthers();
    }
    if (report !== undefined) yield group;
    if (file.damaged > 0) report?.warn(`${file.damaged} records of perf's file could not be read`);
  } finally {
    file.close();
  }
}
