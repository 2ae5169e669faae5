import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { csvExporter } from '../../src/formats/csv.ts';
import { headerOf, tempFolder } from '../support/data-files.ts';
import { exportSections, SECTION, SOME } from '../support/exports.ts';

/** What Python's csv module, which is not ours, reads. */
function readCsv(bytes: Buffer): string[][] {
  const path = `${tempFolder()}/x.csv`;
  writeFileSync(path, bytes);
  const script =
    'import csv, json, sys; print(json.dumps(list(csv.reader(open(sys.argv[1], newline="", encoding="utf-8"), strict=True))))';
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' })) as string[][];
}

describe('CSV', () => {
  it('has a row per record under a row of names', async () => {
    const { bytes, text } = await exportSections(csvExporter, SOME, { pick: [SECTION.disklat] });
    expect(readCsv(bytes)).toEqual([
      ['time_s', 'latency_ms', 'comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
      ['0.5', '1.25', 'fio', '10', '10', 'R', 'vda', '8', '4096', '1'],
      ['0.500001', '2', 'fio', '10', '12', 'W', 'vda', '16', '8192', ''],
      ['2.5', '9', "'=cmd|calc", '20', '20', 'R', 'vdb', '0', '512', '0'],
    ]);
    expect(text.split('\r\n')).toHaveLength(5);
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  test.each([
    [SECTION.cpusched, ['time_ns', 'type', 'cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'], 5],
    [SECTION.stacks, ['samples', 'stack'], 3],
    [SECTION.memtime, ['time_s', 'PSS_MiB', 'comm', 'pid'], 3],
    [SECTION.system, ['time_s', 'disk_throughput_MiB_per_s', 'device', 'direction'], 3],
  ])('section %i has its columns', async (number, columns, records) => {
    const rows = readCsv((await exportSections(csvExporter, SOME, { pick: [number] })).bytes);
    expect(rows[0]).toEqual(columns);
    expect(rows).toHaveLength(records + 1);
  });

  it('has stacks as text, and those alone that something is left of', async () => {
    const { bytes } = await exportSections(csvExporter, SOME, { pick: [SECTION.stacks], filter: { comm: /web/ } });
    expect(readCsv(bytes)).toEqual([
      ['samples', 'stack'],
      ['1', 'web_server;main;parse<int, "x">'],
    ]);
  });

  it('holds one section', async () => {
    await expect(exportSections(csvExporter, SOME)).rejects.toMatchObject({
      exitCode: 2,
      message: 'a CSV table holds one section, and there are 8',
      hint: expect.stringContaining('-e 4 (disklat, datapoint)'),
    });
  });

  test.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-bash', "'-bash"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\\x09=1"],
    ['\r=1', "'\\x0d=1"],
    ['＝1', "'＝1"],
    ['-12.5e3', '-12.5e3'],
    ['-1', '-1'],
    ['007', '007'],
    ['a"b,c', 'a"b,c'],
    [' blank ', ' blank '],
    ['line\nend', 'line\\x0aend'],
    ['\udcff', '\\xff'],
    ['é€😀', 'é€😀'],
    ['', ''],
  ])('%j is read as %j', async (value, expected) => {
    const header = headerOf('datapoint', { fields: ['name', 'more'] });
    const { bytes } = await exportSections(csvExporter, [{ header, records: [{ x: 1, y: 2, info: [value, 'z'] }] }]);
    expect(readCsv(bytes)[1]).toEqual(['1', '2', expected, 'z']);
  });
});
