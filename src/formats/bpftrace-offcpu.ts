import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { errorMessage } from '../common/errors.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import type { Batch, Report } from '../common/section.ts';
import { CallChain } from './call-chain.ts';
import { countedSwitches, reportMissingSwitches } from './context-switches.ts';
import { foldSample } from './folding.ts';
import { linesOf } from './lines.ts';
import { reasonOf, withoutTracing } from './off-cpu.ts';
import type { FileMapping } from './perf-file.ts';
import { checkBoot } from './perf-recording.ts';
import type { PerfFrame } from './perf-script.ts';
import { PerfSymbols } from './perf-symbols.ts';
import { printedPart } from './print-format.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';
import { StackQuality } from './stack-quality.ts';
import { StackTable, stackBatches } from './stack-table.ts';

/*
 * Times off the CPU that bpftrace added up in the kernel, as it prints its maps at its end.
 */

const detailsSchema = z.object({
  tool: z.object({ name: z.string(), version: z.string(), command: z.array(z.string()) }),
  /** Text of the format file of sched_switch. */
  format: z.string(),
  /** Keys that each map can hold. */
  mapKeys: z.number(),
  /** Switches that the scheduler had counted at the start. */
  switches: z.number().optional(),
});
export type BpftraceOffCpuDetails = z.infer<typeof detailsSchema>;

/**
 * What code processes had where: addresses get their names from it. bpftrace's own looking up
 * takes minutes on a machine of some hundred processes.
 */
const codeSchema = z.array(
  z.object({
    kind: z.literal('mapping'),
    pid: z.number(),
    start: z.number(),
    length: z.number(),
    offset: z.number(),
    path: z.string(),
    inode: z.number(),
  }),
);

/** Where the mappings are. */
export function codeFile(dir: string): string {
  return join(dir, 'code.json');
}

/** Where what bpftrace prints goes. */
export function mapsFile(dir: string): string {
  return join(dir, 'bpftrace.txt');
}

/**
 * Adds up in the kernel how long tasks are off their CPU, by process, state and stack. Where the switch to a task is not
 * seen (out of idle, on some kernels) it is taken to be when the task was woken, since an idle CPU takes it at once. The
 * maps by thread tell of those that are off their CPU at the end. Kernel and user stacks have different depths so that
 * each kind has a table of its own.
 */
export const OFFCPU_PROGRAM = `
tracepoint:task:task_newtask {
  printf("fork %d %d %d\\n", args->pid, pid, (args->clone_flags & 0x10000) >> 16);
  delete(@since[args->pid]);
}
tracepoint:sched:sched_process_exit { @ended[tid] = 1; }
tracepoint:sched:sched_wakeup { @woken[args->pid] = nsecs; }
tracepoint:sched:sched_switch {
  $now = nsecs;
  @now = $now;
  @switches = count();
  $in = args->next_pid;
  $left = @since[$in];
  if ($in != 0 && $left != 0) {
    @time[@comm[$in], @pid[$in], @state[$in], @user[$in], @kernel[$in]] = sum($now - $left);
    @total = sum($now - $left);
    delete(@since[$in]);
  }
  $out = args->prev_pid;
  if ($out != 0) {
    $since = @since[$out];
    $woken = @woken[$out];
    if ($since != 0 && $woken > $since) {
      @time[@comm[$out], @pid[$out], @state[$out], @user[$out], @kernel[$out]] = sum($woken - $since);
      @total = sum($woken - $since);
      @inferred = count();
    } else {
      if ($since != 0) { @missed = count(); }
    }
    @since[$out] = $now;
    @comm[$out] = comm;
    @pid[$out] = pid;
    @state[$out] = args->prev_state;
    @user[$out] = ustack(perf, 48);
    @kernel[$out] = kstack(perf, 64);
    if (@ended[$out] == 1) { delete(@since[$out]); delete(@ended[$out]); }
  }
}`;
/** Maps that are of use only while the program runs. */
export const OFFCPU_HIDDEN = ['woken', 'ended'];

