import { Random } from '../../src/analysis/random.ts';
import type { Datapoint, EventData, StackData } from '../../src/common/datatypes.ts';
import type { Inputs } from '../inputs.ts';
import { type Generated, writeSections } from './data-files.ts';

/*
 * A minute of all interfaces on a machine with 8 CPUs and 400 tasks that are busy: what a page of the report is to hold.
 */

const SECONDS = 60;
const CPUS = 8;
const TASKS = 400;
const PROGRAMS = 40;
const COUNTS = {
  scheduling: 1_000_000,
  samples: 100_000,
  stacks: 8000,
  waits: 100_000,
  waitStacks: 3000,
  ios: 200_000,
  issuerStacks: 200,
  messages: 20_000,
} as const;

export function busyMinute(inputs: Inputs): Promise<string> {
  return inputs.get('busy-minute.marple', (path) => {
    const random = new Random(7);
    const callstack = sampled(random, COUNTS.samples, stacksOf(random, COUNTS.stacks, 36), () => 1);
    const offcpu = sampled(random, COUNTS.waits, stacksOf(random, COUNTS.waitStacks, 20), () => random.integer(5e7));
    const disk = ios(random, stacksOf(random, COUNTS.issuerStacks, 20));
    return writeSections(path, [
      section('cpusched', 'event', scheduling(random), {
        fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      }),
      section('callstack', 'stack', callstack.stacks, { weight: { label: 'samples', unit: 'samples' } }),
      section('callstack', 'event', callstack.events, { fields: SAMPLE_FIELDS }),
      section('offcpu', 'stack', offcpu.stacks, { weight: { label: 'time off the CPU', unit: 'ns' } }),
      section('offcpu', 'event', offcpu.events, { fields: SAMPLE_FIELDS }),
      section('disklat', 'datapoint', disk.points, {
        x: TIME,
        y: { label: 'latency', unit: 'ms' },
        fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
      }),
      section('disklat', 'stack', disk.stacks, { weight: { label: 'I/Os', unit: 'I/Os' } }),
      section('memtime', 'datapoint', memory(random), {
        x: TIME,
        y: { label: 'PSS', unit: 'MiB' },
        fields: ['comm', 'pid'],
      }),
      section('ipc', 'event', messages(random), {
        fields: ['pid', 'comm', 'other_pid', 'other_comm', 'port', 'other_port', 'bytes'],
      }),
    ]);
  });
}

const TIME = { label: 'time', unit: 's' };
const SAMPLE_FIELDS = ['stack', 'cpu', 'pid', 'tid', 'weight'];

function section(
  interfaceName: string,
  datatype: Generated['header']['datatype'],
  records: Generated['records'],
  more: Partial<Generated['header']>,
): Generated {
  const end = '2026-01-01T00:01:00.000Z';
  return { header: { interface: interfaceName, datatype, end, cpus: CPUS, ...more }, records };
}

interface Task {
  readonly pid: string;
  readonly comm: string;
}

const IDLE: Task = { pid: '0', comm: 'swapper' };
const ALL: readonly Task[] = Array.from({ length: TASKS }, (_, i) => ({
  pid: String(1000 + i),
  comm: `worker-${i % PROGRAMS}`,
}));

/** Few are asked for often. */
function skewed(random: Random, below: number): number {
  return Math.floor(random.uniform() ** 3 * below);
}

/** Nanoseconds of one of so many records: each somewhere in its own part of the minute. */
function timeOf(random: Random, i: number, count: number): number {
  return Math.floor(((i + random.uniform()) * SECONDS * 1e9) / count);
}

function taken<T>(random: Random, from: T[]): T {
  return from.splice(random.integer(from.length), 1)[0]!;
}

