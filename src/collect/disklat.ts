import * as z from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { DISKLAT_EVENTS, DISKLAT_POINTS } from '../formats/disklat.ts';
import { collectBiosnoop } from './biosnoop/collect.ts';
import { probeBiosnoop } from './biosnoop/probe.ts';
import { collectBlockEvents, probeBpftraceBlocks, probePerfBlocks } from './block-events.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { probeEvents } from './ftrace/record.ts';
import { collectIosnoop } from './iosnoop/collect.ts';
import { probeIosnoop } from './iosnoop/probe.ts';
import { IssuerRecorder } from './perf/issuers.ts';
import { completedRequests } from './proc/block-devices.ts';

const options = z.strictObject({
  /** Buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(4096),
  /** Whether the stack that issued each I/O is kept; `auto`: while the I/Os are no more than the limit. */
  stacks: z.enum(['auto', 'on', 'off']).default('auto'),
  /** I/Os per second of the machine. */
  stack_limit: z.coerce.number().int().min(1).default(5000),
});
type Options = z.infer<typeof options>;

const stacks: SectionSpec = { datatype: 'stack', weight: { label: 'I/Os', unit: 'I/Os' } };

/** Every completed block I/O of the machine: when it was issued, by whom, from where in the code, and how long it took. */
export class DiskLatency extends Collecter<Options> {
  static readonly description: CollecterDescription<Options> = {
    interface: 'disklat',
    area: 'disk',
    kind: 'latency',
    isDefaultKind: true,
    summary: 'every disk I/O with its latency, and the code that issued it',
    sections: [DISKLAT_POINTS, stacks],
    options,
    tools: [
      { name: 'ftrace', probe: () => probeEvents('disklat', DISKLAT_EVENTS) },
      { name: 'bpftrace', probe: probeBpftraceBlocks },
      { name: 'perf', probe: (request) => probePerfBlocks(request, DISKLAT_EVENTS) },
      { name: 'iosnoop', probe: ({ tempDir }) => probeIosnoop(tempDir) },
      { name: 'biosnoop', probe: ({ tempDir }) => probeBiosnoop(tempDir) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    if (run.tool === 'iosnoop' || run.tool === 'biosnoop') {
      if (run.options.stacks !== 'off') run.report.warn(`stacks are missing: ${run.tool} does not record them`);
      yield* run.tool === 'iosnoop' ? collectIosnoop(run) : collectBiosnoop(run);
    } else {
      yield* this.#record();
    }
  }

  async *#record(): AsyncIterable<Batch> {
    const { run } = this;
    const { buffer_kb: bufferKb, stacks: mode, stack_limit: limit } = run.options;
    run.report.option('stacks', mode);
    if (mode === 'auto') run.report.option('stack_limit', limit);
    const issuers =
      mode === 'off'
        ? undefined
        : await IssuerRecorder.start(run, {
            limit: mode === 'on' ? Number.POSITIVE_INFINITY : limit,
            countIos: completedRequests,
          });
    try {
      yield* collectBlockEvents(run, {
        interface: 'disklat',
        events: DISKLAT_EVENTS,
        bufferKb,
        onStopped: async () => issuers?.finish(),
      });
    } finally {
      await issuers?.finish();
    }
  }
}
