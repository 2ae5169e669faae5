import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCode } from '../../src/collect/proc/code.ts';
import { OffCpuMaps } from '../../src/formats/bpftrace-offcpu.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../fixtures/bpftrace-offcpu/maps.txt'), 'utf8');

function parse(text: string): { maps: OffCpuMaps; unreadable: string[] } {
  const unreadable: string[] = [];
  const maps = new OffCpuMaps((line) => unreadable.push(line));
  for (const line of text.split('\n')) maps.push(line);
  maps.finish();
  return { maps, unreadable };
}

describe('what bpftrace printed', () => {
  const { maps, unreadable } = parse(TEXT);

  test('a program of an odd name, with what it measured itself', () => {
    const own = maps.times.filter(({ comm }) => comm === 'w, 1,2');
    expect(new Set(own.map(({ pid }) => pid)).size).toBe(1);
    const slept = own.filter(({ kernel }) => kernel.some(({ symbol }) => symbol === 'do_nanosleep'));
    const time = slept.reduce((sum, { time }) => sum + time, 0);
    expect(Math.abs(time - 150_213_185)).toBeLessThan(3e6);
    expect(slept[0]).toMatchObject({
      state: 1,
      kernel: expect.arrayContaining([
        {
          address: expect.stringMatching(/^ffffffff/),
          symbol: '__schedule',
          module: '[kernel.kallsyms]',
        },
      ]),
    });
    expect(slept[0]?.user.length).toBeGreaterThan(3);
    expect(slept[0]?.user.every((address) => address > 0 && address < 2 ** 47)).toBe(true);
  });

  test('everything of it is read', () => {
    expect(unreadable).toEqual([]);
    expect(maps.times.length).toBe(TEXT.match(/^@time\[/gm)?.length);
    expect(maps.forks.length).toBe(TEXT.match(/^fork /gm)?.length);
    expect(maps.numbers.now).toBeGreaterThan(1e9);
    expect(maps.numbers.total).toBeGreaterThan(maps.times.reduce((sum, { time }) => sum + time, 0));
    expect(maps.times.some(({ user, kernel }) => user.length === 0 && kernel.length > 0)).toBe(true);
  });

  test('those who are off their CPU at the end, until then', () => {
    expect(maps.open.length).toBeGreaterThan(0);
    for (const { comm, pid, time } of maps.open) {
      expect([comm !== '', pid > 0, time >= 0 && time < 60e9]).toEqual([true, true, true]);
    }
  });
});

describe('odd and damaged text', () => {
  test('stacks that are empty, on one side or both', () => {
    const { maps, unreadable } = parse('@time[a, 1, 2, , ]: 5\n@time[b, 1, 2, \n\t55 0x55 ([unknown])\n, ]: 6\n');
    expect(unreadable).toEqual([]);
    expect(maps.times).toEqual([
      { comm: 'a', pid: 1, state: 2, kernel: [], user: [], time: 5 },
      { comm: 'b', pid: 1, state: 2, kernel: [], user: [0x55], time: 6 },
    ]);
  });

  test('names with commas, brackets and newlines', () => {
    for (const comm of [', 1, 2, ', ']: 5', 'a\nb', '']) {
      expect(parse(`@time[${comm}, 1, 2, , \n\tff x+1\n]: 5`).maps.times).toMatchObject([{ comm, pid: 1, time: 5 }]);
    }
  });

  test('what is cut off or none of it is counted', () => {
    const { maps, unreadable } = parse('what?\n@time[a, 1, 2, \n\t55 0x5\n@nothing[1]: 2\n@time[a, 1');
    expect(maps.times).toEqual([]);
    expect(unreadable).toEqual(['what?', '@time[a, 1, 2, ', '@nothing[1]: 2', '@time[a, 1']);
  });
});

test('executable mappings of /proc/PID/maps', () => {
  const maps = [
    '55d0c0000000-55d0c0001000 r--p 00000000 fe:00 12 /bin/a b',
    '55d0c0001000-55d0c0003000 r-xp 00001000 fe:00 12                      /bin/a b',
    '7f0000000000-7f0000001000 rwxp 00000000 00:00 0 ',
    '7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                          [vdso]',
    'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
  ];
  const found = parseCode(7, Buffer.from(maps.join('\n')));
  expect(found.map(({ path }) => path)).toEqual(['/bin/a b', '//anon', '[vdso]', '[vsyscall]']);
  expect(found[0]).toEqual({
    kind: 'mapping',
    pid: 7,
    start: 0x55d0c0001000,
    length: 0x2000,
    offset: 0x1000,
    path: '/bin/a b',
    inode: 12,
  });
});
