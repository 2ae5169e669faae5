import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, MarpleError } from '../../common/errors.ts';
import type { Probe } from '../collecter.ts';
import { type IosnoopRow, isImplausible, parseRow } from './rows.ts';
import { IosnoopSession } from './session.ts';

/** f_type of tmpfs, statfs(2): a file there makes no disk I/O. */
const TMPFS = 0x01021994;
const WRITES = 20;
const SETTLE_MS = 300;

/** Runs iosnoop for a moment with some I/O of our own and looks at whether its rows can be believed. */
export async function probeIosnoop(tempDir: string): Promise<Probe> {
  let session: IosnoopSession | undefined;
  try {
    session = await IosnoopSession.start();
    const running = session;
    const rows: IosnoopRow[] = [];
    const stop = async (): Promise<void> => {
      await sleep(SETTLE_MS / 3);
      writeToDisk(tempDir);
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
    const hint = error instanceof MarpleError ? error.hint : undefined;
    return { usable: false, why: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
  } finally {
    await session?.close();
  }
}

/** Some writes that reach the disk. */
function writeToDisk(tempDir: string): void {
  const folder = [tempDir, '/var/tmp'].find((path) => statfsSync(path).type !== TMPFS) ?? tempDir;
  const path = join(folder, `marple-probe-${process.pid}`);
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let i = 0; i < WRITES; i++) {
      writeSync(fd, Buffer.alloc(4096, i), 0, 4096, i * 4096);
      fsyncSync(fd);
    }
  } finally {
    closeSync(fd);
    rmSync(path, { force: true });
  }
}
