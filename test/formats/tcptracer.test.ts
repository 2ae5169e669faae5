import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isTracerTitle, lostRows, parseBccRow, parseLibbpfRow } from '../../src/formats/tcptracer.ts';

const lines = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, '../fixtures/tcptracer', name), 'utf8')
    .trimEnd()
    .split('\n');

describe("BCC's rows", () => {
  const [greeting = '', title = '', ...rows] = lines('bcc-rows.txt');

  test('every one of the recorded ones', () => {
    expect(isTracerTitle(greeting)).toBe(false);
    expect(isTracerTitle(title)).toBe(true);
    const parsed = rows.map(parseBccRow);
    expect(parsed).not.toContain(undefined);
    expect(parsed[1]).toEqual({
      time: 1_500_000,
      type: 'connect',
      pid: 28818,
      comm: 'my client',
      addr: '127.0.0.1',
      port: 55758,
      otherAddr: '127.0.0.1',
      otherPort: 8080,
      netns: 4026531840,
    });
    expect(parsed[3]).toMatchObject({ addr: '::1', otherAddr: '::1', comm: 'curl', port: 55760 });
    expect(parsed[5]).toMatchObject({ type: 'accept', comm: 'nginx: worker 1' });
    expect(parsed[7]).toMatchObject({ addr: '10.0.0.2', otherAddr: '10.0.0.3', netns: 4026532281 });
    expect(parsed.at(-1)).toMatchObject({ type: 'close', pid: 900, comm: '4 6 odd', addr: '10.1.1.1', port: 1000 });
  });

  test('a long time and a long pid run into their neighbours', () => {
    const row =
      '123456789012345close        4194303 0123456789abcde  4  10.1.1.1         10.2.2.2         65535  65535  4026531840';
    expect(parseBccRow(row)).toMatchObject({ time: 123_456_789_012_345, pid: 4194303, comm: '0123456789abcde' });
  });

  test('what is none is none', () => {
    for (const line of ['', title, greeting, 'Possibly lost 3 samples', ...rows.map((row) => row.slice(0, 90))]) {
      expect(parseBccRow(line)).toBeUndefined();
    }
    expect(parseBccRow((rows[0] as string).replace('connect', 'unknown'))).toBeUndefined();
  });
});

describe("libbpf's rows", () => {
  const [title = '', ...rows] = lines('libbpf-rows.txt');

  test('every one of the made ones', () => {
    expect(isTracerTitle(title)).toBe(true);
    const parsed = rows.map(parseLibbpfRow);
    expect(parsed).not.toContain(undefined);
    expect(parsed.map((row) => row?.type)).toEqual(['connect', 'connect', 'accept', 'connect', 'close', 'close']);
    expect(parsed[3]).toEqual({
      time: 2_000_000,
      type: 'connect',
      pid: 28830,
      comm: 'chromium-bro',
      addr: '2001:db8::1',
      port: 55760,
      otherAddr: '2001:db8::2',
      otherPort: 443,
      netns: undefined,
    });
    expect(parsed.at(-1)).toMatchObject({ time: 10_000_000, comm: 'my server' });
    const late = (rows.at(-1) as string).replace('0.010    ', '12345.678');
    expect(parseLibbpfRow(late)).toMatchObject({ time: 12_345_678_000_000, type: 'close' });
  });

  test("BCC's are none of them", () => {
    for (const line of lines('bcc-rows.txt')) expect(parseLibbpfRow(line)).toBeUndefined();
    for (const line of rows) expect(parseBccRow(line)).toBeUndefined();
  });
});

test('lost rows are added up', () => {
  expect(lostRows('Possibly lost 12 samples\nother\nPossibly lost 3 samples\n')).toBe(15);
  expect(lostRows('Lost 7 events on CPU #1!\n')).toBe(7);
  expect(lostRows(lines('bcc-no-kprobes.stderr').join('\n'))).toBe(0);
});
