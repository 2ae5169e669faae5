import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallChain } from '../../src/formats/call-chain.ts';
import type { Module, ModuleSource } from '../../src/formats/modules.ts';
import { PerfSymbols } from '../../src/formats/perf-symbols.ts';

const named = (name: string): Module => ({ name, nameAt: () => `in ${name}` });
const MODULES: ModuleSource = { kernel: () => named('kernel'), module: ({ path }) => named(path) };

const at = 0x1000;

/** A process that runs a program of its own, with its parent 1. */
function begin(symbols: PerfSymbols, pid: number, path: string): void {
  symbols.fork({ kind: 'fork', pid, tid: pid, parentPid: 1, parentTid: 1 });
  symbols.name({ kind: 'name', pid, tid: pid, comm: path, isExec: true });
  symbols.mapping({ kind: 'mapping', pid, start: at, length: 0x1000, offset: 0, path, inode: 1 });
}

const symbolIn = (symbols: PerfSymbols, pid: number): string | undefined =>
  symbols.frames({ pid, chain: CallChain.of({ user: [at] }) })[0]?.symbol;

const end = (symbols: PerfSymbols, pid: number, tid = pid): void => symbols.exit({ kind: 'exit', pid, tid });

/** So many others begin and end that what ended before is forgotten. */
function othersEnd(symbols: PerfSymbols): void {
  for (let pid = 10_000; pid < 13_000; pid++) {
    begin(symbols, pid, 'other');
    end(symbols, pid);
  }
}

test('a task that has ended is known for a while, and then no longer', () => {
  const symbols = PerfSymbols.create(MODULES);
  begin(symbols, 7, 'a');
  end(symbols, 7);
  expect([symbols.commOf(7), symbolIn(symbols, 7)]).toEqual(['a', 'in a']);
  othersEnd(symbols);
  expect([symbols.commOf(7), symbolIn(symbols, 7)]).toEqual([':7', '[unknown]']);
});

test('one that has the number of one that ended stays', () => {
  const symbols = PerfSymbols.create(MODULES);
  begin(symbols, 7, 'a');
  end(symbols, 7);
  begin(symbols, 7, 'b');
  othersEnd(symbols);
  expect([symbols.commOf(7), symbolIn(symbols, 7)]).toEqual(['b', 'in b']);
});

test('a process whose first task ends before its threads keeps its code', () => {
  const symbols = PerfSymbols.create(MODULES);
  begin(symbols, 7, 'a');
  symbols.fork({ kind: 'fork', pid: 7, tid: 8, parentPid: 7, parentTid: 7 });
  end(symbols, 7);
  othersEnd(symbols);
  expect([symbols.commOf(8), symbolIn(symbols, 7)]).toEqual(['a', 'in a']);
});

/** A chain of 64-bit values as a recording has it, innermost first. */
function chainOf(values: readonly bigint[]): CallChain {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (const [i, value] of values.entries()) view.setBigInt64(8 * i, value, true);
  return new CallChain(view, 0, view.byteLength, 'kernel');
}

const MARKS = [-128n, -512n, -2048n];
const ADDRESSES = [0x1010n, 0x1020n, 0x1030n, 0x2010n, -0x7f000000n, -0x7f000010n];

test('the frames of a stack do not depend on whether it was met before, whatever is mapped meanwhile', () => {
  const inner = fc.array(fc.constantFrom(...MARKS, ...ADDRESSES), { maxLength: 4 });
  const outer = fc.array(fc.constantFrom(0x1010n, 0x2010n), { maxLength: 2 });
  const chain = fc.oneof(
    fc.tuple(inner, outer).map(([values, callers]) => [...values, -512n, ...callers]),
    fc.array(fc.constantFrom(...MARKS, ...ADDRESSES), { maxLength: 6 }),
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('sample' as const), chain }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('map' as const), start: fc.constantFrom(0x1000, 0x2000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('exec' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fork' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      // One meets the same chains again, the other has what is no frame behind each, so that none is like another.
      const [known, anew] = [PerfSymbols.create(MODULES), PerfSymbols.create(MODULES)];
      for (const [i, each] of steps.entries()) {
        for (const symbols of [known, anew]) {
          if (each.kind === 'map')
            symbols.mapping({ ...each, kind: 'mapping', pid: 7, length: 0x1000, offset: 0, path: `${i}`, inode: 1 });
          if (each.kind === 'exec') symbols.name({ kind: 'name', pid: 7, tid: 7, comm: 'a', isExec: true });
          if (each.kind === 'fork') symbols.fork({ kind: 'fork', pid: 8, tid: 8, parentPid: 7, parentTid: 7 });
        }
        if (each.kind !== 'sample') continue;
        const frames = (symbols: PerfSymbols, chain: readonly bigint[]): unknown[] =>
          symbols
            .frames({ pid: 7, chain: chainOf(chain) })
            .map(({ address, symbol, module }) => [address, symbol, module]);
        expect(frames(known, each.chain)).toEqual(frames(anew, [...each.chain, -2048n, BigInt(i + 1)]));
      }
    }),
  );
});

