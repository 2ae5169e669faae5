import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { BLOCKRQ_EVENTS } from '../formats/diskblockrq.ts';
import { collectBlockEvents, probePerfBlocks } from './block-events.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { probeEvents } from './ftrace/record.ts';

const options = z.strictObject({
  /** Buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(4096),
});
type Options = z.infer<typeof options>;

const section: SectionSpec = {
  datatype: 'event',
  fields: ['dev', 'sector', 'bytes', 'op', 'comm', 'pid', 'tid', 'error'],
};

/** The life of every block request: when it came into a queue, went to its device, and completed. */
export class BlockRequests extends Collecter<Options> {
  static readonly description: CollecterDescription<Options> = {
    interface: 'diskblockrq',
    area: 'disk',
    kind: 'block_requests',
    summary: 'every step of every block request: insert, issue, requeue, complete',
    sections: [section],
    options,
    tools: [
      { name: 'ftrace', probe: () => probeEvents('diskblockrq', BLOCKRQ_EVENTS) },
      { name: 'perf', probe: (request) => probePerfBlocks(request, BLOCKRQ_EVENTS) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    yield* collectBlockEvents(this.run, {
      interface: 'diskblockrq',
      events: BLOCKRQ_EVENTS,
      bufferKb: this.run.options.buffer_kb,
    });
  }
}