/** Tasks sleep, are woken, and run in turn on every CPU. */
function* scheduling(random: Random): Generator<EventData> {
  const running = Array.from({ length: CPUS }, () => IDLE);
  const sleeping = [...ALL];
  const ready: Task[] = [];
  for (let i = 0; i < COUNTS.scheduling; i++) {
    const time = timeOf(random, i, COUNTS.scheduling);
    const cpu = random.integer(CPUS);
    const own = running[cpu]!;
    const wakes = sleeping.length > 0 && (ready.length === 0 || random.uniform() < 0.4);
    if (wakes) {
      const woken = taken(random, sleeping);
      ready.push(woken);
      yield { time, type: 'wakeup', datum: [String(cpu), own.pid, own.comm, woken.pid, woken.comm, `>${cpu}`] };
      continue;
    }
    const next = taken(random, ready);
    const state = own === IDLE || random.uniform() < 0.3 ? 'R' : random.uniform() < 0.2 ? 'D' : 'S';
    if (own !== IDLE) (state === 'R' ? ready : sleeping).push(own);
    running[cpu] = next;
    yield { time, type: 'switch', datum: [String(cpu), own.pid, own.comm, next.pid, next.comm, state] };
  }
}

/** Different stacks; functions call each other as in a program, each a few others. */
function stacksOf(random: Random, count: number, depth: number): (readonly string[])[] {
  const stacks = new Map<string, readonly string[]>();
  while (stacks.size < count) {
    let at = skewed(random, PROGRAMS);
    const frames = [`worker-${at}`];
    for (let level = random.integer(depth) + 4; level > 0; level--) {
      at = (at * 31 + 7 * skewed(random, 6) + level) % 3000;
      frames.push(`library_${at % 60}::function_number_${at}`);
    }
    stacks.set(frames.join(';'), frames);
  }
  return [...stacks.values()];
}

interface Sampled {
  readonly stacks: readonly StackData[];
  readonly events: readonly EventData[];
}

function sampled(random: Random, count: number, stacks: readonly (readonly string[])[], weigh: () => number): Sampled {
  const totals = new Float64Array(stacks.length);
  const events = Array.from({ length: count }, (_, i): EventData => {
    const stack = skewed(random, stacks.length);
    const weight = weigh();
    totals[stack]! += weight;
    const program = Number(stacks[stack]![0]!.slice('worker-'.length));
    const { pid } = ALL[program + PROGRAMS * random.integer(TASKS / PROGRAMS)]!;
    const datum = [String(stack), String(random.integer(CPUS)), pid, pid, String(weight)];
    return { time: timeOf(random, i, count), type: 'sampled', datum };
  });
  return { stacks: stacks.map((stack, i) => ({ weight: totals[i]!, stack })), events };
}

function ios(
  random: Random,
  stacks: readonly (readonly string[])[],
): Pick<Sampled, 'stacks'> & { points: Datapoint[] } {
  const totals = new Float64Array(stacks.length);
  const points = Array.from({ length: COUNTS.ios }, (_, i): Datapoint => {
    const stack = skewed(random, stacks.length);
    totals[stack]!++;
    const { pid, comm } = ALL[skewed(random, TASKS)]!;
    const isWrite = random.uniform() < 0.3;
    const latency = Math.round(1e6 * Math.exp(1.2 * random.normal() - 1) * (isWrite ? 3 : 1)) / 1e6;
    const sector = String(8 * random.integer(2 ** 24));
    const bytes = String(4096 << random.integer(6));
    return {
      x: timeOf(random, i, COUNTS.ios) / 1e9,
      y: latency,
      info: [comm, pid, pid, isWrite ? 'W' : 'R', '259:0', sector, bytes, String(stack)],
    };
  });
  return { points, stacks: stacks.map((stack, i) => ({ weight: totals[i]!, stack })) };
}

/** Every task, twice a second. */
function* memory(random: Random): Generator<Datapoint> {
  const sizes = ALL.map(() => 5 + 200 * random.uniform() ** 4);
  for (let sweep = 0; sweep < 2 * SECONDS; sweep++) {
    for (const [i, { comm, pid }] of ALL.entries()) {
      sizes[i]! *= 1 + 0.01 * (random.uniform() - 0.48);
      yield { x: sweep / 2, y: Math.round(1024 * sizes[i]!) / 1024, info: [comm, pid] };
    }
  }
}

function* messages(random: Random): Generator<EventData> {
  for (let i = 0; i < COUNTS.messages; i++) {
    const [from, to] = [ALL[skewed(random, TASKS)]!, ALL[random.integer(TASKS)]!];
    const datum = [from.pid, from.comm, to.pid, to.comm, String(30_000 + Number(from.pid)), '80'];
    yield {
      time: timeOf(random, i, COUNTS.messages),
      type: 'send',
      datum: [...datum, String(random.integer(65_536))],
    };
  }
}
