import { errorMessage, MarpleError } from '../common/errors.ts';
import type { Probe } from './collecter.ts';

/** What a probe that threw says: why, and the hint where the error has one. */
export function unusable(error: unknown): Probe {
  const hint = error instanceof MarpleError ? error.hint : undefined;
  return { usable: false, why: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
}
