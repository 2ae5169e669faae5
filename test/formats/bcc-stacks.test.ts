import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isMallocstacksTitle,
  MemleakParser,
  parseMallocstacks,
  stacksWithoutSlot,
} from '../../src/formats/bcc-stacks.ts';

function fixture(name: string): string[] {
  return readFileSync(join(import.meta.dirname, '../fixtures/malloc', name), 'utf8').split('\n');
}

function fail(line: string): void {
  throw new Error(`not read: ${line}`);
}

describe('mallocstacks', () => {
  test('bytes with their stacks, innermost first', () => {
    const stacks = parseMallocstacks(fixture('mallocstacks.txt'), fail);
    expect(stacks.map(({ bytes, frames }) => [bytes, frames.map(({ symbol }) => symbol)])).toEqual([
      [100_000, ['__libc_malloc+0x0', 'request_known+0x25', 'obey+0x11e', 'main+0xf7', '__libc_start_call_main+0x7a']],
      [2500, ['__libc_malloc+0x0', 'request_known+0x25', 'thread_main+0x10', 'start_thread+0x305']],
      [999, ['__libc_malloc+0x0', 'leak_known+0x25', 'obey+0x142', 'main+0xf7', '__libc_start_call_main+0x7a']],
      [539, ['__libc_malloc+0x0', 'request_other+0x25', 'obey+0x130', 'main+0xf7', '__libc_start_call_main+0x7a']],
    ]);
    expect(fixture('mallocstacks.txt').filter(isMallocstacksTitle)).toHaveLength(1);
  });

  test('names with spaces and brackets, bytes without a stack, and what is none of its lines', () => {
    const unreadable: string[] = [];
    const stacks = parseMallocstacks(
      [
        '5 bytes allocated at:',
        '\tstd::map<int, char>::at(int const&) [clone .cold]+0x12',
        '\t[unknown]',
        '7 bytes allocated at:',
        'Killed',
      ],
      (line) => unreadable.push(line),
    );
    expect(stacks).toEqual([
      {
        bytes: 5,
        frames: [
          { address: '0', symbol: 'std::map<int, char>::at(int const&) [clone .cold]+0x12', module: '' },
          { address: '0', symbol: '[unknown]', module: '' },
        ],
      },
      { bytes: 7, frames: [] },
    ]);
    expect(unreadable).toEqual(['Killed']);
  });
});

describe('memleak', () => {
  function parse(lines: readonly string[]): MemleakParser {
    const parser = new MemleakParser(fail);
    for (const line of lines) parser.push(line);
    return parser;
  }

  test('the last report that another one stands behind', () => {
    const lines = fixture('memleak.txt');
    const starts = lines.flatMap((line, i) => (line.startsWith('[') ? [i] : []));
    expect(parse(lines.slice(0, starts[1])).complete).toBeUndefined();
    expect(parse(lines.slice(0, (starts[1] as number) + 1)).complete).toEqual({ stacks: [], blocks: 0 });
    const second = parse(lines.slice(0, (starts[2] as number) + 1)).complete;
    expect(second?.stacks.map(({ bytes }) => bytes)).toEqual([56, 539, 999, 1_007_616]);
    expect(second?.blocks).toBe(13);
    expect(second?.stacks[1]?.frames[1]).toEqual({
      address: expect.stringMatching(/^0000[\da-f]{12}$/),
      symbol: 'keep_known+0x60',
      module: 'allocations',
    });
    // The third one was cut off by the end.
    const last = parse(lines);
    expect(last.begun).toBe(starts.length);
    expect(last.complete).toEqual(second);
  });

  test('functions without a name, stacks that were lost', () => {
    const parser = parse([
      '[21:35:19] Top 10 stacks with outstanding allocations:',
      '\t5 bytes in 1 allocations from stack',
      '\t\t0x00007f135d5e024a\t[unknown] [libc.so.6]',
      '\t\t0x000000000000024a\t[unknown]',
      '\t6 bytes in 1 allocations from stack',
      '\t\tstack information lost',
      '\t7 bytes in 1 allocations from stack',
      '\t\t',
      '[21:35:20] Top 10 stacks with outstanding allocations:',
    ]);
    expect(parser.complete?.stacks).toEqual([
      {
        bytes: 5,
        frames: [
          { address: '00007f135d5e024a', symbol: '[unknown]', module: 'libc.so.6' },
          { address: '000000000000024a', symbol: '[unknown]', module: '' },
        ],
      },
      { bytes: 6, frames: [] },
      { bytes: 7, frames: [] },
    ]);
  });

  test('anything else is told, and nothing throws', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (lines) => {
        const unreadable: string[] = [];
        const parser = new MemleakParser((line) => unreadable.push(line));
        for (const line of lines) parser.push(line);
        const harmless = lines.filter((line) => line === '' || /^(WARNING: |Attaching to )/.test(line));
        expect(unreadable.length + harmless.length).toBe(lines.length);
      }),
    );
  });
});

test('stacks that found no slot: as many as chance has it', () => {
  // Balls into bins: so many stacks, each into a slot by chance, of which the first takes it.
  const slots = 1024;
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  for (const stacks of [10, 100, 500, 1000]) {
    const taken = new Set(Array.from({ length: stacks }, () => Math.floor(random() * slots))).size;
    expect(Math.abs(stacksWithoutSlot(taken, slots) - (stacks - taken))).toBeLessThan(40);
  }
  expect(stacksWithoutSlot(0, slots)).toBe(0);
  expect(stacksWithoutSlot(5, 65_536)).toBe(0);
  expect(stacksWithoutSlot(1024, slots)).toBe(Number.POSITIVE_INFINITY);
});