// @time[sh, 812, 1,
// 	7f0539dc5ebf ___pthread_cond_signal+159 (/usr/lib/x86_64-linux-gnu/libc.so.6)
// 	18a7b88 0x18a7b88 ([unknown])
// ,
// 	ffffffff821f8298 __schedule+1560
// ]: 6700
const STACK = '(?:\\n(?:\\t[^\\n]*\\n)+)?';
const TIME = new RegExp(`^@time\\[([\\s\\S]*), (\\d+), (\\d+), (${STACK}), (${STACK})\\]: (\\d+)$`);
const FRAME = /^\t([\da-f]+) (.+?)(?:\+\d+)?$/;
// @comm[812]: sh
const OF_THREAD = /^@(since|comm|pid|state|user|kernel)\[(\d+)\]: ([\s\S]*)$/;
// @total: 4711
const NUMBER = /^@(now|total|inferred|missed|switches): (\d+)$/;
// fork 813 812 0
const FORK = /^fork (\d+) (\d+) ([01])$/;
/** How many probes there are, the marks of the runner, and empty lines between maps. */
const CHATTER = /^(Attaching \d+ probes?\.\.\.|marple (first|last)|)$/;
const KERNEL = '[kernel.kallsyms]';

/** Frames of the kernel, with their names. */
function kernelStack(text: string): PerfFrame[] {
  return text.split('\n').flatMap((line) => {
    const [, address, symbol = ''] = FRAME.exec(line) ?? [];
    return address === undefined ? [] : [{ address, symbol, module: KERNEL }];
  });
}

/** Addresses of user code. */
function userStack(text: string): number[] {
  return [...text.matchAll(/^\t([\da-f]+) /gm)].map(([, address = '']) => Number.parseInt(address, 16));
}

interface OffTime {
  readonly comm: string;
  readonly pid: number;
  readonly state: number;
  /** Innermost first. */
  readonly kernel: readonly PerfFrame[];
  readonly user: readonly number[];
  /** Nanoseconds. */
  readonly time: number;
}

/** Reads what OFFCPU_PROGRAM prints, line by line. What is none of it goes to `unreadable`. */
export class OffCpuMaps {
  readonly times: OffTime[] = [];
  readonly forks: { readonly tid: number; readonly creator: number; readonly isThread: boolean }[] = [];
  readonly numbers = { now: 0, total: 0, inferred: 0, missed: 0, switches: 0 };
  readonly #threads = new Map<string, Map<string, string>>();
  #entry: string[] = [];

  constructor(readonly unreadable: (line: string) => void) {}

  push(line: string): void {
    const fork = FORK.exec(line);
    if (fork !== null) {
      this.forks.push({ tid: Number(fork[1]), creator: Number(fork[2]), isThread: fork[3] === '1' });
    } else if (line.startsWith('@')) {
      this.finish();
      this.#entry.push(line);
    } else if (this.#entry.length > 0) {
      this.#entry.push(line);
    } else if (!CHATTER.test(line)) {
      this.unreadable(line);
    }
  }

