import { setTimeout as sleep } from 'node:timers/promises';
import { type IosnoopRow, isImplausible, parseRow } from '../../formats/iosnoop.ts';
import type { Probe } from '../collecter.ts';
import { writeToDisk } from '../disk-activity.ts';
import { unusable } from '../unusable.ts';
import { IosnoopSession } from './session.ts';

const WRITES = 20;
const SETTLE_MS = 300;

/** Runs iosnoop for a moment with some I/O of our own and looks at whether its rows can be believed. */
export async function probeIosnoop(tempDir: string): Promise<Probe> {
  let session: IosnoopSession | undefined;
  try {
    session = await IosnoopSession.start(new AbortController().signal);
    const running = session;
    const rows: IosnoopRow[] = [];
    const stop = async (): Promise<void> => {
      await sleep(SETTLE_MS / 3);
      await writeToDisk(tempDir, WRITES);
      await sleep(SETTLE_MS);
      await running.stop();
    };
    let stopping: Promise<void> | undefined;
    for await (const line of session.lines(() => (stopping = stop()))) {
      const row = parseRow(line);
      if (row !== undefined) rows.push(row);
    }
    await stopping;
    const why = rows.length === 0 ? 'iosnoop printed no row for disk I/O that was made to try it' : isImplausible(rows);
    return why === undefined ? { usable: true, version: 'perf-tools' } : { usable: false, why };
  } catch (error) {
    return unusable(error);
  } finally {
    await session?.close();
  }
}
