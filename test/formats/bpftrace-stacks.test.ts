import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StackMapParser, type StackMaps } from '../../src/formats/bpftrace-stacks.ts';

function parse(lines: readonly string[]): { maps: StackMaps; unreadable: string[] } {
  const unreadable: string[] = [];
  const parser = new StackMapParser((line) => unreadable.push(line));
  for (const line of lines) parser.push(line);
  return { maps: parser.finish(), unreadable };
}

const FIXTURE = readFileSync(join(import.meta.dirname, '../fixtures/malloc/bpftrace-requested.txt'), 'utf8').split(
  '\n',
);

describe('maps of stacks', () => {
  test('as bpftrace prints them', () => {
    const { maps, unreadable } = parse(FIXTURE);
    expect(unreadable).toEqual([]);
    expect(maps.stacks).toHaveLength(8);
    expect(maps.stacks[1]).toEqual({
      pid: 7558,
      image: 5738510001536n,
      caller: 140559370073386,
      frames: [0x7fd687524930, Number(0x54414c4c4f435f43n)],
      bytes: 7,
    });
    // No room was left for its stack.
    expect(maps.stacks[6]).toEqual({ pid: 7562, image: 0n, caller: 140027216893226, frames: [], bytes: 14 });
    expect([...maps.images]).toEqual([
      [7553, 5737804977059n],
      [7554, 5738081502131n],
    ]);
    expect(maps).toMatchObject({ total: 198_803_706, dropped: 0 });
  });

  test('what is given back, without a caller; names where bpftrace looked them up', () => {
    const { maps, unreadable } = parse([
      '@bytes[12, 0, ',
      '    0x561e3bd6633f',
      '    std::map<int, char>::at(int const&)+159',
      ']: -40',
      '@bytes[13, 0, ]: 7',
      '@dropped: 99',
    ]);
    expect(unreadable).toEqual([]);
    expect(maps.stacks).toEqual([
      {
        pid: 12,
        image: 0n,
        caller: undefined,
        frames: [0x561e3bd6633f, 'std::map<int, char>::at(int const&)+159'],
        bytes: -40,
      },
      { pid: 13, image: 0n, caller: undefined, frames: [], bytes: 7 },
    ]);
    expect(maps.dropped).toBe(99);
  });

  test('cut off at any place: what is whole is there, the rest is told', () => {
    const whole = parse(FIXTURE).maps.stacks;
    for (let length = 0; length < FIXTURE.length; length++) {
      const { maps, unreadable } = parse(FIXTURE.slice(0, length));
      expect(maps.stacks).toEqual(whole.slice(0, maps.stacks.length));
      expect(unreadable.length).toBeLessThanOrEqual(1);
    }
  });

  test('anything else is told, and nothing throws', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('@bytes[1, 2, ', '    0x12', ']: 4', '@bytes[x', '@image[1]: 2', ''),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { maps } = parse(lines);
        for (const { bytes } of maps.stacks) expect(Number.isFinite(bytes)).toBe(true);
      }),
    );
    expect(parse(['Lost 5 events', '@bytes[1, 2, ', 'nonsense']).unreadable).toHaveLength(3);
  });
});
