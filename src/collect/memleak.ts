import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { collectMemleak, probeMemleak } from './bcc/memleak.ts';
import { collectBpftraceMallocs, probeBpftraceMallocs } from './bpftrace/malloc.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';

const options = z.strictObject({
  /** Blocks that are followed at one time at most (bpftrace; BCC has a limit of its own, a million). */
  max_blocks: z.coerce.number().int().min(64).max(4_194_304).default(131_072),
});
export type MemLeakOptions = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'outstanding', unit: 'bytes' } };

/** Memory that was allocated during the run and not given back by its end, by the code that allocated it. */
export class MemLeak extends Collecter<MemLeakOptions> {
  static readonly description: CollecterDescription<MemLeakOptions> = {
    interface: 'memleak',
    area: 'mem',
    kind: 'leaks',
    summary: 'bytes allocated and not given back, by stack',
    sections: [stacks],
    options,
    tools: [
      { name: 'bcc', probe: probeMemleak },
      { name: 'bpftrace', probe: (request) => probeBpftraceMallocs(request, 'outstanding') },
    ],
  };

  override collect(): AsyncIterable<Batch> {
    const { run } = this;
    if (run.tool === 'bcc') return collectMemleak(run);
    return collectBpftraceMallocs(run, { interface: 'memleak', kind: 'outstanding', most: run.options.max_blocks });
  }
}
