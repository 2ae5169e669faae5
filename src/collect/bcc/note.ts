import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, processIdentity } from '../../common/process-identity.ts';
import { makeLastingTempDir, namesToUndo, staleTempDirs, UNDO } from '../../common/temp.ts';
import { removeBccProbes } from '../perf/uprobes.ts';

/*
 * BCC names its probes after its own pid, which does not tell whose BCC it was. So there is a note of each that runs, in a
 * temporary folder of ours: should we be killed, the next run knows by it which probes are left of us.
 */

/** undo-bcc-<pid>-<its start time> */
const NOTE = new RegExp(`^${UNDO}bcc-(?<pid>\\d+)-(?<startTime>\\d+)$`);

/** Notes that this BCC is ours. Gives what is to be called when it has ended: its probes go, and the note. */
export function noteBcc(pid: number): () => void {
  // Should we leave before BCC has ended, it stays.
  const folder = makeLastingTempDir();
  writeFileSync(join(folder, `${UNDO}bcc-${pid}-${processIdentity(pid)?.startTime ?? 0}`), '', { mode: 0o600 });
  return () => {
    // What is still in use is left to the next run.
    if (removeBccProbes(pid).left === 0) rmSync(folder, { recursive: true, force: true });
  };
}

/** How long a BCC that is just ending is waited for: the kernel takes its programs and probes apart first. */
const PATIENCE_MS = 3_000;
const POLL_MS = 50;

/**
 * Removes the probes of the BCCs of killed MARPLEs. Those of one that still has not ended are left to the run after. Returns
 * how many were removed.
 */
export async function clearStaleBccProbes(): Promise<number> {
  let removed = 0;
  for (const folder of staleTempDirs()) {
    for (const note of namesToUndo(folder)) {
      const { pid, startTime } = NOTE.exec(note)?.groups ?? {};
      if (pid === undefined || !(await isFree({ pid: Number(pid), startTime: Number(startTime) }))) continue;
      const probes = removeBccProbes(Number(pid));
      removed += probes.removed;
      if (probes.left === 0) rmSync(join(folder, note), { force: true });
    }
  }
  return removed;
}

/** Whether it has ended, and no other process has its pid: that one's probes could be called the same. */
async function isFree(bcc: ProcessIdentity): Promise<boolean> {
  for (let waited = 0; isAlive(bcc); waited += POLL_MS) {
    if (waited >= PATIENCE_MS) return false;
    await sleep(POLL_MS);
  }
  const now = processIdentity(bcc.pid);
  return now === undefined || now.startTime === bcc.startTime;
}
