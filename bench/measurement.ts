import type { Inputs } from './inputs.ts';
import type { Programs } from './programs.ts';

/** One run of one contestant. */
export interface Sample {
  readonly seconds: number;
  /** Seconds of CPU, user and system. */
  readonly cpu: number;
  /** Most memory that was resident at once, bytes; of a pipeline the sum of its processes. */
  readonly peak: number;
}

/** Whoever does the work: MARPLE, a program that people use for the same, or what it would cost at the least. */
export interface Contestant {
  readonly name: string;
  run(): Promise<Sample>;
}

/** What a contestant is to reach; `against` is the name of the one that it is compared with. */
export type Goal = { readonly of: string } & (
  | { readonly seconds: number }
  | { readonly mebibytes: number }
  | { readonly megabytesPerCpuSecond: number }
  /** CPU time over time: 0.01 is 1 % of one core. */
  | { readonly share: number }
  | { readonly times: number; readonly against: string }
);

/** The same work for all of them: they run in turn, round by round, so that what else the machine does hits all alike. */
export interface Race {
  readonly title: string;
  readonly contestants: readonly Contestant[];
  /** Bytes of the input, where a rate makes sense. */
  readonly bytes?: number;
  /** Races of one name are points of one curve, over the bytes of their inputs. */
  readonly series?: string;
  readonly goals?: readonly Goal[];
}

/** What is measured. One file each, one line in registry.ts. */
export interface Measurement {
  readonly name: string;
  readonly summary: string;
  /** Its races, one after the other; the inputs are made before. */
  races(bench: Bench): AsyncIterable<Race>;
}

/** What a measurement has to work with. */
export interface Bench {
  readonly inputs: Inputs;
  readonly programs: Programs;
  /** A folder for what contestants write; it is emptied when the measurement is over. */
  readonly scratch: string;
  /** Says which contestant does not take part, and why. */
  absent(name: string, why: string): void;
}
