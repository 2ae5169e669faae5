import type { Report } from '../common/section.ts';
import { type CpuStats, type FtraceReader, readStats } from './ftrace.ts';

/**
 * Says what of a trace was lost or could not be read: compares what was decoded with the ring buffer's own counters.
 * Returns the number of events that are known to be lost.
 */
export function reportTraceLoss(dir: string, reader: FtraceReader, bufferKb: number, report: Report): number {
  if (reader.damaged > 0) {
    const pages = reader.damaged === 1 ? '1 page of the trace was' : `${reader.damaged} pages of the trace were`;
    report.warn(`${pages} cut or could not be read to ${reader.damaged === 1 ? 'its' : 'their'} end`);
  }
  const stats = readStats(dir);
  if (stats === undefined) {
    report.lost(reader.missed);
    const lost =
      reader.missed > 0 ? `at least ${reader.missed} trace events were lost` : 'no trace event is known to be lost';
    report.warn(`the recording was cut off: ${lost}`);
    return reader.missed;
  }
  const sum = (pick: (cpu: CpuStats) => number): number => stats.cpus.reduce((total, cpu) => total + pick(cpu), 0);
  const lost = sum((cpu) => cpu.overrun + cpu.commitOverrun + cpu.dropped);
  if (lost > 0) {
    report.lost(lost);
    report.warn(`${lost} trace events were lost: the buffers of ${bufferKb} KiB per CPU (buffer_kb) were too small`);
  }
  const read = sum((cpu) => cpu.read);
  if (read !== reader.events) {
    report.warn(`the kernel counted ${read} trace events that were read, but ${reader.events} could be decoded`);
  }
  return lost;
}
