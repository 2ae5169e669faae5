import type * as z from 'zod';
import type { RunClock } from '../common/clock.ts';
import type { Scope } from '../common/scope.ts';
import type { Batch, Report, SectionSpec } from '../common/section.ts';
import type { RunInfo } from '../formats/recording.ts';

export const AREAS = ['cpu', 'disk', 'mem', 'ipc', 'system'] as const;
export type Area = (typeof AREAS)[number];

/** What trying a tool for a moment showed. `why` and `hint` say what stands in the way and the command that helps. */
export type Probe =
  | { readonly usable: true; readonly version: string }
  | { readonly usable: false; readonly why: string; readonly hint?: string };

/** What a probe may depend on: a tool can work for one scope and not for another. */
export interface ProbeRequest {
  readonly scope: Scope;
  /** A private directory for what the probe writes, removed after it. */
  readonly tempDir: string;
}

/** One tool that can serve an interface. `probe` does it for a moment; it never goes by versions or feature lists. */
export interface Tool {
  readonly name: string;
  probe(request: ProbeRequest): Promise<Probe>;
}

/** The static description of an interface: flags, help, config, doctor and headers derive from it. */
export interface CollecterDescription<Options> {
  readonly interface: string;
  readonly area: Area;
  readonly kind: string;
  /** Whether this kind is the one that the bare area flag means. */
  readonly isDefaultKind?: boolean;
  /** One line for --help. */
  readonly summary: string;
  readonly sections: readonly SectionSpec[];
  /** Options of the config section that has the interface's name; every key has a default. */
  readonly options: z.ZodType<Options>;
  /** In order of preference. */
  readonly tools: readonly Tool[];
}

/** Everything a collecter is given for one run. */
export interface CollectRun<Options> {
  /** Name of the chosen tool, one of the description's. */
  readonly tool: string;
  readonly toolVersion: string;
  readonly options: Options;
  readonly clock: RunClock;
  readonly scope: Scope;
  /** What decoding a recording needs; its scope has the command's pid once the command has started. */
  info(): RunInfo;
  /** What a recording comes to (formats/decoders.ts); nothing, where it is kept as it is (--raw). */
  decode(recordingDir: string): AsyncIterable<Batch>;
  /** Planned duration in seconds; undefined where only `stop` ends the run. */
  readonly seconds: number | undefined;
  /** Aborts when the collecting is to end: the time is over, the command has ended, or Ctrl-C. Not an error. */
  readonly stop: AbortSignal;
  /** Makes (once) and gives the folder in NAME.partial for this interface's raw recording. */
  recordingDir(): Promise<string>;
  /** A private temporary directory, removed on every way out. */
  readonly tempDir: string;
  /** To be called once recording has really begun: the user's command starts when all have called it. */
  started(): void;
  readonly report: Report;
}

/**
 * Base class of all collecters: one subclass per interface. `collect` yields the records lazily, and returns when the
 * data is complete; it throws a MarpleError where the interface failed (what it had yielded is kept).
 */
export abstract class Collecter<Options> {
  constructor(protected readonly run: CollectRun<Options>) {}

  abstract collect(): AsyncIterable<Batch>;
}

/** A Collecter subclass as the registry lists it, whatever its options are. */
export interface CollecterClass {
  readonly description: CollecterDescription<unknown>;
  new (run: CollectRun<never>): Collecter<unknown>;
}
