import { UsageError } from '../common/errors.ts';

/** `-t`, `--from`, `--to`: a number of seconds. */
export function parseSeconds(flag: string, text: string, minimum: 'zero' | 'above zero' = 'above zero'): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const wanted = minimum === 'zero' ? 'a number of seconds' : 'a number of seconds above 0';
  // setTimeout counts 2^31 ms at most.
  if (!(value <= 2_000_000) || (value === 0 && minimum === 'above zero')) {
    throw new UsageError(`${flag} takes ${wanted}, not '${text}'`, `for ten seconds: ${flag} 10`);
  }
  return value;
}

/** A whole number from `low` to `high`. */
export function parseCount(flag: string, text: string, low: number, high: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) {
    throw new UsageError(
      `${flag} takes a whole number from ${low} to ${high}, not '${text}'`,
      `for example: ${flag} ${low}`,
    );
  }
  return value;
}

/** `1,2,3`: whole numbers, comma-separated. */
export function parseList(flag: string, text: string): number[] {
  return text.split(',').map((part) => parseCount(flag, part.trim(), 1, 2 ** 22));
}

/** The source of a regular expression. */
export function parsePattern(flag: string, text: string): string {
  try {
    new RegExp(text, 'u');
  } catch {
    throw new UsageError(
      `${flag} takes a regular expression, and '${text}' is none`,
      `quote it, for example: ${flag} '^fio'`,
    );
  }
  return text;
}
