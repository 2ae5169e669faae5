import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readProcFile } from '../../src/collect/proc/files.ts';
import { readStat } from '../../src/collect/proc/stat.ts';

/*
 * Runs a command, and tells what its parent cost meanwhile: `watch.cjs OUTPUT COMMAND ARG...`. A recorder that starts it as
 * the command to be recorded is measured with its tools, from when they record until they stop.
 */

const [output = '', program = '', ...args] = process.argv.slice(2);

/** USER_HZ. */
const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 200;

/** What was seen of a process of the recorder's. */
interface Cost {
  /** When first seen, and last: ticks with those of children that have ended. */
  readonly from: number;
  to: number;
  /** Most resident memory, bytes. */
  peak: number;
}

const costs = new Map<number, Cost>();

function sample(): void {
  for (const pid of family(process.ppid)) {
    const stat = readStat(pid);
    if (stat === undefined) continue;
    const ticks = stat.ownTicks + stat.childTicks;
    const cost = costs.get(pid) ?? { from: costs.size === 0 || pid === process.ppid ? ticks : 0, to: ticks, peak: 0 };
    cost.to = ticks;
    cost.peak = Math.max(cost.peak, peakOf(pid));
    costs.set(pid, cost);
  }
}

/** A process and its descendants, without this one and the command. */
function family(pid: number): number[] {
  return [
    pid,
    ...childrenOf(pid)
      .filter((child) => child !== process.pid)
      .flatMap(family),
  ];
}

function childrenOf(pid: number): number[] {
  try {
    return readProcFile(`/proc/${pid}/task/${pid}/children`).toString('latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** VmHWM, bytes. */
function peakOf(pid: number): number {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readProcFile(`/proc/${pid}/status`).toString('latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

// The recorder has its tools, and all that it did until now is not of the recording.
for (const pid of family(process.ppid)) {
  const ticks = readStat(pid);
  if (ticks !== undefined) costs.set(pid, { from: ticks.ownTicks + ticks.childTicks, to: 0, peak: 0 });
}
sample();
const timer = setInterval(sample, SAMPLE_MS);
const started = performance.now();
spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).once('exit', (code) => {
  const seconds = (performance.now() - started) / 1000;
  clearInterval(timer);
  sample();
  const all = [...costs].map(([pid, { from, to, peak }]) => ({
    own: pid === process.ppid,
    cpu: Math.max(0, to - from) / TICKS_PER_SECOND,
    peak,
  }));
  const sum = (values: readonly { cpu: number; peak: number }[]) => ({
    cpu: values.reduce((total, { cpu }) => total + cpu, 0),
    peak: values.reduce((total, { peak }) => total + peak, 0),
  });
  const recorder = sum(all.filter(({ own }) => own));
  const tools = sum(all.filter(({ own }) => !own));
  writeFileSync(output, `${JSON.stringify({ seconds, recorder, tools })}\n`);
  process.exitCode = code ?? 1;
});
