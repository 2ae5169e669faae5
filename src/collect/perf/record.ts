import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../../common/errors.ts';
import { type ProcessExit, startTool, type ToolProcess } from '../../common/process.ts';
import { type ProcessIdentity, processIdentity } from '../../common/process-identity.ts';
import { ROOM } from '../../common/system-reason.ts';
import type { Perf } from '../../formats/perf-tool.ts';
import { type RecordPlan, recordArgs } from './record-args.ts';
import { classifyRefusal, explainRefusal } from './refusal.ts';
import { readPerfSettings } from './settings.ts';

/** A plan, and what is less about it than about the one before it. */
export interface PlanOption {
  /** Made anew for each attempt: processes come and go. */
  plan(): RecordPlan;
  /** One sentence for the header, where the plan is a second choice. */
  readonly warning?: string;
}

export interface RecordOptions {
  readonly perf: Perf;
  /** In order of preference: the next one is taken where the kernel does not permit one. */
  readonly plans: readonly PlanOption[];
  /** Path of the perf.data. */
  readonly output: string;
  /** Ends the waiting for perf to begin. */
  readonly stop: AbortSignal;
  /** Ring buffer per CPU in pages to begin with; perf's default where it is missing. */
  readonly mmapPages?: number;
}

/** A perf that is recording. */
export interface PerfRecording {
  /** The command as it was run. */
  readonly command: readonly string[];
  readonly plan: RecordPlan;
  /** What is less than was asked for, one sentence each. */
  readonly warnings: readonly string[];
  /** The process that writes the file, while it runs. */
  readonly writer: ProcessIdentity | undefined;
  /**
   * Tells it something over its control pipe (perf-record(1), --control): `disable EVENT`, for one. Resolves when perf has
   * answered; false where it does not.
   */
  tell(command: string): Promise<boolean>;
  /** Ends it before its time; the file is complete then. */
  end(): Promise<void>;
  /** Lets it record until `stop` aborts, or perf ends by itself (its processes are gone); then the file is complete. */
  finish(stop: AbortSignal): Promise<RecordingEnd>;
}

export interface RecordingEnd {
  /** What went wrong, undefined where nothing did. What came until then is in the file. */
  readonly failure: string | undefined;
  /** The command that helps, where there is one. */
  readonly hint?: string | undefined;
  /** What perf said. */
  readonly stderr: string;
}

/** perf's default for the buffer, pages per CPU (512 KiB). */
const DEFAULT_PAGES = 128;
const SMALLEST_PAGES = 4;
const ATTEMPTS = 3;
/** perf answers at once, unless its events keep it busy. */
const ANSWER_MS = 2_000;

/**
 * Starts a recording with the first plan that the kernel permits, with a smaller buffer where memory may not be locked.
 * Resolves when perf has said that it records; undefined where `stop` aborted first.
 * @throws UnavailableError where no plan works.
 */
export async function startRecording(options: RecordOptions): Promise<PerfRecording | undefined> {
  let refusal: { why: string; hint?: string } | undefined;
  for (const option of options.plans) {
    const outcome = await tryPlan(option, options);
    if (outcome === undefined || 'command' in outcome) return outcome;
    refusal ??= outcome;
    if (!outcome.permission) break;
  }
  throw new UnavailableError(refusal?.why ?? 'there is nothing for perf to record', refusal?.hint);
}

interface Refused {
  readonly why: string;
  readonly hint?: string;
  /** Whether another plan may be permitted. */
  readonly permission: boolean;
}

async function tryPlan(option: PlanOption, options: RecordOptions): Promise<PerfRecording | Refused | undefined> {
  const warnings = option.warning === undefined ? [] : [option.warning];
  let control = true;
  let pages = options.mmapPages;
  let attempts = ATTEMPTS;
  for (;;) {
    const plan = option.plan();
    const mode = { output: options.output, control, ...(pages === undefined ? {} : { mmapPages: pages }) };
    // perf would keep what an attempt left as perf.data.old.
    rmSync(options.output, { force: true });
    const tool = launch([options.perf.path, ...recordArgs(plan, mode)], control, options.stop);
    const begun = await (control ? acknowledged(tool, options.stop) : seenRunning(tool, options.output, options.stop));
    if (begun === 'stopped') {
      await tool.stop();
      return undefined;
    }
    if (begun === 'recording') {
      tool.begun();
      if (pages !== options.mmapPages) warnings.push(smallBuffer(pages as number));
      if (!control) {
        warnings.push(
          `perf ${options.perf.version} cannot be told when to begin: it was recording some moments before the run began`,
        );
      }
      warnings.push(...ownWarnings(tool.stderr()));
      return new Recording(tool, plan, warnings, options.output);
    }
    const exit = await tool.exit;
    const kind = classifyRefusal(tool.stderr());
    if (kind === 'no-control' && control) control = false;
    else if (kind === 'buffer' && (pages ?? DEFAULT_PAGES) > SMALLEST_PAGES) pages = (pages ?? DEFAULT_PAGES) / 2;
    else if (kind === 'no-process' && --attempts > 0) continue;
    else return { ...explainRefusal(exit, tool.stderr(), readPerfSettings()), permission: kind === 'permission' };
  }
}

