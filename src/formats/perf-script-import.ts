import type { Importer, ImportInput, ImportOptions, ImportSink } from './importer.ts';
import { wholeLines } from './lines.ts';
import { type PerfRecord, PerfScriptParser, type PerfTime } from './perf-script.ts';
import { SampleImport } from './sample-import.ts';

export const perfScriptImporter: Importer = {
  format: 'perf-script',
  summary: 'text of perf script, whatever its fields',
  detects: looksLikePerfScript,
  run: importPerfScript,
};

/** There are samples, with an event, a time or frames, and less that cannot be read. */
function looksLikePerfScript(head: Buffer): boolean {
  let [samples, unreadable] = [0, 0];
  const take = (record: PerfRecord): void => {
    if (record.kind !== 'sample') return;
    if (record.frames.length > 0 || record.time !== undefined || record.event !== undefined) samples++;
    else unreadable++;
  };
  const parser = new PerfScriptParser(take, () => unreadable++);
  parser.push(Buffer.concat([head, Buffer.from('\n')]));
  parser.end();
  // Where the beginning is cut, one line of it may be.
  return samples > 0 && unreadable <= samples;
}

async function importPerfScript(input: ImportInput, sink: ImportSink, options: ImportOptions): Promise<void> {
  const samples = new SampleImport(sink, options);
  // As one number a time would lose digits after 104 days of uptime.
  let first: PerfTime | undefined;
  const take = (record: PerfRecord): void => {
    if (record.kind === 'lost') sink.lost(record.count);
    if (record.kind !== 'sample') return;
    const { time } = record;
    first ??= time;
    samples.add(record, time === undefined || first === undefined ? undefined : nanosecondsSince(first, time));
  };
  const parser = new PerfScriptParser(take, (line) => sink.skipped(line));
  for await (const bytes of wholeLines(input.chunks())) {
    parser.push(bytes);
    await samples.flush();
  }
  parser.end();
  await samples.finish();
  if (parser.withText > 0) {
    sink.warn(`${parser.withText} samples have fields of their own, as tracepoints do: they are not in the data`);
  }
}

function nanosecondsSince(first: PerfTime, time: PerfTime): number {
  return (time.seconds - first.seconds) * 1e9 + (time.nanoseconds - first.nanoseconds);
}
