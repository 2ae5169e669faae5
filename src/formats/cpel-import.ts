import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CpelFile } from './cpel.ts';
import { EventImport } from './event-import.ts';
import type { Importer, ImportInput, ImportOptions, ImportSink } from './importer.ts';

/** The Python MARPLE wrote this line before the file proper. */
const PYTHON_PREFIX = '[CPEL]\n';

export const cpelImporter: Importer = {
  format: 'cpel',
  summary: 'event logs of the G2 viewer',
  detects: looksLikeCpel,
  run: importCpel,
};

/** Version 1, big-endian, some sections, and the first of them is of a type that there is. */
function looksLikeCpel(head: Buffer): boolean {
  if (head.toString('latin1', 0, PYTHON_PREFIX.length) === PYTHON_PREFIX) return true;
  if (head.length < 16 || head[0] !== 1 || head[1] !== 0) return false;
  const [sections, type] = [head.readUInt16BE(2), head.readUInt32BE(8)];
  return sections > 0 && type >= 1 && type <= 5;
}

// fio(4711)
const TASK = /^(?<comm>.*)\((?<pid>\d+)\)$/u;
// cpu 3
const CPU = /^cpu (?<cpu>\d+)$/u;

/** What the fields are, by what is on the tracks: tasks, CPUs, or something else. */
function fieldsOf(tracks: readonly string[]): string[] {
  const others = tracks.filter((track) => !TASK.test(track) && !CPU.test(track));
  return [
    ...(tracks.some((track) => TASK.test(track)) ? ['comm', 'pid'] : []),
    ...(tracks.some((track) => CPU.test(track)) ? ['cpu'] : []),
    ...(others.length > 0 || tracks.length === 0 ? ['track'] : []),
    'datum',
  ];
}

async function importCpel(input: ImportInput, sink: ImportSink, { tempDir }: ImportOptions): Promise<void> {
  const file = await CpelFile.open(await withoutPrefix(input, tempDir), input.name);
  try {
    const fields = fieldsOf(file.tracks);
    const start = new Date(file.date * 1000).toISOString();
    const section = sink.section({ interface: 'cpel', datatype: 'event', start, fields });
    const events = new EventImport(section, sink);
    for await (const batch of file.batches()) {
      for (const { time, type, track, datum } of batch) {
        const values = valuesOf(track, datum);
        events.add({ time, type, datum: fields.map((field) => values[field] ?? '') });
      }
      await events.flush();
    }
    await events.finish();
  } finally {
    await file.close();
  }
}

function valuesOf(track: string, datum: string): Readonly<Record<string, string | undefined>> {
  const { comm, pid } = TASK.exec(track)?.groups ?? {};
  if (pid !== undefined) return { comm, pid, datum };
  const { cpu } = CPU.exec(track)?.groups ?? {};
  return cpu === undefined ? { track, datum } : { cpu, datum };
}

async function withoutPrefix(input: ImportInput, tempDir: string): Promise<string> {
  const path = await input.file();
  for await (const head of createReadStream(path, { end: PYTHON_PREFIX.length - 1 })) {
    if (String(head) !== PYTHON_PREFIX) return path;
  }
  const copy = join(tempDir, 'input.cpel');
  await pipeline(createReadStream(path, { start: PYTHON_PREFIX.length }), createWriteStream(copy, { flags: 'wx' }));
  return copy;
}
