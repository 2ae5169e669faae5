import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineTable, NO_LINE } from '../../src/formats/line-table.ts';
import { mixed, RunTable } from '../../src/formats/run-table.ts';

test('equal lines are one, wherever they stand, and keep what was set of them', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ';', '\0', 'é'), maxLength: 40 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), fc.nat(3), (lines, before) => {
      const table = new LineTable();
      const known = new Map<string, number>();
      for (const line of lines) {
        const bytes = Buffer.from(`${'.'.repeat(before)}${line}\n and more`);
        const end = before + Buffer.byteLength(line) + 1;
        const number = table.at(bytes, before, end);
        expect(number).not.toBe(NO_LINE);
        expect(table.lengthOf(number)).toBe(end - before);
        expect(known.get(line) ?? number).toBe(number);
        expect(table.frameOf(number)).toBe(known.has(line) ? [...known.keys()].indexOf(line) + 1 : 0);
        known.set(line, number);
        table.setFrame(number, [...known.keys()].indexOf(line) + 1);
        expect(new Set(known.values()).size).toBe(known.size);
      }
    }),
  );
});

test('the last two lines that came behind another are known without a search', () => {
  const table = new LineTable();
  const lines = ['first\n', 'second\n', 'third\n', 'fourth\n'].map((line) => Buffer.from(line));
  const [first, second, third, fourth] = lines.map((line) => table.at(line, 0, line.length));
  const behindFirst = (): number[] => lines.map((line) => table.followerAt(first!, line, 0));
  expect(behindFirst()).toEqual([NO_LINE, NO_LINE, NO_LINE, NO_LINE]);
  table.follow(first!, second!);
  expect(behindFirst()).toEqual([NO_LINE, second, NO_LINE, NO_LINE]);
  table.follow(first!, third!);
  expect(behindFirst()).toEqual([NO_LINE, second, third, NO_LINE]);
  // The third came last, so the second goes.
  table.follow(first!, fourth!);
  expect(behindFirst()).toEqual([NO_LINE, NO_LINE, third, fourth]);
  expect(table.followerAt(second!, lines[2]!, 0)).toBe(NO_LINE);
  expect(table.followerAt(NO_LINE, lines[0]!, 0)).toBe(NO_LINE);
  // A piece of it, at the end of the bytes.
  expect(table.followerAt(first!, lines[3]!.subarray(0, 4), 0)).toBe(NO_LINE);
});

test('equal runs of integers have one number', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }), { maxLength: 80 }), (runs) => {
      const table = new RunTable();
      const known: string[] = [];
      for (const run of runs) {
        const key = run.join();
        if (!known.includes(key)) known.push(key);
        const padded = Int32Array.from([...run, 9, 9]);
        expect(table.idOf(padded, run.length, run.reduce(mixed, 0))).toBe(known.indexOf(key));
      }
    }),
  );
});

test('runs with the same hash are told apart', () => {
  const table = new RunTable();
  const runs = [[1, 2], [1, 3], [1], [1, 2, 3]].map((run) => Int32Array.from(run));
  expect(runs.map((run) => table.idOf(run, run.length, 7))).toEqual([0, 1, 2, 3]);
  expect(runs.map((run) => table.idOf(run, run.length, 7))).toEqual([0, 1, 2, 3]);
});
