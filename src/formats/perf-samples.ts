import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Report } from '../common/section.ts';
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

/**
 * The samples of a perf.data in the order of their times, with the names of their functions, and what else matters for
 * them: tasks that begin, end and switch, and lost records. For frame pointers only: DWARF's copies of stacks have to be
 * unwound by perf. The file is read twice, since C++ names are demangled in one go; `first` is told each record of the
 * first reading. Records come in groups, to be gone through before the next one is asked for. `amend` may change a sample before its frames get their names, which `modules` have. What could not be
 * read is told to the report.
 * @throws DamagedFileError where it is no perf.data.
 */
export async function* perfSamples(
  path: string,
  origin: bigint,
  report: Report,
  {
    modules,
    first = () => undefined,
    amend = (sample) => sample,
  }: {
    readonly modules?: ModuleSource | undefined;
    readonly first?: (record: FileRecord) => void;
    readonly amend?: (sample: FileSample) => FileSample;
  } = {},
): AsyncGenerator<Iterable<TimedRecord>> {
  const symbols = PerfSymbols.create(modules);
  await meetNames(path, origin, symbols, first, amend);
  const mangled = await symbols.demangle();
  if (mangled > 0)
    report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
  yield* namedRecords(path, origin, symbols.again(), report, amend);
}

/** The first reading: meets all names. */
async function meetNames(
  path: string,
  origin: bigint,
  symbols: PerfSymbols,
  first: (record: FileRecord) => void,
  amend: (sample: FileSample) => FileSample,
): Promise<void> {
  const file = new PerfFile(path, origin);
  try {
    let rest = SLICE;
    for (const record of file.records()) {
      first(record);
      if (record.kind === 'sample') symbols.frames(amend(record));
      else followRecord(record, symbols);
      if (--rest > 0) continue;
      rest = SLICE;
      await yieldToOthers();
    }
  } finally {
    file.close();
  }
}

async function* namedRecords(
  path: string,
  origin: bigint,
  symbols: PerfSymbols,
  report: Report,
  amend: (sample: FileSample) => FileSample,
): AsyncGenerator<Iterable<TimedRecord>> {
  const file = new PerfFile(path, origin);
  try {
    const records = file.records();
    const end = { isReached: false };
    while (!end.isReached) {
      yield someNamed(records, symbols, amend, end);
      await yieldToOthers();
    }
    if (file.damaged > 0) report.warn(`${file.damaged} records of perf's file could not be read`);
  } finally {
    file.close();
  }
}

/** The next records, each made when it is asked for: what is done with at once costs V8's garbage collector nothing. */
function* someNamed(
  records: Iterator<FileRecord>,
  symbols: PerfSymbols,
  amend: (sample: FileSample) => FileSample,
  end: { isReached: boolean },
): Generator<TimedRecord> {
  for (let rest = SLICE; rest > 0; rest--) {
    const { value: record, done } = records.next();
    if (done === true) {
      end.isReached = true;
      return;
    }
    followRecord(record, symbols);
    const named = withNames(record.kind === 'sample' ? amend(record) : record, symbols);
    if (named !== undefined) yield named;
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
      return { kind: 'sample', sample, since: time, raw, config: event.config };
    }
    default:
      return undefined;
  }
}
