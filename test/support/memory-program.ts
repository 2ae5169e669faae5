import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A running test/programs/memory.c. */
export interface MemoryProgram {
  readonly pid: number;
  /** Sends a line and gives the answer's numbers. */
  ask(line: string): Promise<number[]>;
  /** Closes its stdin, which ends it. */
  end(): Promise<void>;
}

/** Starts the program; resolves when all its memory is touched. It ends with the test. */
export async function startMemoryProgram(path: string, name: string, mib: number): Promise<MemoryProgram> {
  const child = spawn(path, [name, String(mib)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const numbers = async (): Promise<number[]> => {
    const { value } = await answers.next();
    return String(value).split(' ').slice(1).map(Number);
  };
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.stdin.end();
    await exit;
  };
  onTestFinished(end);
  await numbers();
  return {
    pid: child.pid as number,
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return numbers();
    },
    end,
  };
}