  finish(): void {
    if (this.#entry.length === 0) return;
    const text = this.#entry.join('\n').trimEnd();
    const first = this.#entry[0] as string;
    this.#entry = [];
    const time = TIME.exec(text);
    const ofThread = OF_THREAD.exec(text);
    const number = NUMBER.exec(text);
    if (time !== null) {
      const [, comm = '', pid, state, user = '', kernel = '', value] = time;
      const stacks = { kernel: kernelStack(kernel), user: userStack(user) };
      this.times.push({ comm, pid: Number(pid), state: Number(state), ...stacks, time: Number(value) });
    } else if (ofThread !== null) {
      const [, map = '', tid = '', value = ''] = ofThread;
      const values = this.#threads.get(map) ?? new Map<string, string>();
      this.#threads.set(map, values.set(tid, value));
    } else if (number !== null) {
      this.numbers[number[1] as keyof typeof this.numbers] = Number(number[2]);
    } else if (!/^@\w+\[\d+\]:$/.test(text)) {
      // An entry without a value is a stack that is empty.
      this.unreadable(first);
    }
  }

  /** Those who are off their CPU at the end, as long as they have been until then. */
  get open(): OffTime[] {
    const value = (map: string, tid: string): string => this.#threads.get(map)?.get(tid) ?? '';
    return [...(this.#threads.get('since') ?? [])].flatMap(([tid, since]) => {
      const time = this.numbers.now - Number(since);
      if (Number(since) === 0 || time < 0) return [];
      const stacks = { kernel: kernelStack(value('kernel', tid)), user: userStack(value('user', tid)) };
      const pid = Number(value('pid', tid));
      return [{ comm: value('comm', tid), pid, state: Number(value('state', tid)), ...stacks, time }];
    });
  }
}

/**
 * Decodes what bpftrace added up: each unique stack of the processes in scope once (process name, reason, then the
 * outermost frame first) with the nanoseconds off the CPU. There are no single events. What is left out is said in the report.
 * @throws UnavailableError where the recording is not of this machine since it was booted; DamagedFileError where its
 *   description is none that can be read here.
 */
export async function* decode(dir: string, recording: Recording, run: RunInfo, report: Report): AsyncIterable<Batch> {
  const parsed = detailsSchema.safeParse(recording.details);
  if (!parsed.success) {
    throw damagedRecording(dir, 'not a description of what bpftrace recorded of times off the CPU');
  }
  const details = parsed.data;
  checkBoot(run);
  report.tool(details.tool);
  report.option('map_keys', details.mapKeys);
  report.warn('bpftrace adds up in the kernel: there are no single events, and no times');
  if (!existsSync(mapsFile(dir))) {
    report.warn('bpftrace was ended before it had printed anything');
    return;
  }
  const maps = new OffCpuMaps((line) => report.skipped(line));
  for await (const lines of linesOf(createReadStream(mapsFile(dir)))) for (const line of lines) maps.push(line);
  maps.finish();
  const code = readCodeFile(codeFile(dir));
  const first = symbolsOf(code, PerfSymbols.create(run.modules));
  for (const { pid, user } of maps.times) first.frames({ pid, chain: CallChain.of({ user }) });
  const mangled = await first.demangleAll();
  if (mangled > 0)
    report.warn(`${mangled} C++ names are as the compiler made them: c++filt (binutils) is not installed`);
  const table = foldTimes(dir, maps, symbolsOf(code, first.again()), details.format, run, report);
  yield* stackBatches(0, table.stacks());
  reportCounts(maps, details.mapKeys, report);
  reportMissingSwitches(maps.numbers.switches, countedSwitches(dir, details.switches), report);
}

function readCodeFile(path: string): FileMapping[] {
  try {
    return codeSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Not written where MARPLE was killed: those addresses have no names then, which is counted.
    return [];
  }
}

function symbolsOf(code: readonly FileMapping[], symbols: PerfSymbols): PerfSymbols {
  for (const mapping of code) symbols.mapping(mapping);
  return symbols;
}

function foldTimes(
  dir: string,
  maps: OffCpuMaps,
  symbols: PerfSymbols,
  format: string,
  run: RunInfo,
  report: Report,
): StackTable {
  const table = new StackTable();
  const quality = new StackQuality(run.modules === undefined);
  const tasks = new TaskTable(run.tasks);
  for (const { tid, creator, isThread } of maps.forks) tasks.fork(tid, creator, isThread, '');
  const filter = new ScopeFilter(run.scope, tasks);
  const print = statePrinter(dir, format);
  for (const { comm, pid, state, kernel, user, time } of [...maps.times, ...maps.open]) {
    const reason = reasonOf(print({ prev_state: state }));
    if (reason === undefined || !filter.keeps(pid, comm)) continue;
    const frames = [...withoutTracing(kernel), ...symbols.frames({ pid, chain: CallChain.of({ user }) })];
    quality.judge({ frames });
    const sample = { kind: 'sample', comm, pid, tid: pid, cpu: undefined, time: undefined } as const;
    const [root = '', ...rest] = foldSample({
      ...sample,
      period: undefined,
      event: undefined,
      frames,
    });
    table.add([root, `[${reason}]`, ...rest], time);
  }
  quality.report(report, 'the function that waits is shown, who called it is not');
  return table;
}

function statePrinter(dir: string, format: string): (fields: Readonly<Record<string, number>>) => string {
  try {
    return printedPart(format, 'prev_state=');
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
}

function reportCounts(maps: OffCpuMaps, mapKeys: number, report: Report): void {
  const { total, inferred, missed } = maps.numbers;
  const seconds = (time: number): string => `${(time / 1e9).toFixed(2)} s`;
  const sum = (times: readonly OffTime[]): number => times.reduce((added, { time }) => added + time, 0);
  const { open } = maps;
  if (open.length > 0) {
    report.note(
      `${open.length} tasks of the machine were off their CPU when the recording ended: their time counts until then (${seconds(sum(open))} in all)`,
    );
  }
  if (inferred > 0) {
    report.warn(`${inferred} times the switch to a task was not seen: it was taken to run from when it was woken`);
  }
  if (missed > 0) {
    report.warn(
      `${missed} times neither the switch to a task nor its wakeup was seen: that time off the CPU is not in the data`,
    );
  }
  const missing = total - sum(maps.times);
  if (missing > 0) {
    report.warn(
      `${seconds(missing)} off the CPU are not in the data: there were more different stacks than the ${mapKeys} that are kept (map_keys)`,
    );
  }
}
