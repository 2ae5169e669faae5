import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** What a test/programs/waits.c measured. */
export interface Waited {
  /** Pid of the process. */
  readonly pid: number;
  /** The thread that waited: the first of its process. */
  readonly tid: number;
  /** Nanoseconds off the CPU. */
  readonly off: number;
  /** How often it left the CPU by itself (getrusage(2)). */
  readonly voluntary: number;
  readonly preempted: number;
}

/** Runs the program to its end. */
export async function runWaits(program: string, ...args: readonly string[]): Promise<Waited> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`waits ${args.join(' ')} ended with ${code}`);
  const [tid = 0, off = 0, voluntary = 0, preempted = 0] = text.trim().split(' ').map(Number);
  return { pid: child.pid as number, tid, off, voluntary, preempted };
}
