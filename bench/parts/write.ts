import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { DataFileWriter } from '../../src/common/writer.ts';

/* Writes so many records like the first of a data file: `write.cjs FILE COUNT OUTPUT`. */

const [path = '', wanted = '', output = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const file = await openDataFile(path);
  const { header, batches } = await firstSection(file);
  await file.close();
  const tempDir = await mkdtemp(join(tmpdir(), 'marple-bench-'));
  const writer = await DataFileWriter.create(output, { force: true, tempDir });
  const section = writer.section({ ...header, records: null, bytes: null }, 0);
  for (let i = 0; section.records < Number(wanted); i++) await section.write(batches[i % batches.length]!);
  await writer.finish();
  await rm(tempDir, { recursive: true });
}

/** Some batches of its records. */
async function firstSection(file: Awaited<ReturnType<typeof openDataFile>>) {
  const section = file.sections[0]!;
  const batches: (readonly MarpleRecord[])[] = [];
  for await (const records of section.batches(section.header.datatype)) if (batches.push(records) === 10) break;
  return { header: section.header, batches };
}

void main();
