import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Report } from '../common/section.ts';
import type { RawRecord } from './event-format.ts';
import { type FileExit, type FileRecord, type FileSwitch, PerfFile } from './perf-file.ts';
import type { PerfFork, PerfLost, PerfSample } from './perf-script.ts';
import { PerfSymbols } from './perf-symbols.ts';

/** A sample with its time in nanoseconds since the origin, undefined where it has none. */
export interface TimedSample {
  readonly kind: 'sample';
  readonly sample: PerfSample;
  readonly since: number | undefined;
  /** The tracepoint's own record. */
  readonly raw: RawRecord | undefined;
}

export interface NamedSwitch extends FileSwitch {
  readonly comm: string;
}

export type TimedRecord = TimedSample | PerfFork | PerfLost | NamedSwitch | FileExit;

/** Records that are handled between two rests, so that what else runs has its turns. */
const SLICE = 20_000;

/**
 * The samples of a perf.data in the order of their times, with the names of their functions, and what else matters for
 * them: tasks that begin, end and switch, and lost records. For frame pointers only: DWARF's copies of stacks have to be
 * unwound by perf. The file is read twice, since C++ names are demangled in one go; `first` is told each record of the
 * first reading. What could not be read is told to the report.
 * @throws DamagedFileError where it is no perf.data.
 */
export async function* perfSamples(
  path: string,
  origin: bigint,
  report: Report,
  first: (record: FileRecord) => void = () => undefined,
): AsyncGenerator<TimedRecord[]> {
  const symbols = PerfSymbols.create();
  for await (const _ of pass(path, origin, symbols, first));
  const mangled = await symbols.demangle();
  if (mangled > 0)
    report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
  yield* pass(path, origin, symbols.again(), () => undefined, report);
}

async function* pass(
  path: string,
  origin: bigint,
  symbols: PerfSymbols,
  seen: (record: FileRecord) => void,
  report?: Report,
): AsyncGenerator<TimedRecord[]> {
  const file = new PerfFile(path, origin);
  try {
    let group: TimedRecord[] = [];
    for (const record of file.records()) {
      seen(record);
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
        case 'switch':
          group.push({ ...record, comm: symbols.commOf(record.tid) });
          break;
        case 'lost':
        case 'exit':
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
          group.push({ kind: 'sample', sample, since: time, raw: record.raw });
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
