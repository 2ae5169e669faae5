import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';

/** Bit of what V8 tells of a function: it has been optimized (OptimizationStatus in src/runtime/runtime.h of V8). */
const OPTIMIZED = 1 << 4;

/** Whether V8 optimizes a function that is called very often. */
export async function optimizes(): Promise<boolean> {
  setFlagsFromString('--allow-natives-syntax');
  const statusOf = new Function('f', 'return %GetOptimizationStatus(f)') as (f: unknown) => number;
  const add = new Function('a', 'b', 'let s = a; for (let i = 0; i < 100; i++) s = (s + b * i) | 0; return s;') as (
    a: number,
    b: number,
  ) => number;
  for (let tries = 0; tries < 10; tries++) {
    for (let i = 0; i < 20_000; i++) add(i, tries);
    // It is compiled by another thread meanwhile.
    await sleep(5);
    add(1, 2);
    if ((statusOf(add) & OPTIMIZED) !== 0) return true;
  }
  return false;
}
