import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A running test/programs/allocations.c. */
export interface Allocations {
  readonly pid: number;
  /** Sends a line and waits until it is done. */
  tell(line: string): Promise<void>;
  /** Closes its stdin, which ends it. */
  end(): Promise<void>;
}

/** Starts the program under a name. It ends with the test. */
export async function startAllocations(path: string, name: string): Promise<Allocations> {
  const child = spawn(path, [name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.stdin.end();
    await exit;
  };
  onTestFinished(end);
  await answers.next();
  return {
    pid: child.pid as number,
    tell: async (line) => {
      child.stdin.write(`${line}\n`);
      await answers.next();
    },
    end,
  };
}
