import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicNow } from '../../common/clock.ts';
import { runTool } from '../../common/process.ts';
import type { Scope } from '../../common/scope.ts';
import type { Batch } from '../../common/section.ts';
import { type BpftraceStacksDetails, mapsFile, type StackMapKind } from '../../formats/bpftrace-stacks.ts';
import { perfDataFile } from '../../formats/perf-recording.ts';
import { MOST_BYTES } from '../../formats/perf-stacks.ts';
import { findPerf } from '../../formats/perf-tool.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun, Probe, ProbeRequest } from '../collecter.ts';
import { reportMallocCost } from '../malloc-cost.ts';
import { planOptions } from '../perf/plans.ts';
import { startRecording } from '../perf/record.ts';
import { type Allocator, findAllocators } from '../proc/allocators.ts';
import { unusable } from '../unusable.ts';
import { aborted } from '../waiting.ts';
import { bpftraceVersion, startBpftrace } from './run.ts';

export interface BpftraceMallocs {
  readonly interface: string;
  readonly kind: StackMapKind;
  /** Stacks (`requested`) or allocations (`outstanding`) that are kept apart at most. */
  readonly most: number;
}

/** Where malloc returns to, when it has just been called. */
const CALLER: Partial<Record<NodeJS.Architecture, string>> = {
  x64: '*(uint64 *)uptr(reg("sp"))',
  arm64: 'reg("lr")',
};
/** As deep as the kernel looks (kernel.perf_event_max_stack). */
const DEPTH = 127;

/**
 * Adds up in the kernel, stack by stack, what is asked of malloc or not given back. perf runs beside it, to note which
 * process is which and what code it has where: the processes may be gone when the addresses get their names.
 */
export async function* collectBpftraceMallocs(run: CollectRun<unknown>, what: BpftraceMallocs): AsyncIterable<Batch> {
  const { report } = run;
  const dir = await run.recordingDir();
  const allocators = findAllocators(run.scope.pids, ALL_FUNCTIONS);
  const perf = await findPerf();
  const recording = await startRecording({
    perf,
    plans: planOptions({ own: run.scope.own }, TASKS_AND_CODE),
    output: perfDataFile(dir),
    stop: run.stop,
  });
  if (recording === undefined) return;
  let failure: unknown;
  try {
    const bpftrace = await startBpftrace(
      {
        text: PROGRAMS[what.kind](allocators, run.scope),
        hidden: [...HIDDEN[what.kind], ...(run.scope.root === undefined ? [] : ['started'])],
        mapKeys: what.most,
        output: mapsFile(dir),
        userSymbols: false,
      },
      run.stop,
    );
    if (bpftrace === undefined) return;
    const { tool } = bpftrace;
    const details: BpftraceStacksDetails = {
      tool: { name: 'bpftrace', version: run.toolVersion, command: [...tool.argv] },
      options: { most: what.most },
      warnings: [...recording.warnings],
      kind: what.kind,
      most: what.most,
      began: String(monotonicNow()),
      ...(recording.writer === undefined ? {} : { writer: { ...recording.writer } }),
    };
    await writeRecording(dir, { format: 'bpftrace-stacks', interface: what.interface, details });
    reportMallocCost(run);
    report.note(`perf ${perf.version} recorded beside it what code lay where, for the names of functions`);
    run.started();
    await Promise.race([aborted(run.stop), tool.exit]);
    await bpftrace.stop().catch((error: unknown) => {
      failure = error;
    });
  } finally {
    await recording.finish(AbortSignal.abort());
  }
  yield* run.decode(dir);
  if (failure !== undefined) throw failure;
}

