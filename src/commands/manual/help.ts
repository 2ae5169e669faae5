import type { Example } from '../context.ts';
import { EXIT_STATUS } from './facts.ts';

/** What stands below the options in --help. */
export function examplesText(examples: readonly Example[]): string {
  return ['', 'Examples:', ...examples.flatMap(([line, what]) => [`  ${line}`, `      ${what}`])].join('\n');
}

/** What stands below the commands in `marple --help`. */
export function exitStatusText(): string {
  const width = Math.max(...EXIT_STATUS.map(([term]) => term.length));
  return ['', 'Exit codes:', ...EXIT_STATUS.map(([term, meaning]) => `  ${term.padEnd(width)}  ${meaning}`)].join('\n');
}
