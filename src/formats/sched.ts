import type { EventData } from '../common/datatypes.ts';
import { errorMessage } from '../common/errors.ts';
import { rangesText } from '../common/ranges.ts';
import { isSystemWide, ScopeFilter, TASKS_IN_SCOPE, TaskTable } from '../common/scope.ts';
import type { Report } from '../common/section.ts';
import { reportMissingSwitches } from './context-switches.ts';
import { type EventFormat, numberField, parseFormat, type RawRecord, textField } from './event-format.ts';
import { printedPart } from './print-format.ts';
import { damagedRecording, type RunInfo } from './recording.ts';
import { RunningTasks } from './sched-running.ts';

/*
 * From the scheduler's trace events to the records of cpusched, whatever recorded them: ftrace and perf give the same
 * bytes. Sources: include/trace/events/sched.h and task.h, as each kernel describes them in its format files.
 */

/** The events that a cpusched recording holds. */
export const SCHED_EVENTS = [
  'sched:sched_switch',
  'sched:sched_waking',
  'sched:sched_wakeup',
  'sched:sched_wakeup_new',
  'sched:sched_migrate_task',
  'sched:sched_process_fork',
  'sched:sched_process_exec',
  'sched:sched_process_exit',
  'task:task_newtask',
  'task:task_rename',
] as const;

/** A trace event where and when it happened; `id` is that of its format, `time` nanoseconds since the origin. */
export interface TraceEvent extends RawRecord {
  readonly id: number;
  readonly cpu: number;
  readonly time: number;
}

/** Columns of a record's datum. */
export const SCHED_FIELDS = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'] as const;

/** State of a switch that is not in the trace. */
const INFERRED = 'inferred';

const CLONE_THREAD = 0x10000;
/** Bits of common_flags (enum trace_flag_type in include/linux/trace_events.h): the event came in an interrupt. */
const IN_HARDIRQ = 0x08;
const IN_SOFTIRQ = 0x10;

/** Who began to wake a task, and where: what sched_waking tells before sched_wakeup comes, perhaps on another CPU. */
interface Waker {
  readonly cpu: number;
  readonly tid: number;
  readonly comm: string;
  readonly interrupt: string;
}

type Handler = (event: TraceEvent) => void;

/**
 * Events go in in the order of their times; records of those in scope come out, sorted. What the records mean is told
 * in docs/interfaces.md, cpusched. Some are held until it is sure that no missing switch has to be put before them.
 */
export class SchedDecoder {
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #tasks: TaskTable;
  readonly #filter: ScopeFilter;
  /** Of the whole machine every switch is kept, those between two tasks of MARPLE too: else a CPU would change hands unseen. */
  readonly #keepsSwitches: boolean;
  readonly #running: RunningTasks<EventData>;
  /*
   * Who is being woken, and who left its CPU to sleep and was not woken yet. Tasks stay in both: in V8, a key that comes and
   * goes in a large Map or Set is looked for among all its former places, until the table is made anew.
   */
  readonly #wakers = new Map<number, Waker | undefined>();
  readonly #sleeps = new Map<number, boolean>();
  /** Counts of what is not as it should be, of tasks in scope. */
  #inferred = 0;
  /** All switches, in scope or not: those of the trace, and those that had to be inferred. */
  #switches = 0;
  #unexplained = 0;
  #unwoken = 0;
  /** What a task was called before its last change of name. */
  readonly #formerNames = new Map<number, string>();
  /** Where the scope is a part of the machine: all tasks that were in it. */
  readonly #inScope = new Set<number>();
  /** Answers of the filter that hold until a task comes, or gets another name. */
  readonly #kept = new Map<number, { readonly comm: string; readonly keeps: boolean }>();

