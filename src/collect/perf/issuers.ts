import { writeFileSync } from 'node:fs';
import { monotonicNow } from '../../common/clock.ts';
import { MarpleError } from '../../common/errors.ts';
import { deviceNumber, traceEventOf } from '../../formats/block-records.ts';
import { type StacksDetails, stacksDataFile, stacksFile } from '../../formats/issuer-stacks.ts';
import { findPerf } from '../../formats/perf-tool.ts';
import type { CollectRun } from '../collecter.ts';
import { readFormats } from '../ftrace/formats.ts';
import { scheduledDevices } from '../proc/block-devices.ts';
import { type PerfRecording, type RecordingEnd, startRecording } from './record.ts';
import { pagesOf, type RecordPlan } from './record-args.ts';

const EVENTS = [traceEventOf('insert'), traceEventOf('issue')];
/** Devices that a filter has room for: it may have a page. */
const MOST_FILTERED = 100;
const LOOK_MS = 1000;
/** Of each CPU. perf writes when a half is full: what is in there when MARPLE is killed may be lost. */
const BUFFER_KB = 1024;

export interface IssuerOptions {
  /** Most I/Os a second over a second: more end the recording, since each costs some microseconds. */
  readonly limit: number;
  /** I/Os of the machine until now. */
  countIos(): number;
}

/**
 * Both events of all devices, but not the issues (the last event, which a filter is for) of those with a scheduler: whoever made
 * such a request inserted it, and only that costs. What waits for a flush (F first) is not inserted.
 */
function issuersPlan(): RecordPlan {
  const scheduled = scheduledDevices().slice(0, MOST_FILTERED);
  const others = scheduled.map((number) => `dev != ${deviceNumber(number)}`).join(' && ');
  return {
    target: 'all',
    events: EVENTS,
    sampling: { period: 1 },
    callGraph: 'fp',
    // Build ids are looked for in every sample at the end, and nothing here reads them.
    extra: [...(scheduled.length === 0 ? [] : ['--filter', `(${others}) || rwbs ~ "F*"`]), '--no-buildid'],
  };
}

/** Records who calls for I/O, beside what records the I/Os: see formats/issuer-stacks.ts. */
export class IssuerRecorder {
  readonly #over = new AbortController();
  readonly #end: Promise<RecordingEnd>;
  readonly #timer: NodeJS.Timeout | undefined;

  /** Starts perf; where it cannot, the report says that stacks are missing, and why. To be finished by `finish`. */
  static async start(run: CollectRun<unknown>, options: IssuerOptions): Promise<IssuerRecorder | undefined> {
    const dir = await run.recordingDir();
    try {
      const formats = await readFormats(EVENTS);
      const perf = await findPerf();
      const plan = issuersPlan();
      const recording = await startRecording({
        perf,
        plans: [{ plan: () => plan }],
        output: stacksDataFile(dir),
        stop: run.stop,
        mmapPages: pagesOf(BUFFER_KB),
      });
      if (recording === undefined) return undefined;
      const { command, warnings, writer } = recording;
      return new IssuerRecorder(run, recording, options, stacksFile(dir), {
        command: [...command],
        version: perf.version,
        warnings: [...warnings],
        ...(writer === undefined ? {} : { writer: { ...writer } }),
        formats: Object.values(formats),
      });
    } catch (error) {
      if (!(error instanceof MarpleError)) throw error;
      const hint = error.hint === undefined ? '' : ` (${error.hint})`;
      run.report.warn(`stacks are missing: ${error.message}${hint}`);
      return undefined;
    }
  }

  private constructor(
    private readonly run: CollectRun<unknown>,
    recording: PerfRecording,
    private readonly options: IssuerOptions,
    private readonly path: string,
    private readonly details: StacksDetails,
  ) {
    this.#write(details);
    this.#end = recording.finish(this.#over.signal);
    // A limit that cannot be reached needs no watch.
    if (Number.isFinite(options.limit)) this.#timer = this.#watch();
  }

  /** Ends the recording; resolves when its file is complete. May be called again. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    this.#over.abort();
    const { failure } = await this.#end;
    if (failure !== undefined) this.run.report.warn(`stacks may be missing: ${failure}`);
  }

  #watch(): NodeJS.Timeout {
    let since = performance.now();
    let before = this.options.countIos();
    return setInterval(() => {
      const now = performance.now();
      const count = this.options.countIos();
      const rate = ((count - before) / (now - since)) * 1000;
      since = now;
      before = count;
      if (rate <= this.options.limit) return;
      clearInterval(this.#timer);
      const time = Number(monotonicNow() - this.run.clock.origin);
      this.#write({ ...this.details, ended: { time, rate, limit: this.options.limit } });
      this.#over.abort();
    }, LOOK_MS);
  }

  #write(details: StacksDetails): void {
    writeFileSync(this.path, `${JSON.stringify(details)}\n`, { mode: 0o600 });
  }
}
