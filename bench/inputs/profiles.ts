import { closeSync, createReadStream, createWriteStream, openSync, readFileSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Random } from '../../src/analysis/random.ts';
import { type Inputs, sizeOf } from '../inputs.ts';
import { runCommand } from '../process.ts';
import type { Programs } from '../programs.ts';

/*
 * Profiles: recorded here by perf while the machine is busy in many ways, and stacks that are generated, the same each time.
 */

const SECONDS = 25;
const LOAD = ['stress-ng', '--cpu', '1', '--switch', '1', '--vm', '1', '--hdd', '1', '--sock', '1', '-t', `${SECONDS}`];

/** Part of the names of recordings: addresses mean something only until the next boot. */
export function bootName(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
}

/** A perf.data of the whole machine, some 100 MB: as many samples as perf can take. */
export function perfData(inputs: Inputs, boot: string): Promise<string> {
  return inputs.get(`perf-${boot}.data`, async (path) => {
    const record = ['perf', 'record', '-q', '-a', '-g', '-N', '-k', 'CLOCK_MONOTONIC', '-F', '20000', '-m', '4M'];
    await runCommand([...record, '-o', path, '--', ...LOAD]);
  });
}

/** All of its text. */
export async function wholeText(inputs: Inputs, boot: string): Promise<string> {
  const data = await perfData(inputs, boot);
  return inputs.get(`perf-${boot}.txt`, async (path) => {
    await runCommand(perfScript(data), { stdout: path });
  });
}

/** So many bytes of its text, up to the end of a sample; it is there several times where there is not so much. */
export async function perfText(inputs: Inputs, boot: string, bytes: number): Promise<string> {
  const whole = await wholeText(inputs, boot);
  return inputs.get(`perf-${boot}-${bytes}.txt`, (path) => pipeline(textOf(whole, bytes), createWriteStream(path)));
}

async function* textOf(whole: string, bytes: number): AsyncGenerator<Buffer> {
  const size = await sizeOf(whole);
  let left = bytes;
  for (; left >= size; left -= size) yield* createReadStream(whole);
  const end = lastSampleEnd(whole, left);
  if (end > 0) yield* createReadStream(whole, { end: end - 1 });
}

/** As people run it for flame graphs. */
export function perfScript(data: string): string[] {
  return ['perf', 'script', '-i', data, '--no-inline', '-F', 'comm,pid,tid,cpu,time,event,ip,sym,dso'];
}

/** Behind the last sample that ends within so many bytes; 0 where none does. */
function lastSampleEnd(path: string, bytes: number): number {
  const block = Buffer.alloc(Math.min(bytes, 1 << 20));
  const start = bytes - block.length;
  const fd = openSync(path, 'r');
  readSync(fd, block, 0, block.length, start);
  closeSync(fd);
  const last = block.lastIndexOf('\n\n');
  return last < 0 ? 0 : start + last + 2;
}

/** Folded text of so many different stacks, about 480 bytes each: a walk through a call tree of 3000 functions. */
export function foldedText(inputs: Inputs, count: number): Promise<string> {
  return inputs.get(`walked-${count}.folded`, (path) =>
    pipeline(Readable.from(foldedLines(count), { objectMode: false }), createWriteStream(path)),
  );
}

function* foldedLines(count: number): Generator<Buffer> {
  const random = new Random(11);
  const stack: string[] = [];
  let lines: string[] = [];
  for (let i = 0; i < count; i++) {
    stack.length = Math.min(stack.length, Math.max(1, stack.length - 1 - random.integer(6)));
    while (stack.length < 8 || (stack.length < 29 && random.uniform() < 0.85)) {
      stack.push(`some_function_${random.integer(3000)}`);
    }
    // The number of the stack makes it one of its kind.
    lines.push(`program;${stack.join(';')};leaf_${i % 100_000} ${1 + random.integer(9)}\n`);
    if (lines.length < 4096) continue;
    yield Buffer.from(lines.join(''));
    lines = [];
  }
  yield Buffer.from(lines.join(''));
}

/** Folded text of the stacks in so many bytes of what perf recorded. */
export function recordedStacks(inputs: Inputs, programs: Programs, boot: string, bytes: number): Promise<string> {
  return inputs.get(`perf-${boot}-${bytes}.folded`, async (path) => {
    const text = await perfText(inputs, boot, bytes);
    await runCommand(programs.marple('export', '-i', text, '--format', 'folded', '-o', path, '-q'));
  });
}

/** Stacks as a data file. */
export function stackFile(inputs: Inputs, programs: Programs, folded: string): Promise<string> {
  return inputs.get(`${basename(folded, '.folded')}.marple`, async (path) => {
    await runCommand(programs.marple('import', folded, '--format', 'folded', '-o', path, '-q'));
  });
}