  /**
   * `formats` has the text of the format file of each event, by `GROUP:NAME`.
   * @throws Error where one of them is none, or lacks a field.
   */
  constructor(
    formats: Readonly<Record<string, string>>,
    run: RunInfo,
    readonly report: Report,
  ) {
    this.#tasks = new TaskTable(run.tasks);
    this.#filter = new ScopeFilter(run.scope, this.#tasks);
    this.#keepsSwitches = isSystemWide(run.scope);
    this.#running = new RunningTasks(
      (...missing) => this.#infer(...missing),
      (expected, tid) => {
        if (this.#isInScope(expected) || this.#isInScope(tid)) this.#unexplained++;
      },
    );
    const on = (name: string, handler: (format: EventFormat, text: string) => Handler): void => {
      const text = formats[name];
      if (text === undefined) return;
      const format = parseFormat(text);
      this.#handlers[format.id] = handler(format, text);
    };
    on('sched:sched_switch', (format, text) => this.#onSwitch(format, text));
    on('sched:sched_waking', (format) => this.#onWaking(format));
    on('sched:sched_wakeup', (format) => this.#onWakeup(format, 'wakeup'));
    on('sched:sched_wakeup_new', (format) => this.#onWakeup(format, 'wakeup_new'));
    on('sched:sched_migrate_task', (format) => this.#onMigrate(format));
    on('sched:sched_process_fork', (format) => this.#onFork(format));
    on('sched:sched_process_exec', (format) => this.#onExec(format));
    on('sched:sched_process_exit', (format) => this.#onExit(format));
    on('task:task_newtask', (format) => this.#onNewTask(format));
    on('task:task_rename', (format) => this.#onRename(format));
  }

  push(event: TraceEvent): void {
    this.#handlers[event.id]?.(event);
  }

  /** From here on events of a CPU are missing. */
  lost(cpu: number, time: number): void {
    this.#hole('lost', cpu, time);
  }

  /** From here on events of a CPU are there again. */
  resumed(cpu: number, time: number): void {
    this.#hole('resume', cpu, time);
  }

  /** A task came to a CPU, as another source than the trace events tells. */
  cameToRun(cpu: number, time: number, tid: number): void {
    this.#running.came(cpu, time, tid);
  }

  /** The records that are ready, where they are so many at least. */
  take(atLeast: number): EventData[] {
    return this.#running.ready < atLeast ? [] : this.#running.take();
  }

  /** The rest. */
  finish(): EventData[] {
    return this.#running.end();
  }

  /**
   * Says which tasks every switch is there of, what was inferred, and what is missing. `counted` are the switches that the
   * scheduler itself counted meanwhile, or fewer; `lost` the events that are known to be lost.
   */
  reportCounts(counted: number | undefined, lost: number): void {
    if (!this.#keepsSwitches) this.report.option(TASKS_IN_SCOPE, rangesText(this.#inScope));
    reportMissingSwitches(this.#switches, counted === undefined ? undefined : counted - lost, this.report);
    if (this.#inferred > 0) {
      this.report.warn(
        `${this.#inferred} switches are missing in the kernel's trace; they were inferred from what else it tells ` +
          `and have the state '${INFERRED}'`,
      );
    }
    if (this.#unexplained > 0) {
      this.report.warn(
        `${this.#unexplained} times a CPU ran another task than the one that the last switch had put there: some switches are missing, ` +
          'and when they happened is not known',
      );
    }
    if (this.#unwoken > 0) {
      this.report.warn(`${this.#unwoken} times a task that slept ran again, and its wakeup is not in the trace`);
    }
  }

  #onSwitch(format: EventFormat, text: string): Handler {
    const tid = numberField(format, 'prev_pid');
    const comm = textField(format, 'prev_comm');
    const nextTid = numberField(format, 'next_pid');
    const nextComm = textField(format, 'next_comm');
    const state = stateReader(format, text, this.report);
    return (e) => {
      this.#switches++;
      const [from, to] = [tid(e), nextTid(e)];
      const [fromComm, toComm] = [comm(e), nextComm(e)];
      // The names that /proc gives kernel threads are longer than those of the events.
      this.#learnName(from, fromComm);
      this.#learnName(to, toComm);
      this.#running.switched(e.cpu, e.time, from, to);
      const why = state(e);
      if (this.#wakes(to) && this.#keeps(to, toComm)) this.#unwoken++;
      if (from !== 0 && !why.startsWith('R')) this.#sleeps.set(from, true);
      this.#put(e.time, 'switch', e.cpu, from, fromComm, to, toComm, why);
    };
  }

  #onWaking(format: EventFormat): Handler {
    const tid = numberField(format, 'pid');
    const waker = this.#wakerReader(format);
    return this.#seesRunning(format, (e) => this.#wakers.set(tid(e), waker(e)));
  }

  #onWakeup(format: EventFormat, type: string): Handler {
    const tid = numberField(format, 'pid');
    const comm = textField(format, 'comm');
    const target = numberField(format, 'target_cpu');
    const ownWaker = this.#wakerReader(format);
    return this.#seesRunning(format, (e) => {
      const woken = tid(e);
      const waker = this.#wakers.get(woken) ?? ownWaker(e);
      this.#wakers.set(woken, undefined);
      this.#wakes(woken);
      const [cpu, name] = [target(e), comm(e)];
      this.#running.queued(cpu, e.time, woken);
      this.#put(e.time, type, waker.cpu, waker.tid, waker.comm, woken, name, `${waker.interrupt}>${cpu}`);
    });
  }

  #onMigrate(format: EventFormat): Handler {
    const runner = numberField(format, 'common_pid');
    const tid = numberField(format, 'pid');
    const comm = textField(format, 'comm');
    const from = numberField(format, 'orig_cpu');
    const to = numberField(format, 'dest_cpu');
    return this.#seesRunning(format, (e) => {
      const [moved, mover] = [tid(e), runner(e)];
      const [source, target] = [from(e), to(e)];
      this.#running.taken(source, moved);
      // A task that sleeps is given its new CPU right before it is woken there.
      if (this.#wakers.get(moved) === undefined) this.#running.queued(target, e.time, moved);
      this.#put(e.time, 'migrate', e.cpu, mover, this.#commOf(mover, e.cpu), moved, comm(e), `${source}>${target}`);
    });
  }

  #onFork(format: EventFormat): Handler {
    const parent = numberField(format, 'parent_pid');
    const parentComm = textField(format, 'parent_comm');
    const child = numberField(format, 'child_pid');
    const childComm = textField(format, 'child_comm');
    return this.#seesRunning(format, (e) =>
      this.#put(e.time, 'fork', e.cpu, parent(e), parentComm(e), child(e), childComm(e), ''),
    );
  }

  #onExec(format: EventFormat): Handler {
    const tid = numberField(format, 'pid');
    const oldTid = numberField(format, 'old_pid');
    const file = textField(format, 'filename');
    return (e) => {
      const [now, before] = [tid(e), oldTid(e)];
      const comm = this.#commOf(now, e.cpu);
      // A thread that is not the first of its process takes the id of the first.
      this.#running.renumbered(e.cpu, before, now);
      this.#running.sees(e.cpu, e.time, now);
      const formerComm = this.#formerNames.get(before) ?? this.#formerNames.get(now) ?? comm;
      this.#put(e.time, 'exec', e.cpu, now, comm, before, formerComm, file(e));
    };
  }

  #onExit(format: EventFormat): Handler {
    const tid = numberField(format, 'pid');
    const comm = textField(format, 'comm');
    return this.#seesRunning(format, (e) => {
      const gone = tid(e);
      this.#put(e.time, 'exit', e.cpu, gone, comm(e), undefined, '', '');
      this.#formerNames.delete(gone);
      this.#wakers.delete(gone);
    });
  }

