import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { errorMessage } from './errors.ts';
import { log } from './log.ts';
import { stateDir } from './paths.ts';
import { systemReason } from './system-reason.ts';
import { writeUserFile } from './user.ts';

const memorySchema = z.object({ file: z.string().min(1) });

/**
 * Remembers the data file that was written last, for the invoking user.
 * @param path absolute path.
 * @returns undefined, or a sentence that says why it could not be remembered: the data itself is none the worse.
 */
export function rememberDataFile(path: string): string | undefined {
  try {
    writeUserFile(memoryFile(), `${JSON.stringify({ file: path })}\n`);
    return undefined;
  } catch (error) {
    return `the last data file is not remembered: ${systemReason(error)}; name it with -i`;
  }
}

/** The data file that the invoking user wrote last; undefined where none is known. It may be gone by now. */
export function lastDataFile(): string | undefined {
  try {
    return memorySchema.parse(JSON.parse(readFileSync(memoryFile(), 'utf8'))).file;
  } catch (error) {
    log('debug', 'no last data file', { path: memoryFile(), error: errorMessage(error) });
    return undefined;
  }
}

function memoryFile(): string {
  return join(stateDir(), 'last-file.json');
}
