import { z } from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { SCHED_EVENTS, SCHED_FIELDS } from '../formats/sched.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectTrace } from './ftrace/collect.ts';
import { probeEvents } from './ftrace/record.ts';

const options = z.strictObject({
  /** Trace buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(16_384),
});
type Options = z.infer<typeof options>;

const section: SectionSpec = { datatype: 'event', fields: SCHED_FIELDS };

/** What the scheduler does: who runs where and when, who wakes whom, and why tasks leave their CPU. */
export class CpuScheduling extends Collecter<Options> {
  static readonly description: CollecterDescription<Options> = {
    interface: 'cpusched',
    area: 'cpu',
    kind: 'sched',
    isDefaultKind: true,
    summary: 'what the scheduler does: switches, wakeups, migrations, new tasks',
    sections: [section],
    options,
    tools: [{ name: 'ftrace', probe: () => probeEvents('cpusched', SCHED_EVENTS) }],
  };

  override async *collect(): AsyncIterable<Batch> {
    yield* collectTrace(this.run, {
      interface: 'cpusched',
      format: 'ftrace-cpusched',
      events: SCHED_EVENTS,
      bufferKb: this.run.options.buffer_kb,
    });
  }
}
