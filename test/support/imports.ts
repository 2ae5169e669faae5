import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Datatype, MarpleRecord, NewRecord } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { exportSources } from '../../src/formats/export.ts';
import type { Exporter } from '../../src/formats/exporter.ts';
import { foldedExporter } from '../../src/formats/folded.ts';
import { type ImportResult, importFile } from '../../src/formats/import.ts';
import type { Importer, ImportHeader, ImportSection, ImportSink } from '../../src/formats/importer.ts';
import { detectImporter } from '../../src/formats/importers.ts';
import { asRead, readRecords, tempFolder } from './data-files.ts';
import { exportPath } from './exports.ts';

export interface ImportedSection {
  readonly header: SectionHeader;
  readonly records: MarpleRecord[];
}

export interface Settings {
  readonly event?: string;
  readonly annotate?: readonly string[];
  readonly only?: Datatype;
  /** Bytes given at once. */
  readonly chunk?: number;
}

class MemorySink extends HeaderReport implements ImportSink {
  readonly sections: ImportedSection[] = [];

  section(given: ImportHeader): ImportSection {
    const header = { marple: 1, start: '2026-03-01T09:30:00.000Z', end: null, ...given };
    const records: MarpleRecord[] = [];
    this.sections.push({ header, records });
    const write = (more: readonly NewRecord[]): void => void records.push(...more.map(asRead));
    return { header, write, writeStacks: (held) => write([...held.stacks()]) };
  }
}

/** What one importer makes of bytes, in memory. */
export async function runImporter(importer: Importer, bytes: Buffer, settings: Settings = {}): Promise<MemorySink> {
  const { chunk = 1 << 20, event, only, annotate = [] } = settings;
  const sink = new MemorySink();
  const tempDir = tempFolder();
  const path = join(tempDir, 'input');
  writeFileSync(path, bytes);
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  };
  await importer.run(
    { name: 'input', isOriginal: true, file: async () => path, chunks: () => Readable.from(pieces()) },
    sink,
    { event, only, annotate: new Set(annotate), tempDir },
  );
  return sink;
}

/** What comes of an import as a file; the format is found by the content where none is named. */
export async function importBytes(
  bytes: Buffer | string,
  settings: Settings & { readonly format?: string } = {},
): Promise<{ result: ImportResult; path: string; sections: ImportedSection[] }> {
  const folder = tempFolder();
  const input = join(folder, 'input');
  writeFileSync(input, bytes);
  return importPath(input, settings);
}

export async function importPath(
  input: string,
  settings: Settings & { readonly format?: string } = {},
): Promise<{ result: ImportResult; path: string; sections: ImportedSection[] }> {
  const path = join(tempFolder(), 'x.marple');
  const result = await importFile({
    input,
    stdin: Readable.from([]),
    output: path,
    force: false,
    format: settings.format,
    event: settings.event,
    annotate: new Set(settings.annotate),
    tempDir: tempFolder(),
  });
  const file = await openDataFile(path);
  const sections = [];
  for (const section of file.sections) sections.push({ header: section.header, records: await readRecords(section) });
  await file.close();
  return { result, path, sections };
}

/** The folded export of a data file. */
export async function foldedExport(path: string): Promise<string> {
  const file = await openDataFile(path);
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of foldedExporter.run(exportSources([file], undefined, {}, '')[0]!, () => undefined)) {
      pieces.push(piece);
    }
    return Buffer.concat(pieces).toString();
  } finally {
    await file.close();
  }
}

export interface ImporterChecks {
  /** Whole files of the format, by name. */
  readonly files: Readonly<Record<string, Buffer>>;
  /** What is in a file, as amountOf() has it, by another count. */
  readonly count: (file: Buffer) => number;
  /** Writes the same format, and all that it can hold. */
  readonly exporter?: Exporter;
  /** Whether its lines may end in CRLF. */
  readonly isText: boolean;
}

const shapeOf = ({ sections, skippedCount }: Pick<MemorySink, 'sections' | 'skippedCount'>) => ({
  sections: sections.map(({ header: { interface: name, datatype, fields, weight }, records }) => ({
    name,
    datatype,
    fields,
    weight,
    records,
  })),
  skippedCount,
});

/** The weights of stacks and the number of other records, of all sections together. */
function amountOf({ sections }: Pick<MemorySink, 'sections'>): number {
  const all = sections.flatMap(({ records }) => records);
  return all.reduce((sum, record) => sum + ('weight' in record ? record.weight : 1), 0);
}

/** What holds for each importer. */
export function checkImporter(importer: Importer, { files, count, exporter, isText }: ImporterChecks): void {
  const all = Object.entries(files);

  test.each(all)('%s keeps all weights, and is the same in a file', async (_, bytes) => {
    const { sections, skippedCount } = await runImporter(importer, bytes);
    expect(amountOf({ sections })).toBe(count(bytes));
    const imported = await importBytes(bytes, { format: importer.format });
    expect(shapeOf({ sections: imported.sections, skippedCount })).toEqual(shapeOf({ sections, skippedCount }));
  });

  if (exporter !== undefined) {
    test.each(all)('%s is the same when it is exported and imported again', async (_, bytes) => {
      const { path, sections } = await importBytes(bytes);
      const again = await runImporter(importer, (await exportPath(exporter, path)).bytes);
      const sorted = (records: readonly MarpleRecord[]) => records.map((record) => JSON.stringify(record)).sort();
      expect(again.sections.map(({ records }) => sorted(records))).toEqual(
        sections.map(({ records }) => sorted(records)),
      );
    });
  }

  test.each(all)('%s is known by its content', (_, bytes) => {
    expect(detectImporter(bytes.subarray(0, 65_536), 'input').format).toBe(importer.format);
  });

  test.each(all)('%s in pieces of any size is the same', async (_, bytes) => {
    const whole = shapeOf(await runImporter(importer, bytes));
    expect(whole.sections.reduce((sum, { records }) => sum + records.length, 0)).toBeGreaterThan(0);
    for (const chunk of [1, 7, 4093]) expect(shapeOf(await runImporter(importer, bytes, { chunk }))).toEqual(whole);
  });

  test.each(all)('%s cut in the middle gives what came before, or says that it is cut', async (_, bytes) => {
    const whole = await runImporter(importer, bytes);
    for (const share of [0.3, 0.5, 0.77]) {
      const cut = await runImporter(importer, bytes.subarray(0, Math.floor(share * bytes.length))).catch(
        (error: unknown) => {
          expect(error).toMatchObject({ exitCode: 65 });
          return undefined;
        },
      );
      if (cut !== undefined) expect(amountOf(cut)).toBeLessThanOrEqual(amountOf(whole));
    }
  });

  test('what is empty is refused', async () => {
    await expect(importBytes('', { format: importer.format })).rejects.toMatchObject({ exitCode: 65 });
    expect(importer.detects(Buffer.alloc(0))).toBe(false);
  });

  if (isText) {
    test.each(all)('%s with CRLF is the same', async (_, bytes) => {
      const crlf = Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
      expect(importer.detects(crlf)).toBe(true);
      expect(shapeOf(await runImporter(importer, crlf))).toEqual(shapeOf(await runImporter(importer, bytes)));
    });
  }
}