function launch(argv: readonly string[], control: boolean, stop: AbortSignal): ToolProcess {
  // At its end it reads its whole file again, to note which programs it names: it has all the time that a tool may have.
  const tool = startTool(argv, { mustBegin: stop, pipes: control ? 2 : 0, completesFiles: true });
  tool.stdout.resume();
  // perf may end with our words unread: its exit tells why.
  for (const pipe of tool.pipes) pipe.on('error', () => undefined);
  return tool;
}

type Begun = 'recording' | 'ended' | 'stopped';

/** Tells perf to begin, and waits for its `ack` (perf-record(1), --control). */
async function acknowledged(tool: ToolProcess, stop: AbortSignal): Promise<Begun> {
  const commands = tool.pipes[0] as Writable;
  const answers = tool.pipes[1] as Readable;
  const ack = new Promise<Begun>((resolve) => {
    let text = '';
    answers.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('ack')) resolve('recording');
      text = text.slice(-2);
    });
  });
  commands.write('enable\n');
  return firstOf([ack, ended(tool)], stop);
}

const POLL_MS = 30;
/** It counts as recording after so many looks in a row. */
const LOOKS = 3;

/** For a perf that cannot be told: it records once it has written its file's beginning and sleeps, waiting for samples. */
async function seenRunning(tool: ToolProcess, output: string, stop: AbortSignal): Promise<Begun> {
  let over = false;
  const watch = async (): Promise<Begun> => {
    for (let looks = 0; looks < LOOKS && !over; ) {
      await sleep(POLL_MS);
      looks = isWaiting(tool.pid) && existsSync(output) && statSync(output).size > 0 ? looks + 1 : 0;
    }
    return 'recording';
  };
  try {
    return await firstOf([watch(), ended(tool)], stop);
  } finally {
    over = true;
  }
}

function isWaiting(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('S');
  } catch {
    return false;
  }
}

async function ended(tool: ToolProcess): Promise<Begun> {
  await tool.exit;
  return 'ended';
}

async function firstOf(candidates: Promise<Begun>[], stop: AbortSignal): Promise<Begun> {
  const { promise, off } = aborted(stop);
  try {
    return await Promise.race([...candidates, promise.then((): Begun => 'stopped')]);
  } finally {
    off();
  }
}

function aborted(signal: AbortSignal): { promise: Promise<void>; off: () => void } {
  let off = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    const listener = (): void => resolve();
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', listener, { once: true });
    off = () => signal.removeEventListener('abort', listener);
  });
  return { promise, off };
}

function smallBuffer(pages: number): string {
  return (
    `the buffers of perf have ${pages} pages per CPU, since more memory may not be locked: samples may be lost ` +
    '(sudo sysctl kernel.perf_event_mlock_kb=4096)'
  );
}

// warning: Maximum frequency rate (100000 Hz) exceeded, throttling from 9999999 Hz to 100000 Hz.
function ownWarnings(stderr: string): string[] {
  const throttled = /Maximum frequency rate .* exceeded, throttling from (\d+) Hz to (\d+) Hz/.exec(stderr);
  if (throttled === null) return [];
  return [
    `the frequency is ${throttled[2]} Hz and not ${throttled[1]} Hz: kernel.perf_event_max_sample_rate allows no more ` +
      `(sudo sysctl kernel.perf_event_max_sample_rate=${throttled[1]})`,
  ];
}

class Recording implements PerfRecording {
  readonly command: readonly string[];
  readonly writer: ProcessIdentity | undefined;

  constructor(
    readonly tool: ToolProcess,
    readonly plan: RecordPlan,
    readonly warnings: readonly string[],
    readonly output: string,
  ) {
    this.command = tool.argv;
    this.writer = processIdentity(tool.pid);
  }

  async tell(command: string): Promise<boolean> {
    const [commands, answers] = this.tool.pipes;
    if (commands === undefined || answers === undefined) return false;
    const answered = once(answers, 'data', { signal: AbortSignal.timeout(ANSWER_MS) });
    commands.write(`${command}\n`);
    return answered.then(
      () => true,
      () => false,
    );
  }

  async end(): Promise<void> {
    await this.tool.stop();
  }

  async finish(stop: AbortSignal): Promise<RecordingEnd> {
    const { promise, off } = aborted(stop);
    await Promise.race([promise, this.tool.exit]);
    off();
    const exit = await this.tool.stop();
    const stderr = this.tool.stderr();
    const isEmpty = (statSync(this.output, { throwIfNoEntry: false })?.size ?? 0) === 0;
    return { ...failure(exit, stderr, isEmpty), stderr };
  }
}

/** perf ends with status 0, or with the SIGINT that it was sent, after completing its file. */
function failure(exit: ProcessExit, stderr: string, isEmpty: boolean): Pick<RecordingEnd, 'failure' | 'hint'> {
  if (/No space left on device/.test(stderr)) {
    return { failure: 'the disk is full: perf could not write all that it recorded', hint: ROOM };
  }
  const isWell = exit.code === 0 || exit.signal === 'SIGINT';
  if (isWell && !isEmpty) return { failure: undefined };
  const { why, hint } = explainRefusal(exit, stderr, readPerfSettings());
  return { failure: isWell ? `perf wrote no data: ${why}` : why, hint };
}
