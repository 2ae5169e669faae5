import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/common/errors.ts';
import { type IosnoopRow, iosnoopImporter, isImplausible, isTitle, parseRow } from '../../src/formats/iosnoop.ts';
import { checkImporter, importBytes } from '../support/imports.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');

function linesOf(name: string): string[] {
  return readFileSync(join(FIXTURES, 'iosnoop', name), 'utf8')
    .trimEnd()
    .split('\n');
}

function rowsOf(name: string): IosnoopRow[] {
  return linesOf(name)
    .map(parseRow)
    .filter((row) => row !== undefined);
}

describe('rows of a kernel on which iosnoop is wrong', () => {
  test('are read for what they are', () => {
    const lines = linesOf('linux-6.18.txt');
    expect(lines.filter(isTitle)).toEqual([lines[1]]);
    const rows = rowsOf('linux-6.18.txt');
    // All but "Tracing block I/O", the title, a blank line and "Ending tracing...".
    expect(rows).toHaveLength(lines.length - 4);
    expect(rows[0]).toEqual({
      start: 1809_264729_000,
      end: 1809_264946_000,
      comm: 'node',
      tid: 27625,
      op: 'WS',
      dev: '254,0',
      sector: undefined,
      bytes: 0,
    });
    expect(rows.find(({ op }) => op === 'FF')).toMatchObject({ comm: 'kworker/0:1H', tid: 44 });
  });

  test('are found out', () => {
    expect(isImplausible(rowsOf('linux-6.18.txt'))).toMatch(/^iosnoop reads the wrong columns on this kernel/u);
  });
});

describe('rows of a kernel on which iosnoop is right', () => {
  test('are believed', () => {
    const rows = rowsOf('before-priority.txt');
    expect(rows).toHaveLength(linesOf('before-priority.txt').length - 3);
    expect(isImplausible(rows)).toBeUndefined();
  });

  test('say what the trace that they were made from says', () => {
    const trace = readFileSync(join(FIXTURES, 'ftrace/whole/trace.txt'), 'utf8');
    for (const { start, end, comm, tid, op, sector, bytes } of rowsOf('before-priority.txt')) {
      const [issued, completed] = [start, end].map((time) => (time / 1e9).toFixed(6));
      expect(trace).toMatch(
        new RegExp(`-${tid} .* ${issued}: block_rq_issue: .* ${sector} \\+ ${bytes / 512} .*\\[${comm}`, 'u'),
      );
      expect(trace).toMatch(
        new RegExp(` ${completed}: block_rq_complete: 254,0 ${op} \\(\\) ${sector} \\+ ${bytes / 512} `, 'u'),
      );
    }
  });
});

describe('one row', () => {
  /** The format strings of the tool. */
  function print(row: readonly [string, string, string, string, string, string, string, string, string]): string {
    const [start, end, comm, tid, op, dev, block, bytes, latency] = row;
    const left = [start.padEnd(15), end.padEnd(15), comm.slice(0, 12).padEnd(12), tid.padEnd(6), op.padEnd(4)];
    return [...left, dev.padEnd(8), block.padEnd(12), bytes.padEnd(6), latency.padStart(8)].join(' ');
  }

  const SAMPLE = ['4871.919496', '4871.919706', 'fio', '11096', 'RS', '254,0', '29947720', '4096', '0.21'] as const;

  test('names may hold spaces, numbers, slashes, and fill their column', () => {
    for (const comm of ['Web Content', 'a 12 R 8,0', 'kworker/u16:', 'Compositor 1', '(sd-pam)', 'x']) {
      const row = parseRow(print([...SAMPLE.slice(0, 2), comm, ...SAMPLE.slice(3)] as unknown as typeof SAMPLE));
      expect(row).toMatchObject({ comm, tid: 11096, op: 'RS', dev: '254,0', sector: 29947720, bytes: 4096 });
    }
  });

  test('columns may be wider than the tool thought', () => {
    const row = print([
      '1234567.919496',
      '1234567.919706',
      'fio',
      '4194304',
      'FWFSM',
      '259,1048575',
      '1234567890123',
      '1048576',
      '12345.67',
    ]);
    expect(parseRow(row)).toMatchObject({ tid: 4194304, op: 'FWFSM', dev: '259,1048575', sector: 1234567890123 });
  });

  test('a latency that the tool rounds to 0.00, or below it, is its two times', () => {
    for (const [end, latency, took] of [
      ['4871.919499', '0.00', 3000],
      ['4871.919496', '0.00', 0],
      ['4871.919490', '-0.01', -6000],
    ] as const) {
      const row = parseRow(print([SAMPLE[0], end, ...SAMPLE.slice(2, 8), latency] as unknown as typeof SAMPLE));
      expect((row?.end ?? 0) - (row?.start ?? 0)).toBe(took);
    }
  });

  test('times are exact', () => {
    const anyTime = fc.tuple(fc.nat(9_000_000), fc.nat(999_999));
    fc.assert(
      fc.property(anyTime, ([seconds, micros]) => {
        const text = `${seconds}.${String(micros).padStart(6, '0')}`;
        const row = parseRow(print([text, text, ...SAMPLE.slice(2)] as unknown as typeof SAMPLE));
        expect(row?.start).toBe(seconds * 1e9 + micros * 1000);
      }),
    );
  });

  test('what is no row is none', () => {
    for (const line of ['', 'Ending tracing...', 'Tracing block I/O. Ctrl-C to end.', print(SAMPLE).slice(0, 60)]) {
      expect(parseRow(line)).toBeUndefined();
    }
    // What a name with a space does to the tool's columns.
    expect(
      parseRow('d..1.           1809.264946     Web          Web    WS   1809.26  29947720     4096       0.22'),
    ).toBeUndefined();
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => parseRow(line) === undefined));
  });
});

