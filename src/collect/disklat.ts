import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Batch, SectionSpec } from '../common/section.ts';
import { decodeRecording } from '../formats/decoders.ts';
import { DISKLAT_EVENTS, type DisklatDetails, diskstatsFile } from '../formats/ftrace-disklat.ts';
import { writeRecording } from '../formats/recording.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { probeEvents, recordEvents } from './ftrace/record.ts';
import { collectIosnoop } from './iosnoop/collect.ts';
import { probeIosnoop } from './iosnoop/probe.ts';
import { blockDevices, readDiskstats } from './proc/block-devices.ts';

const options = z.object({
  /** Trace buffer of each CPU, KiB; it holds what comes in 0.1 s, and while MARPLE is kept from running. */
  buffer_kb: z.coerce.number().int().min(64).max(1_048_576).default(4096),
});
type Options = z.infer<typeof options>;

const section: SectionSpec = {
  datatype: 'datapoint',
  x: { label: 'time', unit: 's' },
  y: { label: 'latency', unit: 'ms' },
  fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
};

/** Every completed block I/O of the machine: when it was issued, by whom, and how long it took. */
export class DiskLatency extends Collecter<Options> {
  static readonly description: CollecterDescription<Options> = {
    interface: 'disklat',
    area: 'disk',
    kind: 'latency',
    isDefaultKind: true,
    summary: 'every disk I/O with its latency',
    sections: [section],
    options,
    tools: [
      { name: 'ftrace', probe: () => probeEvents('disklat', DISKLAT_EVENTS) },
      { name: 'iosnoop', probe: ({ tempDir }) => probeIosnoop(tempDir) },
    ],
  };

  override async *collect(): AsyncIterable<Batch> {
    if (this.run.tool === 'iosnoop') yield* collectIosnoop(this.run);
    else yield* this.#trace();
  }

  async *#trace(): AsyncIterable<Batch> {
    const { run } = this;
    const dir = await run.recordingDir();
    let started = false;
    let failure: unknown;
    try {
      await recordEvents({
        name: 'disklat',
        events: DISKLAT_EVENTS,
        bufferKb: run.options.buffer_kb,
        dir,
        stop: run.stop,
        onStarted: async ({ details: ftrace, command, mounted, warning }) => {
          const details: DisklatDetails = { ftrace, ...blockDevices(), diskstats: readDiskstats() };
          await writeRecording(dir, { format: 'ftrace-disklat', interface: 'disklat', details });
          run.report.tool({ name: 'ftrace', version: run.toolVersion, command });
          run.report.option('buffer_kb', ftrace.bufferKb);
          if (mounted) run.report.option('tracefs', 'mounted for this run');
          if (warning !== undefined) run.report.warn(warning);
          started = true;
          run.started();
        },
        onStopping: () => writeFileSync(diskstatsFile(dir), readDiskstats(), { mode: 0o600 }),
      });
    } catch (error) {
      if (!started) throw error;
      failure = error;
    }
    // What was recorded before a failure is still data.
    yield* decodeRecording(dir, run.info(), run.report);
    if (failure !== undefined) throw failure;
  }
}
