import { setFlagsFromString } from 'node:v8';

/*
 * How V8 uses the machine: its own flags (`node --v8-options`), which hold from when they are set.
 */

/**
 * For a machine that is looked at, and the start: the space for new objects stays as small as it is (it would become 16 times as
 * large), and nothing is cleared up only because little goes on, which takes 0.1 s of CPU time.
 */
export function beFrugal(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--no-incremental-marking');
}

/** For work on data: what V8 does by itself. */
export function beFast(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
  setFlagsFromString('--incremental-marking');
}
