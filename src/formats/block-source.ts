import { setImmediate as yieldToOthers } from 'node:timers/promises';
import * as z from 'zod';
import { errorMessage } from '../common/errors.ts';
import type { Report } from '../common/section.ts';
import { type BlockRecord, type BlockSource, type RecordReader, recordReader } from './block-records.ts';
import { BpftraceBlocks, bpftraceBlockSchema } from './bpftrace-block.ts';
import { type EventFormat, parseFormat } from './event-format.ts';
import { type FtraceDetails, FtraceReader, ftraceDetailsSchema, GAP_END, GAP_START } from './ftrace.ts';
import { reportTraceLoss } from './ftrace-loss.ts';
import { PerfFile } from './perf-file.ts';
import { describePerf, openPerfData, type PerfDetails, perfDetailsSchema } from './perf-recording.ts';
import { damagedRecording, type Recording, type RunInfo } from './recording.ts';

const BATCH = 4096;

/** What a perf recording of block events tells: the text of each event's format file, by `GROUP:NAME`. */
const perfBlockSchema = perfDetailsSchema.extend({ formats: z.record(z.string(), z.string()) });

/**
 * Opens the block events of a recording by ftrace, perf or bpftrace; its format's name begins with that of the tool.
 * @throws DamagedFileError where the recording's description is none that can be read here.
 */
export async function openBlockSource(
  dir: string,
  recording: Recording,
  run: RunInfo,
  report: Report,
): Promise<BlockSource> {
  const origin = BigInt(run.origin);
  const tool = toolOf(recording);
  if (tool === 'perf') return openPerf(dir, detailsOf(dir, recording, perfBlockSchema), origin, report);
  if (tool === 'bpftrace') {
    return new BpftraceBlocks(dir, detailsOf(dir, recording, bpftraceBlockSchema), origin, report);
  }
  return openFtrace(dir, detailsOf(dir, recording, z.object({ ftrace: ftraceDetailsSchema })).ftrace, origin);
}

/** The tool that made the recording. */
export function toolOf({ format }: Recording): string {
  return format.slice(0, format.indexOf('-'));
}

/** The recording's details in the shape of a schema. @throws DamagedFileError where they are not. */
export function detailsOf<T>(dir: string, recording: Recording, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(recording.details);
  if (!parsed.success) throw damagedRecording(dir, 'not a description of a disk trace');
  return parsed.data;
}

/** What reads each event, by the id of its format. */
function readersOf(dir: string, formats: Iterable<readonly [string, EventFormat]>): (RecordReader | undefined)[] {
  const readers: (RecordReader | undefined)[] = [];
  try {
    for (const [name, format] of formats) readers[format.id] = recordReader(name, format);
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
  return readers;
}

function openFtrace(dir: string, details: FtraceDetails, origin: bigint): BlockSource {
  const reader = new FtraceReader(dir, details, origin);
  const formats = Object.keys(details.formats).map((name) => [name, reader.format(name)!] as const);
  let readers: (RecordReader | undefined)[];
  try {
    readers = readersOf(dir, formats);
  } catch (error) {
    reader.close();
    throw error;
  }
  return {
    hasTasks: 'task:task_newtask' in details.formats && 'task:task_rename' in details.formats,
    async *records() {
      try {
        let batch: BlockRecord[] = [];
        for (let event = reader.next(); event !== undefined; event = reader.next()) {
          const { id, time } = event;
          if (id === GAP_START) batch.push({ kind: 'gap', edge: 'begin', time });
          else if (id === GAP_END) batch.push({ kind: 'gap', edge: 'end', time });
          else {
            const record = readers[id]?.(event);
            if (record !== undefined) batch.push(record);
          }
          if (batch.length < BATCH) continue;
          yield batch;
          batch = [];
          await yieldToOthers();
        }
        yield batch;
      } finally {
        reader.close();
      }
    },
    reportLoss: (report) => reportTraceLoss(dir, reader, details.bufferKb, report),
  };
}

const TRACEPOINT = 2;

async function openPerf(
  dir: string,
  details: PerfDetails & { readonly formats: Readonly<Record<string, string>> },
  origin: bigint,
  report: Report,
): Promise<BlockSource> {
  describePerf(details, report);
  const path = await openPerfData(dir, details, report);
  const formats = Object.entries(details.formats).map(([name, text]) => [name, formatOf(dir, text)] as const);
  const readers = readersOf(dir, formats);
  const sizes = new Map(formats.map(([, { id, size }]) => [id, size]));
  let lost = 0;
  let damaged = 0;
  return {
    hasTasks: true,
    async *records() {
      if (path === undefined) return;
      const file = new PerfFile(path, origin);
      try {
        let batch: BlockRecord[] = [];
        let time = 0;
        for (const record of file.records()) {
          if (record.kind === 'sample') {
            const { raw, event } = record;
            const reader = event.type === TRACEPOINT ? readers[event.config] : undefined;
            time = record.time ?? time;
            if (reader === undefined) continue;
            if (raw === undefined || record.time === undefined || raw.length < sizes.get(event.config)!) damaged++;
            else batch.push(reader({ ...raw, time }));
          } else if (record.kind === 'fork') {
            const { pid, tid, parentTid } = record;
            batch.push({ kind: 'fork', time, tid, creator: parentTid, isThread: pid !== tid, comm: '' });
          } else if (record.kind === 'name') {
            batch.push({ kind: 'rename', time, tid: record.tid, comm: record.comm });
          } else if (record.kind === 'lost') {
            lost += record.count;
            // It is written when there is room again: what is lost came before it.
            batch.push({ kind: 'gap', edge: 'begin', time }, { kind: 'gap', edge: 'end', time: record.time ?? time });
          }
          if (batch.length < BATCH) continue;
          yield batch;
          batch = [];
          await yieldToOthers();
        }
        damaged += file.damaged;
        yield batch;
      } finally {
        file.close();
      }
    },
    reportLoss(to) {
      if (damaged > 0) to.warn(`${damaged} records of perf's file could not be read`);
      if (lost > 0) {
        to.lost(lost);
        to.warn(`${lost} events were lost: perf could not write as fast as they came`);
      }
      return lost;
    },
  };
}

function formatOf(dir: string, text: string): EventFormat {
  try {
    return parseFormat(text);
  } catch (error) {
    throw damagedRecording(dir, errorMessage(error), error);
  }
}
