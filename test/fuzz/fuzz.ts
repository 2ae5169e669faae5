import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Random } from '../../src/analysis/random.ts';
import { Coverage } from './coverage.ts';
import { mutate, pick } from './mutate.ts';
import { judge } from './oracle.ts';
import { keptInputs, ROOT, runTarget, TARGETS } from './targets.ts';

/*
 * The long run: npm run fuzz -- [TARGET ...] [--seconds N] [--seed N]. Inputs that reach code which none before has reached
 * are kept for the run, and changed further. What goes wrong is made small, and written to test/fuzz/kept/TARGET/, which
 * the suite reads again: an input there stays until it is mended, and after.
 */

interface Job {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  /** Inputs so far, the length of the one that is being read, and its bytes. */
  readonly current: SharedArrayBuffer;
}

type Told =
  | { readonly kind: 'found'; readonly bytes: Uint8Array; readonly wrong: string }
  | { readonly kind: 'done'; readonly runs: number; readonly corpus: number };

/** An input that is read for longer than this has no end. */
const HANG_MS = 30_000;
/** Memory of the one that reads, MiB: no input has more than 256 KiB. */
const MEMORY_MIB = 600;
const ROOM = 512 * 1024;

if (isMainThread) void supervise();
else void work(workerData as Job);

async function supervise(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  });
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  const names = positionals.length > 0 ? positionals : TARGETS.map(({ name }) => name);
  say(`seed ${seed}`);
  let found = 0;
  for (const target of names) found += await runOne({ target, seconds: Number(values.seconds), seed });
  process.exitCode = found > 0 ? 1 : 0;
}

/** Runs a target in a thread, whose memory is bounded and which can be ended. Gives how often something was wrong. */
function runOne(what: Omit<Job, 'current'>): Promise<number> {
  const current = new SharedArrayBuffer(ROOM);
  const worker = new Worker(process.argv[1] as string, {
    workerData: { ...what, current } satisfies Job,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MIB },
  });
  let found = 0;
  let before = -1;
  return new Promise((resolve) => {
    const end = (wrong?: string): void => {
      clearInterval(watch);
      if (wrong !== undefined) {
        found++;
        keep(what.target, inputIn(current), wrong);
      }
      void worker.terminate().then(() => resolve(found));
    };
    const watch = setInterval(() => {
      const [now = 0] = new Uint32Array(current, 0, 1);
      if (now === before) end('it has no end');
      before = now;
    }, HANG_MS);
    worker.on('message', (told: Told) => {
      if (told.kind === 'found') {
        found++;
        keep(what.target, Buffer.from(told.bytes), told.wrong);
      } else {
        say(`${what.target}: ${told.runs} inputs, of which ${told.corpus} reached something new; ${found} went wrong`);
        end();
      }
    });
    worker.on('error', (error) => end(error.message));
  });
}

async function work({ target: name, seconds, seed, current }: Job): Promise<void> {
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (target === undefined)
    throw new Error(`there is no target ${name}: ${TARGETS.map((each) => each.name).join(', ')}`);
  const random = new Random(seed);
  const corpus = [...(await target.seeds(ROOT)), ...keptInputs(name).map(({ bytes }) => bytes)];
  const coverage = new Coverage(process.argv[1] as string);
  const told = new Set<string>();
  const seeds = corpus.length;
  let runs = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; runs++) {
    const bytes = runs < seeds ? corpus[runs]! : mutate(random, pick(random, corpus), pick(random, corpus));
    const read = (input: Buffer): Promise<string | undefined> => {
      note(current, input);
      return judge(() => runTarget(target, input));
    };
    const wrong = await read(bytes);
    if (coverage.news() > 0 && runs >= seeds) corpus.push(bytes);
    if (wrong === undefined || told.has(kindOf(wrong))) continue;
    told.add(kindOf(wrong));
    const small = await smaller(read, bytes, wrong);
    parentPort?.postMessage({ kind: 'found', bytes: small, wrong } satisfies Told);
  }
  parentPort?.postMessage({ kind: 'done', runs, corpus: corpus.length - seeds } satisfies Told);
}

/** Takes pieces away as long as the same goes wrong. */
async function smaller(
  read: (input: Buffer) => Promise<string | undefined>,
  bytes: Buffer,
  wrong: string,
): Promise<Buffer> {
  let small = bytes;
  for (let size = Math.ceil(bytes.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < small.length; ) {
      const without = Buffer.concat([small.subarray(0, at), small.subarray(at + size)]);
      const now = await read(without);
      if (now !== undefined && kindOf(now) === kindOf(wrong)) small = without;
      else at += size;
    }
    if (small.length > 20_000 && size < 1000) break;
  }
  return small;
}

/** What goes wrong at one place is one thing, whatever the input: the place of the code, else the text without numbers. */
function kindOf(wrong: string): string {
  return /^ +at .*$/m.exec(wrong)?.[0] ?? wrong.replace(/\S*\d\S*/g, '').slice(0, 80);
}

const HEAD_BYTES = 8;

function note(current: SharedArrayBuffer, bytes: Buffer): void {
  const head = new Uint32Array(current, 0, 2);
  head[1] = bytes.copy(Buffer.from(current, HEAD_BYTES));
  head[0] = head[0]! + 1;
}

function inputIn(current: SharedArrayBuffer): Buffer {
  return Buffer.from(Buffer.from(current, HEAD_BYTES, new Uint32Array(current, 0, 2)[1]));
}

function keep(target: string, bytes: Buffer, wrong: string): void {
  const folder = join(ROOT, 'test/fuzz/kept', target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(path, bytes);
  say(`${target}: ${wrong.split('\n').slice(0, 8).join('\n    ')}\n  the input is kept in ${path}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
