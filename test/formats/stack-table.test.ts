import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldSample } from '../../src/formats/folding.ts';
import type { PerfFrame, PerfSample } from '../../src/formats/perf-script.ts';
import { SampleStacks } from '../../src/formats/sample-stacks.ts';
import { StackTable } from '../../src/formats/stack-table.ts';
import { stacksIn } from '../support/columns.ts';

test('each stack once, in the order of its first sample, with its total', () => {
  const table = new StackTable();
  const numbers = [['a', 'b'], ['a'], ['a', 'b'], ['b', 'a'], ['a', 'b', 'a']].map((stack, i) =>
    table.add(stack, i + 1),
  );
  expect(numbers).toEqual([0, 1, 0, 2, 3]);
  expect([...table.stacks()]).toEqual([
    { weight: 4, stack: ['a', 'b'] },
    { weight: 2, stack: ['a'] },
    { weight: 4, stack: ['b', 'a'] },
    { weight: 5, stack: ['a', 'b', 'a'] },
  ]);
});

test('what comes out is what went in', () => {
  const frame = fc.constantFrom('a', 'b', 'c', '', 'a;b');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(frame, { minLength: 1 }), fc.nat(9))), (entries) => {
      const table = new StackTable();
      const totals = new Map<string, number>();
      for (const [stack, weight] of entries) {
        const key = JSON.stringify(stack);
        const number = table.add(stack, weight);
        totals.set(key, (totals.get(key) ?? 0) + weight);
        expect([...totals.keys()].indexOf(key)).toBe(number);
      }
      expect([...table.stacks()].map(({ stack, weight }) => [JSON.stringify(stack), weight])).toEqual([...totals]);
      expect(table.size).toBe(totals.size);
      expect(stacksIn(table.columns())).toEqual([...table.stacks()]);
    }),
  );
});

test('columns of more stacks than a chunk has tell what is shared over their borders', () => {
  const table = new StackTable();
  for (let i = 0; i < 10_000; i++) table.add(['main', 'work', `f${i}`, 'leaf'], i);
  const chunks = [...table.columns()];
  expect(chunks.length).toBeGreaterThan(1);
  expect(chunks.map(({ shared }) => [...shared.subarray(0, 2)])).toEqual([
    [0, 2],
    ...chunks.slice(1).map(() => [2, 2]),
  ]);
  expect(stacksIn(chunks)).toEqual([...table.stacks()]);
});

test('what weighs too much weighs the most that there is', () => {
  const table = new StackTable();
  for (const [frame, weight] of [
    ['a', 9],
    ['b', 10],
    ['c', 11],
    ['d', 3],
    ['d', 8],
  ] as const)
    table.add([frame], weight);
  expect(table.limit(10)).toBe(2);
  expect([...table.stacks()].map(({ weight }) => weight)).toEqual([9, 10, 10, 10]);
});

test('samples are folded, however often their frames were met', () => {
  const frames: readonly PerfFrame[] = [
    { address: '1', symbol: 'La/b;.c(d)', module: '/tmp/perf-1.map' },
    { address: '2', symbol: 'outer->inner', module: '/x' },
    { address: '3', symbol: '[unknown]', module: '[kernel.kallsyms]' },
    { address: '4', symbol: '(left out)', module: '/x' },
    { address: '5', symbol: '[unknown]', module: '[kernel.kallsyms]' },
    { address: '6', symbol: '[unknown]', module: '/x' },
    { address: '7', symbol: 'outer->inner', module: '[vdso]' },
  ];
  const sample = fc.record({
    comm: fc.constantFrom('java', 'a b'),
    tid: fc.constantFrom(0, 7),
    frames: fc.array(fc.constantFrom(...frames), { maxLength: 6 }),
    isNumbered: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(sample), fc.boolean(), (samples, addrs) => {
      const options = { tid: true, kernel: true, jit: true, addrs };
      const [folded, plain] = [new SampleStacks(options), new StackTable()];
      const numbers = new Map<string, number>();
      for (const [i, { isNumbered, ...some }] of samples.entries()) {
        const key = some.frames.map(({ address }) => address).join();
        if (isNumbered && !numbers.has(key)) numbers.set(key, numbers.size);
        const stack = isNumbered ? numbers.get(key) : undefined;
        const whole: PerfSample = {
          kind: 'sample',
          pid: 7,
          cpu: 0,
          time: undefined,
          period: 1,
          event: 'x',
          stack,
          ...some,
        };
        expect(folded.addSample(whole, i)).toBe(plain.add(foldSample(whole, options), i));
      }
      expect([...folded.stacks()]).toEqual([...plain.stacks()]);
    }),
  );
});
