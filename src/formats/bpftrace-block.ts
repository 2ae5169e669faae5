import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { decodeBytes } from '../common/decode-bytes.ts';
import type { Report } from '../common/section.ts';
import { type BlockRecord, type BlockSource, makesThread } from './block-records.ts';
import { linesOf } from './lines.ts';

/*
 * Block events as the program in collect/bpftrace/block.ts prints them: one event a line, numbers as printf has them, names
 * by %r of bpftrace's buf().
 */

export const bpftraceBlockSchema = z.object({
  tool: z.object({ name: z.string(), version: z.string(), command: z.array(z.string()) }),
});
export type BpftraceBlockDetails = z.infer<typeof bpftraceBlockSchema>;

/** Where what bpftrace printed is kept. */
export function bpftraceFile(dir: string): string {
  return join(dir, 'bpftrace.txt');
}

/** Where the number of events is that the kernel did not give to bpftrace's programs, at the end of the recording. */
export function missesFile(dir: string): string {
  return join(dir, 'misses');
}

/** `count` events did not fit into a buffer, some time before this was printed. */
export interface LostEvents {
  readonly kind: 'lost';
  readonly count: number;
}

// I 2934694082690 44 44 266338304 68952424 8 4096 DS kworker/0:1H\x00\x00\x00\x00
// Q is its insertion into a queue.
const BY_MAKER = /^([IQ]) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\S*) (.*)$/su;
// C 2934694222929 3860 266338304 68952424 8 0 DS
const COMPLETE = /^C (\d+) (\d+) (\d+) (\d+) (\d+) (-?\d+) (\S*)$/u;
// R 2934694222929 3860 266338304 68952424 8 DS
const REQUEUE = /^R (\d+) (\d+) (\d+) (\d+) (\d+) (\S*)$/u;
// F 2934656879595 3855 3919 18874368 node\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
const FORK = /^F (\d+) (\d+) (\d+) (\d+) (.*)$/su;
// N 2934681627201 3920 setpriv\x00\x00\x00\x00\x00\x00\x00th
const NAME = /^N (\d+) (\d+) (.*)$/su;
// Lost 34 events
const LOST = /^Lost (\d+) events$/u;
/** What else is printed: how many probes there are, that they are in place, and the times that tell how far the program is. */
const CHATTER = /^(Attaching \d+ probes?\.\.\.|marple (first|last)|\d+|)$/u;

/** Reads one line; undefined where it is no record, `chatter` where it need not be one. */
export function parseLine(line: string, origin: bigint): BlockRecord | LostEvents | 'chatter' | undefined {
  const since = (text: string | undefined): number => Number(BigInt(text ?? 0) - origin);
  let match = BY_MAKER.exec(line);
  if (match !== null) {
    const [, step, time, pid, tid, dev, sector, sectors, bytes, op = '', name = ''] = match;
    return {
      kind: 'block',
      type: step === 'Q' ? 'insert' : 'issue',
      time: since(time),
      pid: Number(pid),
      tid: Number(tid),
      comm: nameOf(name),
      dev: Number(dev),
      sector: Number(sector),
      sectors: Number(sectors),
      bytes: Number(bytes),
      op,
      error: 0,
    };
  }
  match = COMPLETE.exec(line);
  if (match !== null) {
    const [, time, tid, dev, sector, sectors, error, op] = match;
    return ended('complete', since(time), [tid, dev, sector, sectors, error].map(Number), op);
  }
  match = REQUEUE.exec(line);
  if (match !== null) {
    const [, time, tid, dev, sector, sectors, op] = match;
    return ended('requeue', since(time), [...[tid, dev, sector, sectors].map(Number), 0], op);
  }
  match = FORK.exec(line);
  if (match !== null) {
    const [, time, creator, tid, flags, name = ''] = match;
    return {
      kind: 'fork',
      time: since(time),
      tid: Number(tid),
      creator: Number(creator),
      isThread: makesThread(Number(flags)),
      comm: nameOf(name),
    };
  }
  match = NAME.exec(line);
  if (match !== null) {
    const [, time, tid, name = ''] = match;
    return { kind: 'rename', time: since(time), tid: Number(tid), comm: nameOf(name) };
  }
  const lost = LOST.exec(line)?.[1];
  if (lost !== undefined) return { kind: 'lost', count: Number(lost) };
  return CHATTER.test(line) ? 'chatter' : undefined;
}

