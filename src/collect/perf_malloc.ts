import type { Batch, SectionSpec } from '../common/section.ts';
import type { StackWeight } from '../formats/perf-stacks.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { collectMallocCalls, type MallocProbeOptions, mallocProbeOptions, probeMallocCalls } from './perf/malloc.ts';

const calls: SectionSpec = { datatype: 'stack', weight: { label: 'calls of malloc', unit: 'calls' } };
const bytes: SectionSpec = { datatype: 'stack', weight: { label: 'requested', unit: 'bytes' } };
/** Of the sections, in their order. */
const WEIGHTS: readonly StackWeight[] = ['calls', 'bytes'];

/** Which code calls malloc, how often and for how many bytes. Whether it frees them is another question (memleak). */
export class PerfMalloc extends Collecter<MallocProbeOptions> {
  static readonly description: CollecterDescription<MallocProbeOptions> = {
    interface: 'perf_malloc',
    area: 'mem',
    kind: 'malloc_calls',
    summary: 'calls of malloc by stack, and the bytes asked for',
    sections: [calls, bytes],
    options: mallocProbeOptions,
    tools: [{ name: 'perf', probe: probeMallocCalls }],
  };

  override collect(): AsyncIterable<Batch> {
    return collectMallocCalls(this.run, { interface: 'perf_malloc', weights: WEIGHTS });
  }
}
