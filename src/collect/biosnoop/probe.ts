import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '../../common/errors.ts';
import { parseRow } from '../../formats/biosnoop.ts';
import type { Probe } from '../collecter.ts';
import { writeToDisk } from '../disk-activity.ts';
import { startBiosnoop } from './tool.ts';

const WRITES = 20;
const SETTLE_MS = 300;

/** Runs biosnoop for a moment with some I/O of our own and looks for its rows. */
export async function probeBiosnoop(tempDir: string): Promise<Probe> {
  try {
    const { name, tool, lines } = await startBiosnoop(new AbortController().signal);
    const stopped = (async () => {
      await writeToDisk(tempDir, WRITES);
      await sleep(SETTLE_MS);
      await tool.stop();
    })();
    let rows = 0;
    for await (const group of lines) rows += group.filter((line) => parseRow(line) !== undefined).length;
    await stopped;
    if (rows === 0) return { usable: false, why: 'biosnoop printed no row for disk I/O that was made to try it' };
    return { usable: true, version: name };
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return { usable: false, why: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}