function ended(
  type: 'complete' | 'requeue',
  time: number,
  [tid, dev, sector, sectors, error]: readonly number[],
  op = '',
): BlockRecord {
  return {
    kind: 'block',
    type,
    time,
    tid: tid!,
    comm: '',
    dev: dev!,
    sector: sector!,
    sectors: sectors!,
    bytes: sectors! * 512,
    op,
    error: error!,
  };
}

/**
 * The text of a char array up to its NUL. %r escapes bytes that are no printable ASCII and leaves backslashes alone, so that
 * a name which holds the text of an escape is taken for the byte.
 */
function nameOf(escaped: string): string {
  if (!escaped.includes('\\')) return escaped;
  const bytes: number[] = [];
  for (const [, hex, character] of escaped.matchAll(/\\x([\da-f]{2})|(.)/gsu)) {
    if (hex === '00') break;
    if (hex === undefined) bytes.push(...Buffer.from(character as string));
    else bytes.push(Number.parseInt(hex, 16));
  }
  return decodeBytes(Buffer.from(bytes));
}

/** bpftrace prints CPU after CPU what their buffers hold: what comes so much later than others is out of its place. */
const DISORDER_NS = 1e9;
const WINDOW = 32_768;

/** The events that bpftrace printed, put in order. */
export class BpftraceBlocks implements BlockSource {
  readonly hasTasks = true;
  #lost = 0;
  #late = 0;

  constructor(
    private readonly dir: string,
    details: BpftraceBlockDetails,
    private readonly origin: bigint,
    private readonly report: Report,
  ) {
    report.tool(details.tool);
  }

  async *records(): AsyncGenerator<readonly BlockRecord[]> {
    let waiting: BlockRecord[] = [];
    let newest = 0;
    let given = Number.NEGATIVE_INFINITY;
    const release = (before: number): BlockRecord[] => {
      waiting.sort((a, b) => a.time - b.time);
      const end = waiting.findIndex(({ time }) => time > before);
      const ready = end < 0 ? waiting : waiting.slice(0, end);
      waiting = end < 0 ? [] : waiting.slice(end);
      given = ready.at(-1)?.time ?? given;
      return ready;
    };
    let next = WINDOW;
    for await (const lines of linesOf(createReadStream(bpftraceFile(this.dir)))) {
      for (const line of lines) {
        const record = parseLine(line, this.origin);
        if (record === 'chatter') continue;
        if (record === undefined) {
          this.report.skipped(line);
        } else if (record.kind === 'lost') {
          this.#lost += record.count;
          // Somewhere among those that are not yet in order.
          const from = waiting.reduce((least, { time }) => Math.min(least, time), newest);
          waiting.push({ kind: 'gap', edge: 'begin', time: from }, { kind: 'gap', edge: 'end', time: newest });
        } else if (record.time < given) {
          this.#late++;
        } else {
          waiting.push(record);
          newest = Math.max(newest, record.time);
        }
      }
      if (waiting.length < next) continue;
      yield release(newest - DISORDER_NS);
      next = waiting.length + WINDOW;
    }
    yield release(Number.POSITIVE_INFINITY);
  }

  reportLoss(report: Report): number {
    if (this.#lost > 0) {
      report.lost(this.#lost);
      report.warn(`${this.#lost} events were lost: bpftrace could not print as fast as they came`);
    }
    if (this.#late > 0) {
      report.lost(this.#late);
      report.warn(`${this.#late} events are left out: bpftrace printed them more than ${DISORDER_NS / 1e9} s too late`);
    }
    const missed = this.#missed();
    if (missed > 0) {
      report.lost(missed);
      report.warn(
        `${missed} events were not seen: the kernel runs no eBPF program on a CPU where another one runs already`,
      );
    }
    return this.#lost + this.#late + missed;
  }

  #missed(): number {
    try {
      return Number(readFileSync(missesFile(this.dir), 'latin1')) || 0;
    } catch {
      return 0;
    }
  }
}