/** Runs the program for a moment, in which a program that calls malloc is run. */
export async function probeBpftraceMallocs({ tempDir }: ProbeRequest, kind: StackMapKind): Promise<Probe> {
  const output = join(tempDir, `probe-${kind}-${process.pid}-${probes++}.txt`);
  try {
    await findPerf();
    const text = PROGRAMS[kind](findAllocators(undefined, ALL_FUNCTIONS), { own: process.pid });
    const hidden = HIDDEN[kind];
    const run = await startBpftrace(
      { text, hidden, mapKeys: 4096, output, userSymbols: false },
      new AbortController().signal,
    );
    await runTool(['ls', '/']);
    await run?.stop();
    if (!/^@bytes\[/m.test(readFileSync(output, 'latin1'))) {
      return { usable: false, why: 'bpftrace ran, but saw no malloc of a program that was run to try it' };
    }
    return { usable: true, version: await bpftraceVersion() };
  } catch (error) {
    return unusable(error);
  }
}

let probes = 0;

/** An event that never comes: perf notes tasks and code all the same. */
const TASKS_AND_CODE = { events: ['dummy'], sampling: { period: 1 }, extra: ['--no-buildid'] } as const;

/** When a process began to run its present program; 0 where that was before. */
const IMAGE = 'tracepoint:sched:sched_process_exec { @image[pid] = nsecs; }';

/** Where the size is that is asked for. Each function costs time to attach; valloc and pvalloc, long obsolete, are left out. */
const SIZES: Readonly<Record<string, string>> = {
  malloc: 'arg0',
  calloc: 'arg0 * arg1',
  aligned_alloc: 'arg1',
  memalign: 'arg1',
};
const REALLOC = 'realloc';
const POSIX_MEMALIGN = 'posix_memalign';
const MMAP = 'mmap';
const FREES = ['free', 'munmap'];
const ALL_FUNCTIONS = [...Object.keys(SIZES), REALLOC, POSIX_MEMALIGN, MMAP, ...FREES];
/** Of mmap(2): memory, and not a file. */
const MAP_ANONYMOUS = 0x20;

const HIDDEN: Readonly<Record<StackMapKind, readonly string[]>> = {
  requested: ['image'],
  outstanding: ['size_of', 'stack_of', 'asked', 'mapped', 'result_at'],
};

const PROGRAMS: Readonly<Record<StackMapKind, (allocators: readonly Allocator[], scope: Scope) => string>> = {
  requested(allocators, scope) {
    return `${[IMAGE, ...following(scope)].join('\n')}
${places('uprobe', allocators, ['malloc'])} /${condition(scope)} && arg0 < ${MOST_BYTES}/ {
  @bytes[pid, @image[pid], ${CALLER[process.arch] ?? CALLER.x64}, ustack(${DEPTH})] = sum(arg0);
  @total = sum(arg0);
}`;
  },

  /**
   * A block counts from the return of the function that gave it until it is given back. Functions that call each other
   * (realloc calls malloc) count once: the inner one takes what the outer one has asked for.
   */
  outstanding(allocators, scope) {
    const mine = condition(scope);
    const enter = Object.entries(SIZES).flatMap(([name, size]) =>
      probe('uprobe', allocators, [name], `${mine} && ${size} < ${MOST_BYTES}`, `@asked[tid] = ${size};`),
    );
    return [
      IMAGE,
      ...following(scope),
      ...enter,
      ...probe('uprobe', allocators, [POSIX_MEMALIGN], mine, '@asked[tid] = arg2; @result_at[tid] = arg0;'),
      // Within malloc it is how malloc gets its memory.
      ...probe(
        'uprobe',
        allocators,
        [MMAP],
        `${mine} && !@asked[tid] && (arg3 & ${MAP_ANONYMOUS})`,
        '@mapped[tid] = arg1;',
      ),
      ...kept(allocators, [...Object.keys(SIZES), REALLOC], 'asked', 'retval'),
      ...kept(allocators, [MMAP], 'mapped', 'retval'),
      ...kept(allocators, [POSIX_MEMALIGN], 'asked', '(uint64)*(uint64 *)uptr(@result_at[tid])'),
      // Behind what gives the maps their types.
      ...probe('uprobe', allocators, FREES, '@size_of[pid, arg0]', FREE),
      ...probe('uprobe', allocators, [REALLOC], mine, `if (@size_of[pid, arg0]) { ${FREE} }\n  @asked[tid] = arg1;`),
    ].join('\n');
  },
};

/**
 * What functions do that return a block whose size is in `map`. A block that does not fit into the maps any more is not
 * kept, and counted: it would never be given back.
 */
function kept(allocators: readonly Allocator[], functions: readonly string[], map: string, block: string): string[] {
  const action = `$size = @${map}[tid];
  $block = ${block};
  delete(@${map}[tid]);
  if ($block != 0 && $block != (uint64)-1) {
    @size_of[pid, $block] = $size;
    if (@size_of[pid, $block] == $size) {
      @stack_of[pid, $block] = ustack(${DEPTH});
      @bytes[pid, @image[pid], ustack(${DEPTH})] = sum((int64)$size);
      @total = sum((int64)$size);
    } else {
      @dropped = sum($size);
    }
  }`;
  return probe('uretprobe', allocators, functions, `@${map}[tid]`, action);
}

const FREE = `$size = (int64)@size_of[pid, arg0];
  @bytes[pid, @image[pid], @stack_of[pid, arg0]] = sum(0 - $size);
  @total = sum(0 - $size);
  delete(@size_of[pid, arg0]);
  delete(@stack_of[pid, arg0]);`;

/** A probe on functions of all allocators that have them; none where none has. */
function probe(
  type: 'uprobe' | 'uretprobe',
  allocators: readonly Allocator[],
  functions: readonly string[],
  when: string,
  action: string,
): string[] {
  const where = places(type, allocators, functions);
  return where === '' ? [] : [`${where} /${when}/ {\n  ${action}\n}`];
}

/** The functions of each allocator; two names of one function count once. */
function places(type: 'uprobe' | 'uretprobe', allocators: readonly Allocator[], functions: readonly string[]): string {
  return allocators
    .flatMap(({ path, functions: offsets }) => {
      const known = functions.filter((name) => offsets.has(name));
      return known
        .filter((name, i) => known.findIndex((other) => offsets.get(other) === offsets.get(name)) === i)
        .map((name) => `${type}:"${path}":${name}`);
    })
    .join(',\n');
}

/**
 * Whose calls count in the kernel; the rest of the scope is told apart when it is decoded. Of a command it is what this
 * process starts from now on: others would take the room in the maps that it needs.
 */
function condition({ own, root, pids }: Scope): string {
  if (pids !== undefined) return `(${pids.map((pid) => `pid == ${pid}`).join(' || ')})`;
  return root === undefined ? `pid != ${own}` : '@started[pid]';
}

function following({ own, root }: Scope): string[] {
  return root === undefined
    ? []
    : [`tracepoint:task:task_newtask /pid == ${own} || @started[pid]/ { @started[args->pid] = 1; }`];
}
