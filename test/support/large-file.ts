import { open } from 'node:fs/promises';
import { Random } from '../../src/analysis/random.ts';
import type { SectionHeader } from '../../src/common/header.ts';

/** Seconds that it goes on. */
export const LARGE_SECONDS = 60;
const CPUS = 4;
const NAMES = ['postgres', 'nginx', 'java', 'make', 'cc1', 'rsync'];
const TASKS = NAMES.flatMap((comm, i) => [0, 1, 2].map((j) => ({ pid: 1000 + 10 * i + j, comm })));
const STACKS = 50;
/** Bytes of a header's line: it is written when the records have been counted. */
const HEADER_LENGTH = 400;

export interface LargeFile {
  /** Scheduler events, about. */
  readonly events: number;
  readonly ios: number;
  readonly samples: number;
}

interface Section {
  readonly header: Partial<SectionHeader>;
  readonly lines: Iterable<string>;
}

/**
 * Writes a data file that may have more records than fit a page. Text is written as it is: through records it would take minutes. The
 * same for the same numbers.
 */
export async function writeLargeFile(path: string, { events, ios, samples }: LargeFile): Promise<void> {
  const file = await open(path, 'wx');
  let at = 0;
  for (const { header, lines } of [scheduling(events), latencies(ios), stacks(samples), stackSamples(samples)]) {
    const start = at + HEADER_LENGTH;
    let [end, records, waiting] = [start, 0, ''];
    const flush = async (): Promise<void> => {
      end += (await file.write(waiting, end)).bytesWritten;
      waiting = '';
    };
    for (const line of lines) {
      waiting += `${line}\n`;
      records++;
      if (waiting.length > 1 << 20) await flush();
    }
    await flush();
    await file.write(headerLine(header, records, end - start), at);
    at = end;
  }
  await file.close();
}

function headerLine(header: Partial<SectionHeader>, records: number, bytes: number): string {
  const start = '2026-03-01T09:30:00.000Z';
  const end = new Date(Date.parse(start) + 1000 * LARGE_SECONDS).toISOString();
  const whole = { marple: 1, ...header, start, end, host: 'box', records, bytes };
  return `${JSON.stringify(whole).padEnd(HEADER_LENGTH - 1)}\n`;
}

/** Tasks run, sleep, are woken and wait for a disk, on all CPUs in turn. */
function scheduling(count: number): Section {
  function* lines(): Generator<string> {
    const random = new Random(1);
    const idle = { pid: 0, comm: 'swapper' };
    const running = Array.from({ length: CPUS }, () => idle);
    const sleeping = [...TASKS];
    const ready: typeof sleeping = [];
    const step = (LARGE_SECONDS * 1e9) / count;
    for (let i = 0; i < count; i++) {
      const time = Math.floor((i + random.uniform()) * step);
      const cpu = random.integer(CPUS);
      const own = running[cpu]!;
      const woken = random.uniform() < 0.4 ? sleeping.splice(random.integer(sleeping.length), 1)[0] : undefined;
      if (woken !== undefined) {
        ready.push(woken);
        yield `${time},wakeup,${cpu},${own.pid},${own.comm},${woken.pid},${woken.comm},`;
        continue;
      }
      const next = ready.splice(random.integer(ready.length), 1)[0] ?? idle;
      if (next === own) continue;
      const state = own === idle || random.uniform() < 0.3 ? 'R' : random.uniform() < 0.2 ? 'D' : 'S';
      if (own !== idle) (state === 'R' ? ready : sleeping).push(own);
      running[cpu] = next;
      yield `${time},switch,${cpu},${own.pid},${own.comm},${next.pid},${next.comm},${state}`;
    }
  }
  const fields = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
  return { header: { interface: 'cpusched', datatype: 'event', fields }, lines: lines() };
}

/** Reads and writes that take 0.1 to 8 ms, and one of 500 ms in the middle. Each has another sector. */
function latencies(count: number): Section {
  function* lines(): Generator<string> {
    const random = new Random(2);
    for (let i = 0; i < count; i++) {
      const at = Math.floor(((i + random.uniform()) * LARGE_SECONDS * 1e9) / count) / 1e9;
      const { comm, pid } = TASKS[random.integer(TASKS.length)]!;
      const latency = i === count >> 1 ? 500 : Math.round(1e4 * 0.1 * 80 ** random.uniform()) / 1e4;
      yield `${at},${latency},${comm},${pid},${i % 2 === 0 ? 'R' : 'W'},${8 * i}`;
    }
  }
  const axes = { x: { label: 'time', unit: 's' }, y: { label: 'latency', unit: 'ms' } };
  const fields = ['comm', 'pid', 'op', 'sector'];
  return { header: { interface: 'disklat', datatype: 'datapoint', ...axes, fields }, lines: lines() };
}

/** The stack of each sample: in the second half others are on top. */
function* chosenStacks(count: number): Generator<number> {
  const random = new Random(3);
  for (let i = 0; i < count; i++) yield Math.floor(STACKS * random.uniform() ** (i < count / 2 ? 3 : 0.5));
}

const nameOf = (stack: number): string => NAMES[stack % NAMES.length]!;

function stacks(count: number): Section {
  const totals = new Float64Array(STACKS);
  for (const stack of chosenStacks(count)) totals[stack]!++;
  const lines = [...totals].map((total, stack) => `${total}#${nameOf(stack)};main;step_${stack % 7};leaf_${stack}`);
  const weight = { label: 'samples', unit: 'samples' };
  return { header: { interface: 'callstack', datatype: 'stack', weight }, lines };
}

function stackSamples(count: number): Section {
  function* lines(): Generator<string> {
    let i = 0;
    for (const stack of chosenStacks(count)) {
      const pid = 1000 + 10 * (stack % NAMES.length) + (i % 3);
      yield `${Math.floor(((i + 0.5) * LARGE_SECONDS * 1e9) / count)},cpu-clock,${stack},${i % CPUS},${pid},${pid},1`;
      i++;
    }
  }
  const fields = ['stack', 'cpu', 'pid', 'tid', 'weight'];
  return { header: { interface: 'callstack', datatype: 'event', fields }, lines: lines() };
}
