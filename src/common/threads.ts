import { availableParallelism, getPriority } from 'node:os';
import { inspect } from 'node:util';
import { type TransferListItem, Worker } from 'node:worker_threads';
import { type Deferred, defer } from './deferred.ts';
import { EXIT, errorCode, MarpleError } from './errors.ts';

/** What threads can be set to do: `name` is how a thread finds it (src/worker.ts). */
export interface Task<Setup, Part, Result> {
  readonly name: string;
  /** Called once in each thread; what it gives is called for each part that the thread is given, in their order. */
  begin(setup: Setup): (part: Part) => Done<Result>;
}

/** What was made of a part; what is in `transfer` is handed over instead of copied. */
export interface Done<Result> {
  readonly result: Result;
  readonly transfer: readonly TransferListItem[];
}

/** Some bytes of a file. */
export interface FilePart {
  readonly start: number;
  readonly end: number;
}

/** The result of a part, and which thread made it, from 0 on: what a thread remembers from part to part is its own. */
export interface Made<Part, Result> {
  readonly part: Part;
  readonly thread: number;
  readonly result: Result;
}

/** Bytes of a file that are a part, and how many parts are worth threads: to begin them takes 40 ms. */
export const PART_SIZE = 4 * 1024 * 1024;
export const MANY_PARTS = 8;
/** More would wait for the one that takes their results. */
const MOST_THREADS = 4;
/** Parts that a thread has been given, so that it need not wait for the next. */
const GIVEN = 2;

/** Threads of those that are read with several. */
let running = 0;

/**
 * How many threads may be begun: all together are as many as there are CPUs for this process. A process of low priority
 * stays by one.
 */
export function freeThreads(): number {
  return getPriority() > 0 ? 0 : Math.max(0, Math.min(MOST_THREADS, availableParallelism()) - running);
}

/** Does a task for each part in several threads, and gives the results in the order of the parts. Few of them are held. */
export async function* inOrder<Setup, Part, Result>(
  task: Task<Setup, Part, Result>,
  setup: Setup,
  parts: AsyncIterable<Part>,
  threads: number,
): AsyncGenerator<Made<Part, Result>> {
  const crew: Thread<Part, Result>[] = [];
  const asked: { readonly part: Part; readonly thread: number; readonly result: Promise<Result> }[] = [];
  const first = async (): Promise<Made<Part, Result>> => {
    const { part, thread, result } = asked.shift()!;
    return { part, thread, result: await result };
  };
  // All at once: who asks next for free ones may do so before the last of these has begun.
  running += threads;
  try {
    let count = 0;
    for await (const part of parts) {
      const thread = count++ % threads;
      crew[thread] ??= new Thread(task.name, setup);
      asked.push({ part, thread, result: crew[thread].do(part) });
      if (asked.length === GIVEN * threads) yield await first();
    }
    while (asked.length > 0) yield await first();
  } finally {
    await Promise.all(crew.map((thread) => thread.end()));
    running -= threads;
  }
}

class Thread<Part, Result> {
  readonly #worker: Promise<Worker>;
  readonly #asked: Deferred<Result>[] = [];
  #error: Error | undefined;

  constructor(task: string, setup: unknown) {
    this.#worker = this.#start(task, setup);
    this.#worker.catch((error: unknown) => this.#fail(error));
  }

  do(part: Part): Promise<Result> {
    const result = defer<Result>();
    // It may be that nobody waits for it any more.
    result.promise.catch(() => undefined);
    if (this.#error !== undefined) result.reject(this.#error);
    else this.#asked.push(result);
    void this.#worker.then(
      (worker) => worker.postMessage(part),
      () => undefined,
    );
    return result.promise;
  }

  async end(): Promise<void> {
    await (await this.#worker.catch(() => undefined))?.terminate();
  }

  async #start(task: string, setup: unknown): Promise<Worker> {
    const { source } = await import('virtual:worker');
    const worker = new Worker(source, { eval: true, execArgv: [], workerData: { task, setup } });
    worker.on('message', (result: Result) => this.#asked.shift()?.resolve(result));
    worker.on('error', (error) => this.#fail(error));
    return worker;
  }

  #fail(error: unknown): void {
    this.#error = reasonOf(error);
    for (const result of this.#asked.splice(0)) result.reject(this.#error);
  }
}

/** What the machine has no room for is no bug. */
function reasonOf(error: unknown): Error {
  const reason = error instanceof Error ? error : new Error(inspect(error));
  const code = errorCode(reason) ?? '';
  if (!code.startsWith('ERR_WORKER_')) return reason;
  const what = code === 'ERR_WORKER_INIT_FAILED' ? 'could not be begun' : 'was ended';
  return new MarpleError(
    `a thread that was to read a part of a large file ${what}: ${reason.message}`,
    EXIT.unavailable,
    'let one read all of it: nice marple ...',
    { cause: error },
  );
}
