import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StackData } from '../../src/common/datatypes.ts';
import { marplePyImporter } from '../../src/formats/marple-py.ts';
import { checkImporter, importBytes } from '../support/imports.ts';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/marple-py', name));

function weightOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
}

describe('what every importer does', () => {
  const names = ['last.marple', 'earlier.marple', 'first.marple'];
  checkImporter(marplePyImporter, {
    files: Object.fromEntries(names.map((name) => [name, fixture(name)])),
    // Of stacks the weight stands first, behind a header that says so.
    count: (file) => {
      const sections = file.toString().split(/^(?=\{)/m);
      return sections.reduce((sum, text) => {
        const lines = text
          .split('\n')
          .slice(1)
          .filter((line) => line !== '');
        return sum + (text.includes('"datatype": "stack"') ? weightOf(lines) : lines.length);
      }, 0);
    },
    isText: true,
  });
});

describe('the last version', () => {
  const all = async () => (await importBytes(fixture('last.marple'))).sections;
  const section = async (name: string) => (await all()).find(({ header }) => header.interface === name)!;

  test('all its sections, with their times of day', async () => {
    const sections = await all();
    expect(sections.map(({ header }) => `${header.interface} ${header.datatype}`)).toEqual([
      'callstack stack',
      'mallocstacks stack',
      'memleak stack',
      'cpusched event',
      'ipc event',
      'disklat datapoint',
      'memtime datapoint',
    ]);
    for (const { header } of sections) {
      expect(header).toMatchObject({ start: '2018-09-03T10:11:12.345Z', end: '2018-09-03T10:11:22.456Z' });
      expect(header.notes?.join()).toMatch(/time zone: read as UTC/);
    }
  });

  test('stacks', async () => {
    const bash = { weight: 1, stack: ['bash', 'main', 'execute_command'] };
    expect((await section('callstack')).records).toEqual([
      bash,
      { weight: 1, stack: ['swapper', 'cpu_startup_entry', 'do_idle'] },
      bash,
      { weight: 1, stack: ['a, b', 'x#y;z', 'operator<'] },
    ]);
    expect((await section('callstack')).header.weight).toEqual({ label: 'samples', unit: 'samples' });
    expect((await section('mallocstacks')).records[0]).toEqual({ weight: 123123, stack: ['proc1', 'func1', 'func2'] });
    expect((await section('mallocstacks')).header.weight?.unit).toBe('bytes');
    expect((await section('memleak')).records).toEqual([
      { weight: 409600, stack: ['firefox(1234)'] },
      { weight: 8192, stack: ['bash(77)'] },
    ]);
  });

  test('events of the scheduler: microseconds, from the first on', async () => {
    expect((await section('cpusched')).header.fields).toEqual(['pid', 'comm', 'cpu']);
    expect((await section('cpusched')).records).toEqual([
      { time: 0, type: 'sched:sched_wakeup', datum: ['6997', 'perf a', '3'] },
      { time: 7000, type: 'sched:sched_switch', datum: ['0', "it's", '0'] },
    ]);
  });

  test('connections have the fields that they have here', async () => {
    expect((await section('ipc')).header).toMatchObject({
      fields: ['pid', 'comm', 'port', 'other_pid', 'other_comm', 'other_port', 'bytes', 'netns'],
      links: [['pid', 'other_pid']],
    });
    expect((await section('ipc')).records[1]).toEqual({
      time: 1500,
      type: 'send',
      datum: ['2', 'client', '40000', '7', 'server', '80', '11', '4026531840'],
    });
  });

  test('disk latencies: by issue, from the first on', async () => {
    const { header, records } = await section('disklat');
    expect(header.fields).toContain('sector');
    expect(records).toEqual([
      { x: 0, y: 2.5, info: ['', '', '44', '', '', '', '', ''] },
      { x: 0.002156, y: 0.17, info: ['', '', '1966', '', '', '', '', ''] },
      { x: 0.002371, y: 0.05, info: ['', '', '1966', '', '', '', '', ''] },
    ]);
  });

  test('memory', async () => {
    expect((await section('memtime')).header).toMatchObject({
      fields: ['comm', 'pid'],
      y: { label: 'PSS', unit: 'MiB' },
    });
    expect((await section('memtime')).records[1]).toEqual({ x: 0, y: 0.75, info: ['bash, the shell', ''] });
  });
});

describe('earlier versions', () => {
  test('frames between `;`, points between commas, tuples', async () => {
    const { sections } = await importBytes(fixture('earlier.marple'));
    expect(sections.map(({ records }) => records[1])).toEqual([
      { weight: 2, stack: ['D', 'E'] },
      { x: 3, y: 4.51, info: ['info2', ''] },
      { time: 1000, type: 'type2', datum: ['track2', 'datum2'] },
    ]);
    expect(sections[2]!.header.fields).toEqual(['value1', 'value2']);
  });

  test('`#` behind the weight', async () => {
    const { sections } = await importBytes(fixture('first.marple'));
    expect((sections[0]!.records as StackData[]).map(({ stack }) => stack.join(';'))).toEqual([
      'fio;submit_bio;blk_insert',
      'kworker/0:1;wb_writeback',
    ]);
  });
});

describe('what cannot be read is counted, and nothing is evaluated', () => {
  const header = (datatype: string): string =>
    `${JSON.stringify({ 'start time': 'x', 'end time': '', interface: 'other', datatype, 'data options': {} })}\n`;
  const event = (time: string, datum: string): string => [time, 'a', datum, 'None'].join('$$$');
  test.each([
    ['event', event('1', "{'x': 1}"), event('2', '__import__("os").system("true")')],
    ['event', event('1', "{'x': 1}"), event('later', "{'x': 1}")],
    ['stack', '1$$$a', 'many$$$a'],
    ['stack', '1$$$a', '99999999999999999999$$$a'],
    ['point', '1$$$2$$$a', '1$$$nan$$$a'],
    ['point', '1$$$2$$$a', '1$$$2'],
  ])('%s: %s, %s', async (datatype, good, bad) => {
    const { result, sections } = await importBytes(`${header(datatype)}${good}\n${bad}\n`);
    expect(sections.map(({ records }) => records.length)).toEqual([1]);
    expect(result.skipped).toBe(1);
  });

  test('events with other fields than the first', async () => {
    const { result } = await importBytes(`${header('event')}${event('1', "{'x': 1}")}\n${event('2', "{'y': 1}")}\n`);
    expect(result.warnings.join()).toMatch(/1 events of other have other fields/);
  });

  test('a data file of this MARPLE is none of these', async () => {
    const own = '{"marple":1,"interface":"x","datatype":"stack","start":"2026-03-01T09:30:00.000Z","end":null}\n';
    await expect(importBytes(own)).rejects.toThrow(/is a data file of MARPLE already/);
  });
});
