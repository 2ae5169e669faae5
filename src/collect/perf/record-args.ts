/** Whose samples are taken. */
export type RecordTarget = 'all' | { readonly pids: readonly number[] };

/** How callers are found: frame pointers, a copy of the stack's top and debug information, or the CPU's branch records. */
export const CALL_GRAPHS = ['fp', 'dwarf', 'lbr'] as const;
export type CallGraph = (typeof CALL_GRAPHS)[number];

/** What perf is to record. */
export interface RecordPlan {
  readonly target: RecordTarget;
  /** `sched:sched_switch`, ...; perf's own choice (cycles, or a timer) where there is none. */
  readonly events?: readonly string[];
  /** Samples per second and CPU, or one sample per so many events. */
  readonly sampling: { readonly frequency: number } | { readonly period: number };
  /** No call graph where it is missing. */
  readonly callGraph?: CallGraph;
  /** More arguments of perf record. */
  readonly extra?: readonly string[];
}

/** How the recording is run. */
export interface RecordMode {
  /** Path of the perf.data. */
  readonly output: string;
  /** Whether perf starts disabled and is told over the pipes 3 and 4 when to begin (perf 5.9 and later). */
  readonly control: boolean;
  /** Size of the ring buffer of each CPU in pages, a power of two; perf's default where it is missing. */
  readonly mmapPages?: number;
}

/**
 * Arguments of perf-record(1), without the program. Times are those of CLOCK_MONOTONIC, every sample has its CPU, and the
 * build-id cache of the user is left alone.
 */
export function recordArgs(plan: RecordPlan, mode: RecordMode): string[] {
  const { target, sampling } = plan;
  return [
    'record',
    ...['-k', 'CLOCK_MONOTONIC', '--sample-cpu', '--no-buildid-cache'],
    ...(plan.events ?? []).flatMap((event) => ['-e', event]),
    ...('frequency' in sampling ? ['-F', `${sampling.frequency}`] : ['-c', `${sampling.period}`]),
    ...(plan.callGraph === undefined ? [] : ['--call-graph', plan.callGraph]),
    ...(mode.mmapPages === undefined ? [] : ['-m', `${mode.mmapPages}`]),
    ...(target === 'all' ? ['-a'] : ['-p', target.pids.join(',')]),
    ...(mode.control ? ['--control', 'fd:3,4', '-D', '-1'] : []),
    ...(plan.extra ?? []),
    ...['-o', mode.output],
  ];
}

const PAGE_KB = 4;

/** A buffer of so many KiB in pages, as perf takes them: a power of two, rounded up. */
export function pagesOf(kb: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, kb / PAGE_KB)));
}