describe('plausibility', () => {
  const row = (change: Partial<IosnoopRow>): IosnoopRow => ({
    start: 1,
    end: 2,
    comm: 'x',
    tid: 1,
    op: 'R',
    dev: '8,0',
    sector: 8,
    bytes: 4096,
    ...change,
  });

  test.each([
    ['no rows', [], false],
    ['flushes alone, which have neither place nor size', [row({ op: 'FF', sector: undefined, bytes: 0 })], false],
    ['good rows', [row({}), row({})], false],
    ['a good row among others', [row({ sector: undefined, bytes: 0 }), row({})], false],
    ['no size anywhere', [row({ bytes: 0 }), row({ bytes: 0 })], true],
    ['no place anywhere', [row({ sector: undefined }), row({ sector: undefined })], true],
  ] as const)('%s', (_, rows, wrong) => {
    expect(isImplausible(rows) !== undefined).toBe(wrong);
  });
});

const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, 'iosnoop', name));

describe('what every importer does', () => {
  checkImporter(iosnoopImporter, {
    files: { 'before-priority.txt': fixture('before-priority.txt'), 'linux-6.18.txt': fixture('linux-6.18.txt') },
    count: (file) => file.toString('latin1').match(/^\d+\.\d+ /gm)!.length,
    isText: true,
  });
});

describe('imported', () => {
  test('times that no number holds are counted', async () => {
    const [title, row] = fixture('before-priority.txt')
      .toString()
      .match(/^(STARTs.*|\d.*)$/gm)!;
    const absurd = row!.replace(/^\d+/, '9'.repeat(400));
    const { result, sections } = await importBytes(`${title}\n${row}\n${absurd}\n`);
    expect(sections[0]!.records).toHaveLength(1);
    expect(result.warnings.join()).toMatch(/1 I\/Os are left out, since their time is more/);
  });

  test('each row is a datapoint of disklat, in the order of issue, from the first issue on', async () => {
    const rows = rowsOf('before-priority.txt').sort((a, b) => a.start - b.start);
    const { result, sections } = await importBytes(fixture('before-priority.txt'));
    expect(result).toMatchObject({ format: 'iosnoop', skipped: 0, warnings: [] });
    expect(sections[0]!.header).toMatchObject({ interface: 'disklat', datatype: 'datapoint' });
    expect(sections[0]!.records).toEqual(
      rows.map(({ start, end, comm, tid, op, dev, sector, bytes }) => ({
        x: (start - rows[0]!.start) / 1e9,
        y: (end - start) / 1e6,
        info: [comm, '', `${tid}`, op, dev, `${sector ?? ''}`, `${bytes}`, ''],
      })),
    );
  });

  test('rows of a kernel on which iosnoop is wrong are not to be trusted, and that is said', async () => {
    const { result, sections } = await importBytes(fixture('linux-6.18.txt'));
    expect(result.skipped).toBe(0);
    expect(result.warnings.join()).toMatch(/iosnoop reads the wrong columns on this kernel/);
    expect(sections[0]!.header.warnings?.join()).toMatch(/wrong columns/);
  });

  const row = 'fio          1966   RS   254,0    50874296     4096       0.17\n';
  const title = 'COMM         PID    TYPE DEV      BLOCK        BYTES     LATms\n';
  test.each([
    ['STARTs          ', '1159.616604     '],
    ['ENDs            ', '1159.616774     '],
  ])('with one of the times: %s', async (column, time) => {
    const { sections } = await importBytes(`${column}${title}1159.0${time.slice(5)}${row}${time}${row}`);
    expect(sections[0]!.records.at(-1)).toMatchObject({ y: 0.17 });
    expect(sections[0]!.records).toHaveLength(2);
  });

  test('without times it is refused', async () => {
    const importing = importBytes(title + row);
    await expect(importing).rejects.toThrow(UsageError);
    await expect(importing).rejects.toMatchObject({ hint: 'record them with: iosnoop -ts' });
  });
});
