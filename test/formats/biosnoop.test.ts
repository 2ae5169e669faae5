import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { biosnoopImporter, isTitle, parseRow } from '../../src/formats/biosnoop.ts';
import { checkImporter, importBytes } from '../support/imports.ts';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/biosnoop', name));

const linesOf = (name: string): string[] => fixture(name).toString().trimEnd().split('\n');

describe('rows in the documented format', () => {
  test('of BCC', () => {
    const [title = '', ...lines] = linesOf('bcc-made.txt');
    expect(isTitle(title)).toBe(true);
    const rows = lines.map(parseRow);
    expect(rows).not.toContain(undefined);
    expect(rows[1]).toEqual({
      end: 178_000,
      comm: 'fio',
      pid: 4711,
      dev: 'vda',
      op: 'R',
      sector: 63455240,
      bytes: 4096,
      nanoseconds: 610_000,
    });
    expect(rows[3]).toMatchObject({ comm: 'my tool 12 3', pid: 1956, end: 250_000_000 });
    expect(rows[4]).toMatchObject({ dev: '<unknown>', nanoseconds: 12_500_000 });
    expect(rows[5]).toMatchObject({ comm: 'a-name-of-14-c', bytes: 1_048_576, nanoseconds: 103_070_000 });
  });

  test('of libbpf-tools', () => {
    const [title = '', ...lines] = linesOf('libbpf-made.txt');
    expect(isTitle(title)).toBe(true);
    const rows = lines.map(parseRow);
    expect(rows.map((row) => row?.op)).toEqual(['RS', 'WFS', 'FF', 'RA']);
    expect(rows[2]).toMatchObject({ sector: undefined, bytes: 0, nanoseconds: 12_507_000 });
  });

  test('what is no row is none', () => {
    const others = ['bcc-linux-6.18.txt', 'libbpf-linux-6.18.txt'].flatMap(linesOf);
    for (const line of [...others, '', '0.1', 'x y z', linesOf('bcc-made.txt')[0] ?? '']) {
      expect(parseRow(line)).toBeUndefined();
    }
  });
});

describe('what every importer does', () => {
  checkImporter(biosnoopImporter, {
    files: { 'BCC’s': fixture('bcc-made.txt'), 'that of libbpf-tools': fixture('libbpf-made.txt') },
    count: (file) => file.toString('latin1').match(/^\d+\.\d+ /gm)!.length,
    isText: true,
  });
});

describe('imported', () => {
  test('each row is a datapoint of disklat, in the order of issue, from the first issue on', async () => {
    const text = fixture('bcc-made.txt').toString();
    const rows = text.split('\n').flatMap((line) => parseRow(line) ?? []);
    const { result, sections } = await importBytes(text);
    expect(result.format).toBe('biosnoop');
    const [section] = sections;
    expect(section!.header).toMatchObject({ interface: 'disklat', datatype: 'datapoint', y: { unit: 'ms' } });
    const issues = rows
      .map((row) => ({ ...row, issued: row.end - row.nanoseconds }))
      .sort((a, b) => a.issued - b.issued);
    expect(section!.records).toEqual(
      issues.map(({ issued, nanoseconds, comm, pid, op, dev, sector, bytes }) => ({
        x: (issued - issues[0]!.issued) / 1e9,
        y: nanoseconds / 1e6,
        info: [comm, `${pid}`, '', op, dev, `${sector ?? ''}`, `${bytes}`, ''],
      })),
    );
  });

  test('time in queues is left out, and said', async () => {
    const { result, sections } = await importBytes(
      'TIME(s)     COMM           PID     DISK      T SECTOR     BYTES  QUE(ms) LAT(ms)\n' +
        '0.000000    a b 1          7       vda       R -1         4096      0.02    0.74\n',
    );
    expect(sections[0]!.records).toEqual([{ x: 0, y: 0.74, info: ['a b 1', '7', '', 'R', 'vda', '', '4096', ''] }]);
    expect(result.warnings.join()).toMatch(/queues/);
  });

  test('no I/O at all is an empty section', async () => {
    const { sections } = await importBytes(
      'TIME(s)     COMM           PID     DISK      T SECTOR     BYTES  LAT(ms)\n',
    );
    expect(sections.map(({ records }) => records)).toEqual([[]]);
  });
});
