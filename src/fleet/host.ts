import * as z from 'zod';
import type { Offset } from './clock-offset.ts';

/** How far it is with a host. */
export type Phase =
  | 'connecting'
  | 'connected'
  | 'ready'
  | 'recording'
  | 'ended'
  | 'sending'
  | 'arrived'
  | 'home'
  | 'failed';

const count = z.number().int().min(0);
const text = z.string();

/** What `marple collect --json` says, as far as it is used here. It comes from the host, and may be anything. */
const runSchema = z.object({
  seconds: z.number(),
  sections: z.array(
    z.looseObject({
      interface: text,
      datatype: text,
      quantity: text.optional(),
      records: count,
      lost: count,
      skipped: count,
      tool: text,
      warnings: z.array(text),
      notes: z.array(text),
    }),
  ),
  failures: z.array(z.looseObject({ interface: text, reason: text, hint: text.optional() })),
  tools: z.record(text, text.nullable()),
  command_status: z.number().int().nullable(),
});

const drySchema = z.object({
  choices: z.array(
    z.looseObject({
      interface: text,
      tool: text.optional(),
      version: text.optional(),
      passedOver: z.array(z.looseObject({ tool: text, why: text })),
    }),
  ),
});

export type HostRun = z.infer<typeof runSchema>;
export type HostChoices = z.infer<typeof drySchema>['choices'];

/** What went wrong with a host. */
export interface HostProblem {
  readonly what: string;
  readonly hint?: string | undefined;
}

/** One host, as the machine that collects knows it. */
export class Host {
  phase: Phase = 'connecting';
  /** The number that it gave itself. */
  id: string | undefined;
  version = '';
  records = 0;
  /** Bytes that came home, compressed. */
  bytes = 0;
  /** When something was heard of it last, milliseconds of performance.now(). */
  heard = performance.now();
  readonly before: Offset[] = [];
  readonly after: Offset[] = [];
  /** Whether its clock was compared after the end. */
  isMeasured = false;
  run: HostRun | undefined;
  choices: HostChoices | undefined;
  /** What its run ended with. */
  code: number | undefined;
  /** The data file, once it is here. */
  file: string | undefined;
  /** Whether the file is of a run that was cut off. */
  isCut = false;
  readonly problems: HostProblem[] = [];
  /** Whether its shell has done what it was told. */
  hasLeft = false;
  /** The last that ssh and its shell said. */
  words = '';
  /** The error that its MARPLE said last, and the hint behind it. */
  sentence: string | undefined;
  hint: string | undefined;

  constructor(readonly node: string) {}

  /** Nothing more is waited for. */
  get isOver(): boolean {
    return this.phase === 'home' || this.phase === 'failed';
  }

  fail(problem: HostProblem): void {
    this.phase = 'failed';
    this.problems.push(problem);
  }

  /** Takes the result of its run; one that cannot be read is none. */
  take(result: unknown): void {
    this.run = runSchema.safeParse(result).data;
    this.choices = drySchema.safeParse(result).data?.choices;
  }
}