  #onNewTask(format: EventFormat): Handler {
    const creator = numberField(format, 'common_pid');
    const child = numberField(format, 'pid');
    const flags = numberField(format, 'clone_flags');
    const comm = textField(format, 'comm');
    return this.#seesRunning(format, (e) => {
      const tid = child(e);
      // clone_flags may have 64 bits; CLONE_THREAD is in the lower half.
      this.#tasks.fork(tid, creator(e), ((flags(e) % 2 ** 32) & CLONE_THREAD) !== 0, comm(e));
      this.#kept.delete(tid);
      this.#wakes(tid);
    });
  }

  #onRename(format: EventFormat): Handler {
    const tid = numberField(format, 'pid');
    const oldComm = textField(format, 'oldcomm');
    const comm = textField(format, 'newcomm');
    return this.#seesRunning(format, (e) => {
      this.#formerNames.set(tid(e), oldComm(e));
      this.#tasks.rename(tid(e), comm(e));
    });
  }

  /** A handler that first takes note of who runs on the event's CPU. */
  #seesRunning(format: EventFormat, handler: Handler): Handler {
    const runner = numberField(format, 'common_pid');
    return (e) => {
      this.#running.sees(e.cpu, e.time, runner(e));
      handler(e);
    };
  }

  /** Reads who runs on the event's CPU, and whether it was interrupted for this. */
  #wakerReader(format: EventFormat): (e: TraceEvent) => Waker {
    const runner = numberField(format, 'common_pid');
    const flags = numberField(format, 'common_flags');
    return (e) => {
      const [tid, bits] = [runner(e), flags(e)];
      const interrupt = (bits & IN_HARDIRQ) !== 0 ? 'hardirq' : (bits & IN_SOFTIRQ) !== 0 ? 'softirq' : '';
      return { cpu: e.cpu, tid, comm: this.#commOf(tid, e.cpu), interrupt };
    };
  }

  #infer(cpu: number, time: number, from: number, to: number): EventData | undefined {
    this.#switches++;
    const [comm, otherComm] = [this.#commOf(from, cpu), this.#commOf(to, cpu)];
    const record = this.#record(time, 'switch', cpu, from, comm, to, otherComm, INFERRED);
    if (record !== undefined) this.#inferred++;
    return record;
  }

  #hole(type: 'lost' | 'resume', cpu: number, time: number): void {
    this.#running.forget(cpu);
    this.#wakers.clear();
    this.#sleeps.clear();
    this.#running.add({ time, type, datum: [`${cpu}`, '', '', '', '', ''] });
  }

  #put(
    time: number,
    type: string,
    cpu: number,
    tid: number,
    comm: string,
    otherTid: number | undefined,
    otherComm: string,
    state: string,
  ): void {
    const record = this.#record(time, type, cpu, tid, comm, otherTid, otherComm, state);
    if (record !== undefined) this.#running.add(record);
  }

  /** None where neither task is in scope. */
  #record(
    time: number,
    type: string,
    cpu: number,
    tid: number,
    comm: string,
    otherTid: number | undefined,
    otherComm: string,
    state: string,
  ): EventData | undefined {
    const isKept =
      (type === 'switch' && this.#keepsSwitches) ||
      this.#keeps(tid, comm) ||
      (otherTid !== undefined && this.#keeps(otherTid, otherComm));
    if (!isKept) return undefined;
    return { time, type, datum: [`${cpu}`, `${tid}`, comm, `${otherTid ?? ''}`, otherComm, state] };
  }

  /** A task does not sleep from here on. @returns whether it did. */
  #wakes(tid: number): boolean {
    if (this.#sleeps.get(tid) !== true) return false;
    this.#sleeps.set(tid, false);
    return true;
  }

  #commOf(tid: number, cpu: number): string {
    return tid === 0 ? `swapper/${cpu}` : (this.#tasks.commOf(tid) ?? '');
  }

  #learnName(tid: number, comm: string): void {
    if (tid !== 0 && this.#tasks.commOf(tid) !== comm) this.#tasks.rename(tid, comm);
  }

  #isInScope(tid: number): boolean {
    return this.#keeps(tid, this.#tasks.commOf(tid) ?? '');
  }

  #keeps(tid: number, comm: string): boolean {
    const known = this.#kept.get(tid);
    if (known !== undefined && known.comm === comm) return known.keeps;
    const keeps = this.#filter.keeps(tid, comm);
    if (keeps && !this.#keepsSwitches) this.#inScope.add(tid);
    this.#kept.set(tid, { comm, keeps });
    return keeps;
  }
}

/** How this kernel prints the state in which a task left, for sched_switch. Each value is printed once. */
export function stateReader(format: EventFormat, text: string, report: Report): (e: RawRecord) => string {
  const state = numberField(format, 'prev_state');
  let print: (value: number) => string;
  try {
    const printed = printedPart(text, 'prev_state=');
    print = (value) => printed({ prev_state: value });
  } catch (error) {
    report.warn(`the states of tasks are shown as numbers: ${errorMessage(error)}`);
    print = String;
  }
  const known = new Map<number, string>();
  return (e) => {
    const value = state(e);
    let name = known.get(value);
    if (name === undefined) {
      name = print(value);
      known.set(value, name);
    }
    return name;
  };
}

/** @throws DamagedFileError where the recording's formats are none that can be read. */
export function schedDecoder(
  dir: string,
  formats: Readonly<Record<string, string>>,
  run: RunInfo,
  report: Report,
): SchedDecoder {
  try {
    return new SchedDecoder(formats, run, report);
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
}