test('a stack is one object with a number of its own, until its addresses may have other frames', () => {
  const symbols = PerfSymbols.create(MODULES);
  begin(symbols, 7, 'a');
  const stack = (pid: number, ...user: number[]): unknown => symbols.stack({ pid, chain: CallChain.of({ user }) });
  // The program that begin() put in place is seen to run.
  stack(7, at);
  const first = stack(7, at, at + 8);
  expect(first).toMatchObject({ frames: [{ symbol: 'in a' }, { symbol: 'in a' }] });
  expect(stack(7, at, at + 8)).toBe(first);
  expect(stack(7, at + 8, at)).not.toMatchObject({
    number: symbols.stack({ pid: 7, chain: CallChain.of({ user: [at] }) }).number,
  });
  symbols.fork({ kind: 'fork', pid: 8, tid: 8, parentPid: 7, parentTid: 7 });
  expect(stack(8, at, at + 8)).toBe(first);
  symbols.mapping({ kind: 'mapping', pid: 8, start: at, length: 0x1000, offset: 0, path: 'b', inode: 1 });
  expect(stack(8, at, at + 8)).toMatchObject({ frames: [{ symbol: 'in b' }, { symbol: 'in b' }] });
  expect(stack(7, at, at + 8)).toMatchObject({ frames: [{ symbol: 'in a' }, { symbol: 'in a' }] });
});

test('what is mapped later is there also where the callers are those of before', () => {
  const symbols = PerfSymbols.create(MODULES);
  const map = (start: number, path: string): void =>
    symbols.mapping({ kind: 'mapping', pid: 7, start, length: 0x1000, offset: 0, path, inode: 1 });
  const frames = (...user: number[]): string[] =>
    symbols.frames({ pid: 7, chain: CallChain.of({ user }) }).map(({ symbol }) => symbol);
  map(0x2000, 'old');
  symbols.name({ kind: 'name', pid: 7, tid: 7, comm: 'a', isExec: true });
  map(0x1000, 'new');
  expect(frames(0x2010, 0x1010)).toEqual(['in old', 'in new']);
  expect(frames(0x1010)).toEqual(['in new']);
  expect(frames(0x2010)).toEqual(['[unknown]']);
  map(0x2000, 'library');
  expect(frames(0x2010)).toEqual(['in library']);
});

test('frames that were given out have readable names once those are demangled', async () => {
  const mangled: ModuleSource = {
    kernel: () => named('kernel'),
    module: () => ({ name: 'm', nameAt: (offset) => (offset < 0x20 ? '_ZN3foo3barEi' : '_ZN3not one line\nE') }),
  };
  const symbols = PerfSymbols.create(mangled);
  begin(symbols, 7, 'a');
  const frames = symbols.frames({ pid: 7, chain: CallChain.of({ user: [at + 0x10, at + 0x30] }) });
  expect([symbols.isMangled, await symbols.demangleAll(), symbols.isMangled]).toEqual([true, 0, false]);
  expect(frames.map(({ symbol }) => symbol)).toEqual(['foo::bar', '_ZN3not one line\nE']);
  const again = symbols.frames({ pid: 7, chain: CallChain.of({ user: [at + 0x11] }) });
  expect([again[0]?.symbol, symbols.isMangled]).toEqual(['foo::bar', false]);
});
