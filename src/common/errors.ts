/** Exit codes of the `marple` command, as its manual lists them. */
export const EXIT = {
  ok: 0,
  failIf: 1,
  usage: 2,
  someFailed: 3,
  allFailed: 4,
  damaged: 65,
  unavailable: 69,
  bug: 70,
  commandNotFound: 127,
  hangup: 129,
  interrupted: 130,
  terminated: 143,
} as const;

/** What a command ends with that a signal ended. */
export const SIGNAL_EXIT = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hangup } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error that a user can cause or can mend: one sentence that says what happened and where, and a hint that
 * holds the command that helps. It is printed without a stack trace; anything else that is thrown is a bug of ours.
 */
export class MarpleError extends Error {
  override readonly name: string = 'MarpleError';

  constructor(
    message: string,
    readonly exitCode: ExitCode,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Wrong flags, config or paths: exit 2. */
export class UsageError extends MarpleError {
  override readonly name = 'UsageError';

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, EXIT.usage, hint, options);
  }
}

/** A data file that is damaged, is none, or of a newer version: exit 65. `where` is `path:line` or `path: byte N`. */
export class DamagedFileError extends MarpleError {
  override readonly name = 'DamagedFileError';

  constructor(
    readonly where: string,
    readonly problem: string,
    hint?: string,
    options?: ErrorOptions,
  ) {
    super(`${where}: ${problem}`, EXIT.damaged, hint, options);
  }
}

/** The tools or permissions for what was asked are missing: exit 69. */
export class UnavailableError extends MarpleError {
  override readonly name = 'UnavailableError';

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, EXIT.unavailable, hint, options);
  }
}

/** The `code` of a Node system error (`ENOENT`, `EACCES`, ...), or undefined where it is none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the end of an exhaustive switch: fails to compile where a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
