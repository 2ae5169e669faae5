import { readFile, writeFile } from 'node:fs/promises';
import { switchesFile } from '../../formats/context-switches.ts';

// ctxt 1990473
/**
 * Switches of all CPUs since boot, as the scheduler itself counts them (/proc/stat, proc_stat(5)); undefined where the
 * kernel does not tell.
 */
export async function readContextSwitches(): Promise<number | undefined> {
  try {
    const count = /^ctxt (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}

/** Notes the number beside a recording that ends now. */
export async function noteSwitches(dir: string): Promise<void> {
  await writeFile(switchesFile(dir), `${(await readContextSwitches()) ?? ''}\n`, { mode: 0o600 });
}
