import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSmem, SMEM, type SmemRow, startSmem } from '../../../src/collect/smem/smem.ts';

function parse(text: string): { rows: SmemRow[]; unreadable: string[] } {
  const unreadable: string[] = [];
  return { rows: [...parseSmem(text.split('\n'), (line) => unreadable.push(line))], unreadable };
}

function fixture(name: string): string {
  return readFileSync(`test/fixtures/smem/${name}`, 'utf8');
}

describe('parseSmem', () => {
  test('plain rows', () => {
    expect(parse(fixture('plain.txt'))).toEqual({
      rows: [
        { pid: 3, pss: 227, name: 'sleep' },
        { pid: 1, pss: 494, name: 'bash' },
        { pid: 5, pss: 11179, name: 'smem' },
        { pid: 2, pss: 41166, name: 'shop' },
      ],
      unreadable: [],
    });
  });

  test('names that hold anything', () => {
    const { rows, unreadable } = parse(fixture('names.txt'));
    expect(rows.sort((a, b) => a.pid - b.pid).map(({ name }) => name)).toEqual([
      'python3',
      'with two spaces',
      'Web Content',
      'a',
      'x',
      '?',
      'naïve',
      '  padded',
      'kworker/0:1',
      '',
      'smem',
    ]);
    expect(unreadable.map((line) => line.trimEnd())).toEqual(['y']);
  });

  test('what is no row is counted', () => {
    const { rows, unreadable } = parse('  PID      PSS Name\n12 x a\n    7      100 a\n');
    expect(rows).toEqual([{ pid: 7, pss: 100, name: 'a' }]);
    expect(unreadable).toEqual(['  PID      PSS Name', '12 x a']);
  });

  test('is lazy', () => {
    function* lines(): Generator<string> {
      yield '    7      100 a';
      throw new Error('read on');
    }
    expect(parseSmem(lines(), () => undefined).next().value).toEqual({ pid: 7, pss: 100, name: 'a' });
  });
});

describe('smem here', () => {
  test('the probe does it', async () => {
    const probe = await SMEM.probe({ scope: { own: process.pid }, tempDir: '' });
    expect(probe).toEqual({ usable: true, version: expect.stringMatching(/./) });
  });

  test('a run lists this process and itself', async () => {
    const smem = startSmem(new AbortController().signal);
    const { rows, unreadable } = parse(((await smem.lines) ?? []).join('\n'));
    expect(unreadable).toEqual([]);
    expect(rows.find(({ pid }) => pid === process.pid)?.pss).toBeGreaterThan(10_000);
    expect(rows.find(({ pid }) => pid === smem.pid)?.name).toBe('smem');
  });
});
