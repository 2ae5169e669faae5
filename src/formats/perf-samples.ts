import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Report } from '../common/section.ts';
import { Demangler } from './demangler.ts';
import type { RawRecord } from './event-format.ts';
import type { ModuleSource } from './modules.ts';
import { type FileExit, type FileRecord, type FileSample, type FileSwitch, PerfFile } from './perf-file.ts';
import type { PerfFork, PerfLost, PerfSample } from './perf-script.ts';
import { PerfSymbols } from './perf-symbols.ts';

/** A sample with its time in nanoseconds since the origin, undefined where it has none. */
export interface TimedSample {
  readonly kind: 'sample';
  readonly sample: PerfSample;
  readonly since: number | undefined;
  /** The tracepoint's own record, and its id. */
  readonly raw: RawRecord | undefined;
  readonly config: number;
}

export interface NamedSwitch extends FileSwitch {
  readonly comm: string;
}

export type TimedRecord = TimedSample | PerfFork | PerfLost | NamedSwitch | FileExit;

/** Records that are handled between two rests, so that what else runs has its turns. */
const SLICE = 20_000;
/** Records given at once: few enough to be done with before they have become old for V8's garbage collector. */
const GROUP = 100;

/**
 * The samples of a perf.data in the order of their times, with the names of their functions, and what else matters for
 * them: tasks that begin, end and switch, and lost records. For frame pointers only: DWARF's copies of stacks have to be
 * unwound by perf. `amend` may change a sample before its frames get their names, which `modules` have. What could not be
 * read is told to the report.
 * @throws DamagedFileError where it is no perf.data.
 */
export async function* perfSamples(
  path: string,
  origin: bigint,
  report: Report,
  {
    modules,
    amend = (sample) => sample,
  }: {
    readonly modules?: ModuleSource | undefined;
    readonly amend?: (sample: FileSample) => FileSample;
  } = {},
): AsyncGenerator<TimedRecord[]> {
  const symbols = PerfSymbols.create(modules);
  const demangler = new Demangler();
  const file = new PerfFile(path, origin);
  try {
    let group: TimedRecord[] = [];
    let rest = SLICE;
    let mangled = 0;
    for (const record of file.records()) {
      followRecord(record, symbols);
      const named = withNames(record.kind === 'sample' ? amend(record) : record, symbols);
      if (named !== undefined) group.push(named);
      if (group.length < GROUP) continue;
      if (symbols.isMangled) mangled += await symbols.demangle(demangler);
      rest -= group.length;
      yield group;
      group = [];
      if (rest > 0) continue;
      rest = SLICE;
      await yieldToOthers();
    }
    mangled += await symbols.demangle(demangler);
    yield group;
    if (mangled > 0)
      report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
    if (file.damaged > 0) report.warn(`${file.damaged} records of perf's file could not be read`);
  } finally {
    file.close();
    await demangler.close();
  }
}

/** Which task is which, and what code it has where. */
export function followRecord(record: FileRecord, symbols: PerfSymbols): void {
  if (record.kind === 'name') symbols.name(record);
  else if (record.kind === 'mapping') symbols.mapping(record);
  else if (record.kind === 'fork') symbols.fork(record);
  else if (record.kind === 'exit') symbols.exit(record);
}

function withNames(record: FileRecord, symbols: PerfSymbols): TimedRecord | undefined {
  switch (record.kind) {
    case 'fork':
      return { ...record, comm: symbols.commOf(record.tid) };
    case 'switch': {
      // Written out: there may be millions.
      const { kind, time, pid, tid, cpu, isOut, isPreempted } = record;
      return { kind, time, pid, tid, cpu, isOut, isPreempted, comm: symbols.commOf(tid) };
    }
    case 'lost':
    case 'exit':
      return record;
    case 'sample': {
      const { pid, tid, cpu, period, event, time, raw } = record;
      const { frames, number } = symbols.stack(record);
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
        stack: number,
      };
      return { kind: 'sample', sample, since: time, raw, config: event.config };
    }
    default:
      return undefined;
  }
}
