import { link, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, UsageError } from './errors.ts';
import { randomName } from './random-name.ts';
import { systemHint, systemReason } from './system-reason.ts';
import { removeAtExit } from './temp.ts';
import { giveToUser } from './user.ts';

/** Whether what stands at a path may be replaced: no, yes, or a sentence that says why not. */
export type MayReplace = boolean | ((path: string) => Promise<true | string>);

/** What is written, piece by piece. */
export type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/**
 * Refuses a path at which something stands that must not be replaced.
 * @throws UsageError (2)
 */
export async function checkFree(path: string, mayReplace: MayReplace): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unwritable(path, error);
  });
  if (found === undefined) return;
  if (!found.isFile()) {
    throw new UsageError(
      `${path} is no regular file`,
      found.isDirectory()
        ? `name a file in it: -o ${join(path, 'FILE')}`
        : 'write to it by way of stdout: -o -.svg (or another format)',
    );
  }
  const answer = typeof mayReplace === 'boolean' ? mayReplace || `${path} exists already` : await mayReplace(path);
  if (answer !== true) throw new UsageError(answer, 'overwrite it with --force, or name another file with -o');
}

/**
 * Writes a file of the invoking user, readable by them alone: it shows what the machine does. Under its name there is only
 * ever a whole file, and a link there is replaced, not followed.
 * @throws UsageError (2) where it cannot be written, or something has come to stand there that must not be replaced.
 */
export async function saveFile(pieces: Pieces, path: string, mayReplace: MayReplace): Promise<void> {
  const partial = join(dirname(path), `.marple-${randomName()}`);
  const isComplete = removeAtExit(partial);
  try {
    await writeFile(partial, pieces, { flag: 'wx', mode: 0o600 });
    giveToUser(partial);
    if (mayReplace === false) await renameToNew(partial, path);
    else await rename(partial, path);
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    throw errorCode(error) === undefined ? error : unwritable(path, error);
  } finally {
    isComplete();
  }
}

/** Renames to a name that nothing has; where the file system has no links (vfat), in two steps. */
async function renameToNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await unlink(from);
  } catch {
    await checkFree(to, false);
    await rename(from, to);
  }
}

/**
 * Writes to stdout, and leaves it open. That its reader had enough is no error.
 * @throws UsageError (2) where it cannot be written.
 */
export async function writeToStdout(pieces: Pieces): Promise<void> {
  try {
    // Not a pipeline: those leave their listeners on a stream that goes on.
    for await (const piece of pieces) {
      await new Promise<void>((resolve, reject) => {
        process.stdout.write(piece, (error) => (error ? reject(error) : resolve()));
      });
    }
  } catch (error) {
    if (errorCode(error) === 'EPIPE') return;
    throw new UsageError(`stdout could not be written: ${systemReason(error)}`, 'write to a file: -o FILE', {
      cause: error,
    });
  }
}

/** What stdout is: a terminal, of what size in characters, or not. */
export function stdoutTerminal(): {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly rows: number | undefined;
} {
  const { isTTY, columns, rows } = process.stdout;
  return { isTTY, columns, rows };
}

/** The system's refusal to write a file, as an error for the user. */
export function unwritable(path: string, error: unknown): UsageError {
  const hint =
    errorCode(error) === 'ENOENT'
      ? `make its folder first: mkdir -p ${dirname(path)}`
      : (systemHint(error) ?? 'name a file in a folder that can be written: -o FILE');
  return new UsageError(`${path} cannot be written: ${systemReason(error)}`, hint, { cause: error });
}
