import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, constants, getPriority, hostname, release, setPriority } from 'node:os';
import { join } from 'node:path';
import { monotonicNow, type RunClock, secondsSinceOrigin, startClock } from '../common/clock.ts';
import type { Config } from '../common/config.ts';
import { type Deferred, defer } from '../common/deferred.ts';
import { beFast, beFrugal } from '../common/engine.ts';
import {
  EXIT,
  type ExitCode,
  errorCode,
  errorMessage,
  MarpleError,
  SIGNAL_EXIT,
  UnavailableError,
  UsageError,
} from '../common/errors.ts';
import { FORMAT_VERSION, type SectionHeader } from '../common/header.ts';
import { log } from '../common/log.ts';
import { startCommand, type UserCommand } from '../common/process.ts';
import { HeaderReport } from '../common/report.ts';
import { unwritable } from '../common/save.ts';
import { isSystemWide, type Scope } from '../common/scope.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { type StopSignal, takeStopSignals } from '../common/stop-signals.ts';
import { systemHint, systemSentence } from '../common/system-reason.ts';
import { giveTreeToUser } from '../common/user.ts';
import { DataFileWriter, type SectionWriter } from '../common/writer.ts';
import { decodeRecording } from '../formats/decoders.ts';
import { keepModules } from '../formats/kept-modules.ts';
import { packRaw, SYMBOLS_FOLDER } from '../formats/raw-archive.ts';
import type { RunInfo } from '../formats/recording.ts';
import { cgroupMembers } from './cgroup.ts';
import { type Choice, chooseTool, distrust, ProbeMemory } from './choose.ts';
import type { CollecterClass, CollectRun, ProbeRequest } from './collecter.ts';
import { clearLeftovers } from './leftovers.ts';
import { type Overhead, type OverheadMeter, startOverheadMeter } from './overhead.ts';
import { bootId, readTasks } from './proc/tasks.ts';

