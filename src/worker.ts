import { parentPort, workerData } from 'node:worker_threads';
import { COLUMNS } from './common/column-task.ts';
import type { Task } from './common/threads.ts';

/* A thread of common/threads.ts: does the task that it was begun for, part by part. */

const TASKS: readonly Task<never, never, unknown>[] = [COLUMNS];

const { task, setup } = workerData as { task: string; setup: unknown };
const work = TASKS.find(({ name }) => name === task)!.begin(setup as never);
parentPort!.on('message', (part) => {
  const { result, transfer } = work(part as never);
  try {
    parentPort!.postMessage(result, transfer);
  } catch (error) {
    // What is thrown there does not reach the other thread with its words.
    throw new Error(`what was made of a part cannot be handed over: ${error}`, { cause: error });
  }
});
