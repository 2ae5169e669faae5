import { DamagedFileError, EXIT, MarpleError } from '../../src/common/errors.ts';

/** Where in a file the damage is: `path:line`, or `path: byte N`. */
const PLACE = /(?::\d+|: byte \d+)$/;
/** What can be said of a file as a whole only; perf itself does not always say where, and tar never does. */
const WHOLE = new RegExp(
  `^(?:${[
    'there is nothing of the format',
    'perf had not recorded anything',
    'the run was cut off before anything',
    'perf script ',
    'the archive is damaged or cut off: ',
  ].join('|')})`,
);

/** No input may take longer, milliseconds: the largest has 256 KiB. */
const LONGEST = 10_000;

/**
 * Reads an input. Gives what is wrong with how that went: anything but success and an error for the user that says where
 * the damage is, too much time, or a prototype that was written to. Undefined where all is well.
 */
export async function judge(run: () => Promise<void> | void): Promise<string | undefined> {
  const from = performance.now();
  let wrong: string | undefined;
  try {
    await run();
  } catch (error) {
    wrong = complaint(error);
  }
  const took = performance.now() - from;
  if (took > LONGEST) return `it took ${Math.round(took / 1000)} s`;
  return wrong ?? pollution();
}

function complaint(error: unknown): string | undefined {
  if (!(error instanceof MarpleError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (error instanceof DamagedFileError) {
    if (PLACE.test(error.where) || WHOLE.test(error.problem)) return undefined;
    return `no place of the damage is named: ${error.message}`;
  }
  if (error.exitCode !== EXIT.usage) return `exit code ${error.exitCode}: ${error.message}`;
  return error.hint === undefined ? `there is no hint: ${error.message}` : undefined;
}

function pollution(): string | undefined {
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype]) {
    const [key] = Object.keys(prototype);
    if (key !== undefined) {
      delete (prototype as unknown as Record<string, unknown>)[key];
      return `a prototype was given the key ${key}`;
    }
  }
  return undefined;
}
