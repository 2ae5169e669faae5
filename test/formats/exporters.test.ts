import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openDataFile } from '../../src/common/reader.ts';
import { EXPORTERS, findExporter } from '../../src/formats/exporters.ts';
import { readCpel } from '../support/cpel.ts';
import { headerOf, readRecords, tempFolder, textFile } from '../support/data-files.ts';
import { type Exported, exportSections, SECTION, SOME } from '../support/exports.ts';

/** What holds for each exporter: what comes out is read by somebody else where there is somebody. */
interface Check {
  readonly section: number;
  /** The weights, or the number of records, in an export of that section. */
  readonly amountOf: (exported: Exported) => number | Promise<number>;
  /** An export of nothing is refused with this exit code; else it holds nothing. */
  readonly refusesNothing?: number;
}

interface Speedscope {
  readonly profiles: readonly { readonly weights: readonly number[] }[];
}

interface Trace {
  readonly traceEvents: readonly { readonly ph: string; readonly args?: { readonly name?: string } }[];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function pprofTotal({ bytes }: Exported): number {
  const folder = tempFolder();
  writeFileSync(`${folder}/profile`, bytes);
  const pprof = `${import.meta.dirname}/../../vendor/pprof/pprof`;
  const raw = execFileSync(pprof, ['-raw', `${folder}/profile`], {
    encoding: 'utf8',
    env: { ...process.env, HOME: folder, PPROF_TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [samples = ''] = raw.split(/^Locations$/m);
  return sum([...samples.matchAll(/^ +(\d+)(?: +\d+)*: /gm)].map(([, weight]) => Number(weight)));
}

function csvRows({ bytes }: Exported): number {
  const path = textFile(bytes, 'x.csv');
  const script =
    'import csv, sys; print(len(list(csv.reader(open(sys.argv[1], newline="", encoding="utf-8"), strict=True))) - 1)';
  return Number(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }));
}

const CHECKS: Readonly<Record<string, Check>> = {
  folded: {
    section: SECTION.stacks,
    amountOf: ({ text }) => sum(text.split('\n').map((line) => Number(/ (\d+)$/.exec(line)?.[1] ?? 0))),
  },
  speedscope: {
    section: SECTION.stacks,
    amountOf: ({ text }) => sum((JSON.parse(text) as Speedscope).profiles[0]!.weights),
  },
  pprof: { section: SECTION.stacks, amountOf: pprofTotal },
  'trace-event': {
    section: SECTION.disklat,
    amountOf: ({ text }) => (JSON.parse(text) as Trace).traceEvents.filter(({ ph }) => ph === 'b').length,
  },
  csv: { section: SECTION.disklat, amountOf: csvRows },
  cpel: { section: SECTION.cpusched, amountOf: ({ bytes }) => readCpel(bytes).events.length, refusesNothing: 2 },
  marple: {
    section: SECTION.disklat,
    amountOf: async ({ bytes }) => {
      const file = await openDataFile(textFile(bytes));
      const [section] = file.sections;
      const records = await readRecords(section!);
      await file.close();
      return records.length;
    },
  },
  summary: {
    section: SECTION.stacks,
    amountOf: async ({ bytes }) => {
      const file = await openDataFile(textFile(bytes));
      const records = await readRecords(file.sections[0]!);
      await file.close();
      return sum(records.map((record) => ('weight' in record ? record.weight : 0)));
    },
  },
};

test('no exporter is left out', () => {
  expect(Object.keys(CHECKS)).toEqual(EXPORTERS.map(({ format }) => format));
});

describe.each(Object.entries(CHECKS))('%s', (format, { section, amountOf, refusesNothing }) => {
  const exporter = findExporter(format);
  const { header, records } = SOME[section - 1]!;

  test('keeps every record with its weight', async () => {
    const expected = sum(records.map((record) => ('weight' in record ? record.weight : 1)));
    expect(expected).toBeGreaterThan(0);
    expect(await amountOf(await exportSections(exporter, [{ header, records }]))).toBe(expected);
  });

  test('of a section without records', async () => {
    const exporting = exportSections(exporter, [{ header, records: [] }]);
    if (refusesNothing === undefined) expect(await amountOf(await exporting)).toBe(0);
    else await expect(exporting).rejects.toMatchObject({ exitCode: refusesNothing });
  });

  test('of hostile text', async () => {
    const text = ['a\0b', '\udcff', '"\n\r', '=1', '%s%n', '</script>', '', '😀', ';,\\'];
    const hostile = records.map((record) => {
      if ('stack' in record) return { ...record, stack: text };
      const [texts, key] = 'datum' in record ? [record.datum, 'datum'] : [record.info, 'info'];
      return {
        ...record,
        [key]: texts.map((_, i) => (header.fields?.[i] === 'comm' ? text[i % text.length]! : texts[i]!)),
      };
    });
    const expected = sum(records.map((record) => ('weight' in record ? record.weight : 1)));
    expect(await amountOf(await exportSections(exporter, [{ header, records: hostile }]))).toBe(expected);
  });

  test('of a file that has nothing for it', async () => {
    const nothing = {
      header: headerOf('datapoint', { x: { label: 'size', unit: 'B' } }),
      records: [{ x: 1, y: 2, info: [''] }],
    };
    const exporting = exportSections(exporter, [nothing]);
    if (format === 'csv' || format === 'marple') expect(await amountOf(await exporting)).toBe(1);
    else await expect(exporting).rejects.toMatchObject({ exitCode: 2, hint: expect.any(String) });
  });
});