/** What to collect, as the command line and config have settled it. */
export interface CollectOptions {
  readonly collecters: readonly CollecterClass[];
  /** Seconds to collect; undefined with a command means until it ends. */
  readonly seconds: number | undefined;
  /** Path of the data file, `-` for stdout. */
  readonly output: string;
  /** Recordings of tools are not decoded: the output is an archive of them (formats/raw-archive.ts). */
  readonly raw: boolean;
  readonly force: boolean;
  /** Whether MARPLE gives way to all others when recording is over: nothing that matters comes behind this run. */
  readonly isLast?: boolean;
  /** Called once it is sure that there will be a data file: makes its folder, for one. */
  readonly beforeWriting?: () => void;
  /** Called when all is ready to begin, which waits for it. What it gives is said in all headers. */
  readonly awaitStart?: () => Promise<string | undefined>;
  readonly command: readonly string[] | undefined;
  /** With a command: record the whole machine all the same. */
  readonly systemWide: boolean;
  readonly pids: readonly number[] | undefined;
  readonly comm: string | undefined;
  /** Folder of a cgroup. */
  readonly cgroup: string | undefined;
  /** Interface to tool, from --tool. */
  readonly tools: ReadonlyMap<string, string>;
  /** Option values from flags, by interface; they go before those of config. */
  readonly overrides: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** What the controller tells while it works; the program shows it. */
export interface CollectEvents {
  notice(sentence: string): void;
  warn(sentence: string): void;
  recording(what: readonly Choice[], seconds: number | undefined): void;
  progress(elapsed: number, records: number): void;
  finishing(): void;
}

export interface CollectDependencies {
  readonly config: Config;
  readonly tempDir: string;
  readonly probeMemoryPath: string;
  readonly events: CollectEvents;
}

export interface SectionResult {
  readonly interface: string;
  readonly datatype: string;
  /** What is measured, where the section says so. */
  readonly quantity: string | undefined;
  readonly records: number;
  /** Whether it was recorded and not decoded (--raw). */
  readonly raw: boolean;
  readonly lost: number;
  readonly skipped: number;
  readonly tool: string;
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

export interface Failure {
  readonly interface: string;
  readonly reason: string;
  readonly hint?: string;
}

export interface CollectResult {
  /** Path of the data file; undefined where nothing could be written to it. */
  readonly file: string | undefined;
  readonly sections: readonly SectionResult[];
  readonly failures: readonly Failure[];
  readonly choices: readonly Choice[];
  readonly seconds: number;
  readonly overhead: Overhead;
  readonly commandStatus: number | undefined;
  readonly interrupted: NodeJS.Signals | undefined;
  readonly exitCode: ExitCode | number;
}

/** One interface at work: its collecter's run, its report and the sections that its records go to. */
interface Job {
  readonly collecter: CollecterClass;
  readonly choice: Choice;
  readonly tool: string;
  readonly report: HeaderReport;
  readonly sections: readonly SectionWriter[];
  readonly started: Deferred<void>;
  hasStarted: boolean;
  failure: Failure | undefined;
  /** The folder of its raw recording, once that is complete. */
  recording: string | undefined;
}

/** One Ctrl-C can arrive twice (from the terminal and from a wrapper such as sudo); later than this it is a second one. */
const REPEAT_MS = 500;

/** What helps where nothing better is known. */
const DOCTOR = 'see what works here: marple doctor';

/** How often it is said how far the run is. */
const PROGRESS_MS = 1000;

/** How often the members of a cgroup are read. One that lives shorter is seen where its parent is a member. */
const CGROUP_POLL_MS = 100;

/** Finds for each interface the tool that works here. The interfaces are probed side by side, and the answers kept. */
export async function chooseTools(
  collecters: readonly CollecterClass[],
  request: ProbeRequest,
  memory: ProbeMemory,
  config: Config,
  named: ReadonlyMap<string, string>,
): Promise<Choice[]> {
  const configured = config.section('Tools');
  const choices = await Promise.all(
    collecters.map((collecter) => {
      const name = collecter.description.interface;
      const forced = named.get(name);
      return chooseTool(collecter, request, memory, { tool: forced ?? configured[name], forced: forced !== undefined });
    }),
  );
  await saveMemory(memory);
  return choices;
}

/**
 * Collects everything that was asked for, side by side, into one data file.
 * @throws UsageError before anything runs; UnavailableError where no interface has a usable tool. Later failures are
 *   in the result: what could be collected is in the file.
 */
export async function collect(options: CollectOptions, dependencies: CollectDependencies): Promise<CollectResult> {
  beFrugal();
  const { events, config, tempDir } = dependencies;
  await checkOutput(options.output, options.force);
  checkPids(options.pids);
  for (const sentence of await clearLeftovers()) events.notice(sentence);

  const scope = initialScope(options);
  const request: ProbeRequest = { scope, tempDir };
  const memory = await ProbeMemory.load(dependencies.probeMemoryPath);
  const choices = await chooseTools(options.collecters, request, memory, config, options.tools);
  const unavailable = choices.filter((choice) => choice.tool === undefined).map(choiceFailure);
  if (unavailable.length === choices.length) throw nothingUsable(unavailable);

  const late = await options.awaitStart?.();
  options.beforeWriting?.();
  const writer = await DataFileWriter.create(options.output, { force: options.force, tempDir });
  const run = await begin(options, dependencies, writer, scope, choices);
  if (late !== undefined) run.warn(late);
  try {
    return await Promise.race([run.complete(unavailable, memory, request), run.quit]);
  } finally {
    run.release();
    // What is left of a run that could not be completed is the user's, as the file would have been.
    if (existsSync(writer.partialDir)) giveTreeToUser(writer.partialDir);
  }
}

/** Makes what the run writes to; where that fails nothing of it is left. */
async function begin(
  options: CollectOptions,
  dependencies: CollectDependencies,
  writer: DataFileWriter,
  scope: Scope,
  choices: readonly Choice[],
): Promise<Run> {
  try {
    const run = new Run(options, dependencies, writer, scope, choices);
    await run.writeInfo();
    return run;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** The state of one run, from the first tool's start to the finished file. */
class Run {
  readonly #clock: RunClock = startClock();
  readonly #meter: OverheadMeter;
  readonly #stop = new AbortController();
  readonly #jobs: Job[];
  readonly #drains: Promise<void>[] = [];
  #info: RunInfo;
  #command: UserCommand | undefined;
  #commandStatus: number | undefined;
  #interrupted: StopSignal | undefined;
  #interruptedAt = 0;
  readonly #quit = defer<never>();
  /** Resolves when the user's command is not to be waited for any more. */
  readonly #leave = defer();
  #isComplete = false;
  #stopped = 0;
  #members: Members | undefined;
  #writing: Promise<void> = Promise.resolve();
  #handBackSignals: () => void = () => undefined;

  constructor(
    readonly options: CollectOptions,
    readonly dependencies: CollectDependencies,
    readonly writer: DataFileWriter,
    scope: Scope,
    readonly choices: readonly Choice[],
  ) {
    this.#meter = startOverheadMeter({ hasCommand: options.command !== undefined });
    this.#info = { origin: String(this.#clock.origin), scope, tasks: readTasks(), bootId: bootId() };
    this.#jobs = options.collecters.flatMap((collecter, index) => {
      const choice = choices[index] as Choice;
      return choice.tool === undefined ? [] : [this.#job(collecter, choice, choice.tool, index)];
    });
    // Every collecter and tool waits for it.
    setMaxListeners(0, this.#stop.signal);
    if (options.cgroup !== undefined) this.#members = new Members(options.cgroup, scope.members ?? []);
  }

  /** Rejects when the user asks a second time to stop: the file is not completed then. */
  get quit(): Promise<never> {
    return this.#quit.promise;
  }

  /** Says something of the whole run in all headers. */
  warn(sentence: string): void {
    for (const job of this.#jobs) job.report.warn(sentence);
  }

  release(): void {
    this.#handBackSignals();
    this.#members?.close();
  }

  /** Collects, completes the file, and waits for the command. */
  async complete(unavailable: readonly Failure[], memory: ProbeMemory, request: ProbeRequest): Promise<CollectResult> {
    this.#handBackSignals = takeStopSignals((signal) => this.#interrupt(signal));
    await this.#record();
    return this.#finish(unavailable, memory, request);
  }

  /** Starts the collecters, then the command; returns when all records are in their sections. */
  async #record(): Promise<void> {
    this.#members?.onChange(() => void this.writeInfo().catch(() => undefined));
    for (const job of this.#jobs) this.#drains.push(this.#drain(job));
    await Promise.all(this.#jobs.map((job) => job.started.promise));
    const working = this.#jobs.filter((job) => job.hasStarted && job.failure === undefined);
    if (working.length === 0) this.#stop.abort();

    const { events } = this.dependencies;
    if (working.length > 0) {
      events.recording(
        working.map((job) => job.choice),
        this.options.seconds,
      );
    }
    const from = monotonicNow();
    const ticker = setInterval(() => {
      const elapsed = Number(monotonicNow() - from) / 1e9;
      events.progress(
        elapsed,
        this.#jobs.reduce((sum, job) => sum + recordsOf(job), 0),
      );
    }, PROGRESS_MS);
    try {
      if (!this.#stop.signal.aborted && this.options.command !== undefined)
        await this.#startCommand(this.options.command);
      await this.#untilStop();
    } finally {
      clearInterval(ticker);
      this.#stopped = secondsSinceOrigin(this.#clock, monotonicNow());
      this.#stop.abort();
    }
    beFast();
    events.finishing();
    if (this.options.isLast === true) giveWay();
    await Promise.all(this.#drains);
  }

  /** Completes the headers, joins the sections and gives the result. */
  async #finish(unavailable: readonly Failure[], memory: ProbeMemory, request: ProbeRequest): Promise<CollectResult> {
    const overhead = this.#meter.stop();
    const end = isoTime(this.#clock.realtime + this.#stopped * 1000);
    const results: SectionResult[] = [];
    for (const job of this.#jobs) {
      if (job.failure !== undefined) job.report.warn(`${job.failure.reason}; what had come until then is here`);
      for (const section of job.sections) {
        job.report.applyTo(section.header);
        section.header.end = end;
        section.header.overhead = { ...overhead };
        results.push(sectionResult(job, section, this.options.raw && job.recording !== undefined));
      }
      const distrusted = job.report.distrusted;
      if (distrusted !== undefined) {
        const tool = job.collecter.description.tools.find((candidate) => candidate.name === job.tool);
        if (tool !== undefined) distrust(memory, job.choice.interface, tool, request, distrusted);
      }
    }
    await saveMemory(memory);
    const failures = [...unavailable, ...this.#jobs.flatMap((job) => job.failure ?? [])];
    const empty = results.every((section) => section.records === 0);
    const allFailed = this.#jobs.every((job) => job.failure !== undefined);
    const isNothing = allFailed && empty && !this.#jobs.some(({ recording }) => recording !== undefined);
    if (isNothing) await this.writer.abandon();
    else if (this.options.raw) await this.#finishRaw();
    else await this.writer.finish();
    this.#isComplete = true;
    if (this.#command !== undefined && this.#waitsForCommand()) {
      await Promise.race([this.#command.status, this.#leave.promise]);
    }
    return {
      file: isNothing ? undefined : this.options.output,
      sections: results,
      failures,
      choices: this.choices,
      seconds: this.#stopped,
      overhead,
      commandStatus: this.#commandStatus,
      interrupted: this.#interrupted,
      exitCode: this.#exitCode(failures.length > 0, allFailed),
    };
  }

  /** Leaves the sections of recordings as they are, to be decoded elsewhere. */
  async #finishRaw(): Promise<void> {
    const recorded = this.#jobs.filter(({ recording }) => recording !== undefined);
    const isOpen = new Set(recorded.flatMap(({ sections }) => sections));
    const dirs = recorded.flatMap(({ recording }) => recording ?? []);
    await this.writer.pack(
      (section) => isOpen.has(section),
      async (folder, output) => {
        const problems = await keepModules(dirs, this.#currentInfo(), join(folder, SYMBOLS_FOLDER));
        for (const problem of problems) this.dependencies.events.warn(problem);
        await packRaw(folder, output);
      },
    );
  }

  #exitCode(someFailed: boolean, allFailed: boolean): number {
    if (this.#interrupted !== undefined) return SIGNAL_EXIT[this.#interrupted];
    if (allFailed) return EXIT.allFailed;
    if (someFailed) return EXIT.someFailed;
    return this.#commandStatus ?? EXIT.ok;
  }

  /** SIGTERM and SIGHUP are for MARPLE alone; a Ctrl-C reaches the command too, so it is ending. */
  #waitsForCommand(): boolean {
    return this.#interrupted === undefined || this.#interrupted === 'SIGINT';
  }

  #interrupt(signal: StopSignal): void {
    log('info', 'signal', { signal });
    const isFirst = this.#interrupted === undefined;
    if (!isFirst && performance.now() - this.#interruptedAt <= REPEAT_MS) return;
    if (isFirst) {
      this.#interrupted = signal;
      this.#interruptedAt = performance.now();
      this.#stop.abort();
    } else if (!this.#isComplete) this.#quit.reject(quitError(signal, this.writer));
    if (!isFirst || !this.#waitsForCommand()) this.#leave.resolve();
  }

  async #startCommand(command: readonly string[]): Promise<void> {
    this.#command = startCommand(command);
    const { pid } = this.#command;
    const scope = { ...this.#info.scope, ...(this.options.systemWide ? { command: pid } : { root: pid }) };
    this.#info = { ...this.#info, scope };
    // It is for who reads the partial folder, should this run be killed.
    await this.writeInfo().catch((error: unknown) => this.dependencies.events.warn(errorMessage(error)));
    void this.#command.status.then((status) => {
      this.#commandStatus = status;
      this.#stop.abort();
    });
  }

  #untilStop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stop.signal.aborted) return resolve();
      const { seconds } = this.options;
      const timer = seconds === undefined ? undefined : setTimeout(resolve, seconds * 1000);
      this.#stop.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
      void Promise.all(this.#drains).then(() => resolve());
    });
  }

  async #drain(job: Job): Promise<void> {
    try {
      const collecter = new job.collecter(this.#collectRun(job) as never);
      for await (const batch of collecter.collect()) {
        const section = job.sections[batch.section];
        if (section === undefined) throw new Error(`${job.choice.interface} has no section ${batch.section}`);
        await section.write(batch.records);
      }
    } catch (error) {
      if (!job.hasStarted && this.#interrupted !== undefined) {
        job.report.warn(`the run was stopped before ${job.tool} had begun`);
        return;
      }
      log('error', 'collecter failed', { interface: job.choice.interface, error: errorMessage(error) });
      if (!(error instanceof MarpleError)) log('error', 'bug', { stack: error instanceof Error ? error.stack : '' });
      job.failure = {
        interface: job.choice.interface,
        ...explain(error),
      };
    } finally {
      job.started.resolve();
    }
  }

  #job(collecter: CollecterClass, choice: Choice, tool: string, index: number): Job {
    const { description } = collecter;
    const report = new HeaderReport();
    for (const passed of choice.passedOver) {
      const how = passed.tool === tool ? 'was asked for in spite of this' : 'was passed over';
      report.warn(`${passed.tool} ${how}: ${passed.why}`);
    }
    return {
      collecter,
      choice,
      tool,
      report,
      sections: description.sections.map((spec, i) =>
        this.writer.section(this.#header(description.interface, spec), index * 100 + i),
      ),
      started: defer(),
      hasStarted: false,
      failure: undefined,
      recording: undefined,
    };
  }

  #header(name: string, spec: SectionSpec): SectionHeader {
    const start = isoTime(this.#clock.realtime);
    return {
      marple: FORMAT_VERSION,
      interface: name,
      datatype: spec.datatype,
      start,
      end: null,
      clock: { name: 'CLOCK_MONOTONIC', origin: String(this.#clock.origin), realtime: start },
      records: null,
      bytes: null,
      ...(spec.x === undefined ? {} : { x: spec.x }),
      ...(spec.y === undefined ? {} : { y: spec.y }),
      ...(spec.weight === undefined ? {} : { weight: spec.weight }),
      ...(spec.fields === undefined ? {} : { fields: [...spec.fields] }),
      ...(spec.links === undefined ? {} : { links: spec.links.map(([from, to]): [string, string] => [from, to]) }),
      host: hostname(),
      kernel: release(),
      cpus: availableParallelism(),
      scope: this.#headerScope(),
    };
  }

  #headerScope(): Record<string, unknown> {
    const { command, pids, comm, cgroup } = this.options;
    return {
      system_wide: isSystemWide(this.#info.scope),
      ...(pids === undefined ? {} : { pids }),
      ...(comm === undefined ? {} : { comm }),
      ...(cgroup === undefined ? {} : { cgroup }),
      ...(command === undefined ? {} : { command }),
    };
  }

  #collectRun(job: Job): CollectRun<unknown> {
    const { description } = job.collecter;
    const { config, tempDir } = this.dependencies;
    const run = this;
    let recordingDir: Promise<string> | undefined;
    return {
      tool: job.tool,
      toolVersion: job.choice.version,
      options: {
        ...(config.get(description.interface, description.options) as Record<string, unknown>),
        ...this.options.overrides.get(description.interface),
      },
      clock: this.#clock,
      get scope() {
        const { scope } = run.#info;
        return run.#members === undefined ? scope : { ...scope, members: run.#members.now };
      },
      info: () => this.#currentInfo(),
      decode: (dir) => this.#decode(job, dir),
      seconds: this.options.seconds,
      stop: this.#stop.signal,
      recordingDir: () => {
        recordingDir ??= makeRecordingDir(this.writer.partialDir, description.interface);
        return recordingDir;
      },
      tempDir,
      started: () => {
        job.hasStarted = true;
        job.started.resolve();
      },
      report: job.report,
    };
  }

  async *#decode(job: Job, dir: string): AsyncGenerator<Batch> {
    job.recording = dir;
    if (!this.options.raw) yield* decodeRecording(dir, this.#currentInfo(), job.report);
  }

  /** With all members that the cgroup has had until now. */
  #currentInfo(): RunInfo {
    const seen = this.#members?.seen;
    if (seen !== undefined && seen !== this.#info.scope.members) {
      this.#info = { ...this.#info, scope: { ...this.#info.scope, members: seen } };
    }
    return this.#info;
  }

  /**
   * Writes what decoding needs to know. One after the other: it is asked for when the command starts, and when the cgroup
   * has new members.
   * @throws UsageError where it cannot be written.
   */
  writeInfo(): Promise<void> {
    const path = join(this.writer.partialDir, 'run.json');
    const write = async (): Promise<void> => {
      try {
        await writeFile(path, `${JSON.stringify(this.#currentInfo())}\n`, { mode: 0o600 });
      } catch (error) {
        throw unwritable(path, error);
      }
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}

/** The system's own refusals (a full disk, too many open files) are put into words too. */
function explain(error: unknown): Pick<Failure, 'reason' | 'hint'> {
  const hint = (error instanceof MarpleError ? error.hint : systemHint(error)) ?? DOCTOR;
  const isSystems = !(error instanceof MarpleError) && errorCode(error) !== undefined;
  return { reason: isSystems ? systemSentence(error) : errorMessage(error), hint };
}

/** Decoding may take a while, and the machine has other work. */
function giveWay(): void {
  setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
}

function quitError(signal: StopSignal, writer: DataFileWriter): MarpleError {
  return new MarpleError(
    `stopped before the file was complete: what was collected is in ${writer.partialDir}`,
    SIGNAL_EXIT[signal],
    `marple display -i ${writer.path}`,
  );
}

function initialScope(options: CollectOptions): Scope {
  return {
    own: process.pid,
    ...(options.command === undefined || options.systemWide ? {} : { root: 0 }),
    ...(options.pids === undefined ? {} : { pids: options.pids }),
    ...(options.comm === undefined ? {} : { comm: options.comm }),
    ...(options.cgroup === undefined ? {} : { members: cgroupMembers(options.cgroup) }),
  };
}

/** The members of a cgroup, as they come and go. */
class Members {
  readonly #timer: NodeJS.Timeout;
  readonly #all: Set<number>;
  #onChange: () => void = () => undefined;
  /** A new array with each change. */
  seen: readonly number[];

  constructor(
    readonly cgroup: string,
    public now: readonly number[],
  ) {
    this.seen = now;
    this.#all = new Set(now);
    this.#timer = setInterval(() => this.#look(), CGROUP_POLL_MS);
  }

  onChange(callback: () => void): void {
    this.#onChange = callback;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.now = cgroupMembers(this.cgroup);
    const before = this.#all.size;
    for (const pid of this.now) this.#all.add(pid);
    if (this.#all.size === before) return;
    this.seen = [...this.#all];
    this.#onChange();
  }
}

async function makeRecordingDir(partialDir: string, name: string): Promise<string> {
  const dir = join(partialDir, 'recordings', name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return dir;
}

function recordsOf(job: Job): number {
  const written = job.sections.reduce((sum, section) => sum + section.records, 0);
  return Math.max(written, job.report.progressed);
}

function sectionResult(job: Job, section: SectionWriter, raw: boolean): SectionResult {
  const { header } = section;
  return {
    interface: header.interface,
    datatype: header.datatype,
    quantity: header.y?.label ?? header.weight?.label,
    records: section.records,
    raw,
    lost: header.lost ?? 0,
    skipped: header.skipped ?? 0,
    tool: job.tool,
    warnings: header.warnings ?? [],
    notes: header.notes ?? [],
  };
}

function choiceFailure(choice: Choice): Failure {
  const first = choice.passedOver.find((passed) => passed.hint !== undefined) ?? choice.passedOver[0];
  const reasons = choice.passedOver.map((passed) => `${passed.tool}: ${passed.why}`).join('; ');
  return {
    interface: choice.interface,
    reason: `no tool for ${choice.interface} works here (${reasons})`,
    hint: first?.hint ?? DOCTOR,
  };
}

function nothingUsable(failures: readonly Failure[]): UnavailableError {
  const hint = failures.find((failure) => failure.hint !== undefined)?.hint;
  return new UnavailableError(failures.map((failure) => failure.reason).join('; '), hint);
}

/** A memory that cannot be kept costs the next run some seconds of probing, no more. */
async function saveMemory(memory: ProbeMemory): Promise<void> {
  try {
    await memory.save();
  } catch (error) {
    log('warn', 'probe memory not saved', { path: memory.path, error: errorMessage(error) });
  }
}

async function checkOutput(path: string, force: boolean): Promise<void> {
  if (path === '-' || force) return;
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  if (exists) throw new UsageError(`${path} exists already`, 'give another -o, or --force to overwrite it');
}

function checkPids(pids: readonly number[] | undefined): void {
  for (const pid of pids ?? []) {
    try {
      readFileSync(`/proc/${pid}/stat`);
    } catch {
      throw new UsageError(`there is no process with pid ${pid}`, 'list the processes with: ps -e');
    }
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
