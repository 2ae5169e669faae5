/*
 * How V8 uses the machine: its own flags (`node --v8-options`), which hold from when they are set.
 */

/**
 * For a machine that is looked at: the space for new objects stays as small as it is (it would become 16 times as large), and
 * nothing is cleared up only because little goes on, which takes 0.1 s of CPU time. Nor is code optimized,
 * unless there is much to compute: the compiler takes 4 MiB.
 */
export function beFrugal(): void {
  set('--semi-space-growth-factor=1');
  set('--no-incremental-marking');
  set('--no-opt');
}

/** For work on data: what V8 does by itself. */
export function beFast(): void {
  set('--semi-space-growth-factor=2');
  set('--incremental-marking');
  beOptimized();
}

/** Where much is read once, and little of it is kept: the space for new objects gets its full size (16 MiB) at the first need. */
export function beSpacious(): void {
  set('--semi-space-growth-factor=16');
}

/** Where much is to be computed while the machine is looked at. */
export function beOptimized(): void {
  set('--opt');
}

function set(flag: string): void {
  // Loaded only here: it brings streams with it, and takes 10 ms.
  process.getBuiltinModule('node:v8').setFlagsFromString(flag);
}
