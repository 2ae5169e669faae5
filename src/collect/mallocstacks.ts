import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { collectMallocstacks, probeMallocstacks } from './bcc/mallocstacks.ts';
import { collectBpftraceMallocs, probeBpftraceMallocs } from './bpftrace/malloc.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectMallocCalls, mallocProbeOptions, probeMallocCalls } from './perf/malloc.ts';

const options = mallocProbeOptions.extend({
  /** Different stacks that are kept apart at most (BCC, bpftrace). */
  max_stacks: z.coerce.number().int().min(64).max(4_194_304).default(131_072),
});
export type MallocStacksOptions = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'requested of malloc', unit: 'bytes' } };

/** Which code asks malloc for how many bytes, whether it gives them back or not. */
export class MallocStacks extends Collecter<MallocStacksOptions> {
  static readonly description: CollecterDescription<MallocStacksOptions> = {
    interface: 'mallocstacks',
    area: 'mem',
    kind: 'malloc',
    summary: 'bytes asked of malloc, by stack',
    sections: [stacks],
    options,
    tools: [
      { name: 'bcc', probe: probeMallocstacks },
      { name: 'bpftrace', probe: (request) => probeBpftraceMallocs(request, 'requested') },
      { name: 'perf', probe: probeMallocCalls },
    ],
  };

  override collect(): AsyncIterable<Batch> {
    const { run } = this;
    const { max_stacks: most } = run.options;
    switch (run.tool) {
      case 'bcc':
        return collectMallocstacks(run, most);
      case 'bpftrace':
        return collectBpftraceMallocs(run, { interface: 'mallocstacks', kind: 'requested', most });
      default:
        return collectMallocCalls(run, { interface: 'mallocstacks', weights: ['bytes'] });
    }
  }
}
