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
const LOOK_MS = 200;

/** Most resident memory of each process of the recorder's that was seen, bytes. */
const peaks = new Map<number, number>();

/**
 * CPU time of the recorder and of all its tools until now, ticks. A process that ends hands what it used on to its parent: the
 * sum stays exact, but for whose it was.
 */
function ticks(): { readonly own: number; readonly all: number } {
  let all = 0;
  for (const pid of family(process.ppid)) {
    const stat = readStat(pid);
    all += (stat?.ownTicks ?? 0) + (stat?.childTicks ?? 0);
  }
  return { own: readStat(process.ppid)?.ownTicks ?? 0, all };
}

function look(): void {
  for (const pid of family(process.ppid)) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peakOf(pid)));
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
const before = ticks();
look();
const timer = setInterval(look, LOOK_MS);
const started = performance.now();
spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).once('exit', (code) => {
  const seconds = (performance.now() - started) / 1000;
  clearInterval(timer);
  look();
  const after = ticks();
  const own = after.own - before.own;
  const { [process.ppid]: peak = 0, ...others } = Object.fromEntries(peaks);
  const recorder = { cpu: own / TICKS_PER_SECOND, peak };
  const tools = {
    cpu: (after.all - before.all - own) / TICKS_PER_SECOND,
    peak: Object.values(others).reduce((sum, each) => sum + each, 0),
  };
  writeFileSync(output, `${JSON.stringify({ seconds, recorder, tools })}\n`);
  process.exitCode = code ?? 1;
});
