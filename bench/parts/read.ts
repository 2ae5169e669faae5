import { openDataFile, type SectionReader } from '../../src/common/reader.ts';

/* Reads a data file to its end by one thread: `read.cjs FILE columns|records`. */

const [path = '', how = 'columns'] = process.argv.slice(2);

async function main(): Promise<void> {
  const file = await openDataFile(path, { threads: 1 });
  let count = 0;
  for (const section of file.sections) {
    for await (const length of how === 'records' ? readRecords(section) : readColumns(section)) count += length;
  }
  await file.close();
  process.stdout.write(`${count}\n`);
}

async function* readRecords(section: SectionReader): AsyncGenerator<number> {
  for await (const records of section.batches(section.header.datatype)) yield records.length;
}

/** Every column: numbers where most are. */
async function* readColumns(section: SectionReader): AsyncGenerator<number> {
  const { datatype, fields = [] } = section.header;
  if (datatype === 'stack') {
    yield* readRecords(section);
    return;
  }
  const isNumber = (field: string) => /pid|tid|cpu|sector|bytes|weight/.test(field);
  const want = fields.map((field) => ({ field, as: isNumber(field) ? ('number' as const) : ('text' as const) }));
  const chunks = datatype === 'event' ? section.events(want) : section.points(want);
  for await (const { length } of chunks) yield length;
}

void main();
