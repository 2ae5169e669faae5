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
