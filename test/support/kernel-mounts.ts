import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/*
 * Tests look into tracefs and debugfs themselves. A machine that has just been booted may not have them mounted, though many
 * tools mount them.
 */

const MOUNTS = [
  { type: 'tracefs', target: '/sys/kernel/tracing', mark: '/sys/kernel/tracing/instances' },
  { type: 'debugfs', target: '/sys/kernel/debug', mark: '/sys/kernel/debug/tracing/instances' },
];

/** Called by vitest before the first test. Without root nothing is mounted, and tests that need it say so. */
export function setup(): void {
  if (process.geteuid?.() !== 0) return;
  for (const { type, target, mark } of MOUNTS) {
    if (!existsSync(mark)) spawnSync('mount', ['-t', type, type, target], { stdio: 'ignore' });
  }
}
