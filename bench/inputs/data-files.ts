import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../src/analysis/random.ts';
import type { Datapoint, EventData, MarpleRecord, StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { DataFileWriter } from '../../src/common/writer.ts';
import type { Inputs } from '../inputs.ts';

/*
 * MARPLE's own files, generated: the same each time. The records are like those of a busy server.
 */

/** A section, and what makes its records one by one. */
export interface Generated {
  readonly header: Partial<SectionHeader> & Pick<SectionHeader, 'interface' | 'datatype'>;
  readonly records: Iterable<MarpleRecord>;
}

/** I/Os of a disk in the order of their times. */
export function pointFile(inputs: Inputs, count: number): Promise<string> {
  return inputs.get(`points-${count}.marple`, (path) => writeSections(path, [diskPoints(count)]));
}

/** Switches and wakeups on four CPUs. */
export function eventFile(inputs: Inputs, count: number): Promise<string> {
  return inputs.get(`events-${count}.marple`, (path) => writeSections(path, [schedulerEvents(count)]));
}

/** Stacks, samples of them, scheduler events, I/Os and memory over time: five sections, about 2 GB for a count of 10 million. */
export function mixedFile(inputs: Inputs, count: number): Promise<string> {
  return inputs.get(`mixed-${count}.marple`, (path) =>
    writeSections(path, [
      { header: { interface: 'callstack', datatype: 'stack', weight: SAMPLES }, records: stacks(count / 50) },
      samples(count, count / 50),
      schedulerEvents(count),
      diskPoints(count),
      memoryPoints(count),
    ]),
  );
}

const SAMPLES = { label: 'samples', unit: 'samples' };
const SECONDS = { label: 'time', unit: 's' };
const START = '2026-01-01T00:00:00.000Z';

export async function writeSections(path: string, sections: readonly Generated[]): Promise<void> {
  const tempDir = await mkdtemp(join(tmpdir(), 'marple-bench-'));
  const writer = await DataFileWriter.create(path, { force: true, tempDir });
  for (const [order, { header, records }] of sections.entries()) {
    const section = writer.section({ ...COMMON, ...header }, order);
    for (const batch of batches(records)) await section.write(batch);
  }
  await writer.finish();
  await rm(tempDir, { recursive: true });
}

const COMMON = {
  marple: 1,
  start: START,
  end: '2026-01-01T00:16:40.000Z',
  clock: { name: 'CLOCK_MONOTONIC', origin: '0', realtime: START },
  cpus: 4,
};

/** Records are made and thrown away by the million. */
function* batches(records: Iterable<MarpleRecord>): Generator<readonly MarpleRecord[]> {
  let batch: MarpleRecord[] = [];
  for (const record of records) {
    if (batch.push(record) < 4096) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

const PROGRAMS = [
  'nginx',
  'postgres',
  'node',
  'redis-server',
  'java',
  'kworker/0:1',
  'kworker/u8:3',
  'sshd',
  'cc1plus',
  'ld',
];

interface Task {
  readonly pid: string;
  readonly comm: string;
}

function makeTasks(count: number): Task[] {
  return Array.from({ length: count }, (_, i) => ({ pid: String(1000 + 7 * i), comm: PROGRAMS[i % PROGRAMS.length]! }));
}

function diskPoints(count: number): Generated {
  return {
    header: {
      interface: 'disklat',
      datatype: 'datapoint',
      x: SECONDS,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
    },
    records: makePoints(count),
  };
}

function* makePoints(count: number): Generator<Datapoint> {
  const random = new Random(1);
  const tasks = makeTasks(200);
  const step = 1e12 / count;
  for (let i = 0; i < count; i++) {
    const { comm, pid } = tasks[random.integer(tasks.length)]!;
    const isWrite = random.uniform() < 0.3;
    // Most I/Os by a cache or a fast disk, some behind a queue.
    const middle = isWrite ? 0.8 : 0.15;
    const latency = Math.round(middle * 1e6 * Math.exp(0.7 * random.normal()) * (random.uniform() < 0.02 ? 12 : 1));
    const time = Math.floor((i + random.uniform()) * step);
    const sector = String(8 * random.integer(2 ** 24));
    const bytes = String(4096 * (1 + random.integer(32)));
    yield {
      x: time / 1e9,
      y: latency / 1e6,
      info: [comm, pid, pid, isWrite ? 'W' : 'R', 'nvme0n1', sector, bytes, ''],
    };
  }
}

function schedulerEvents(count: number): Generated {
  return {
    header: {
      interface: 'cpusched',
      datatype: 'event',
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
    },
    records: makeEvents(count),
  };
}

/** Every task that sleeps is woken, by who runs on some CPU, and then comes to run: two events each. */
function* makeEvents(count: number): Generator<EventData> {
  const random = new Random(2);
  const tasks = makeTasks(400);
  const running = tasks.splice(0, 4);
  const step = 1e12 / count;
  for (let i = 0; i < count; i++) {
    const time = Math.floor((i + random.uniform()) * step);
    const cpu = random.integer(4);
    const leaver = running[cpu]!;
    const place = (i >> 1) % tasks.length;
    const comer = tasks[place]!;
    const datum = [String(cpu), leaver.pid, leaver.comm, comer.pid, comer.comm];
    if (i % 2 === 0) {
      yield { time, type: 'wakeup', datum: [...datum, `>${random.integer(4)}`] };
    } else {
      yield { time, type: 'switch', datum: [...datum, random.uniform() < 0.2 ? 'R' : 'S'] };
      running[cpu] = comer;
      tasks[place] = leaver;
    }
  }
}

function* stacks(count: number): Generator<StackData> {
  const random = new Random(3);
  for (let i = 0; i < count; i++) {
    const frames = Array.from(
      { length: 5 + random.integer(30) },
      (_, depth) => `function_${depth}_${random.integer(4)}`,
    );
    yield { weight: 1 + random.integer(100), stack: [PROGRAMS[i % PROGRAMS.length]!, ...frames] };
  }
}

function samples(count: number, stackCount: number): Generated {
  return {
    header: { interface: 'callstack', datatype: 'event', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] },
    records: makeSamples(count, stackCount),
  };
}

function* makeSamples(count: number, stackCount: number): Generator<EventData> {
  const random = new Random(4);
  const step = 1e12 / count;
  for (let i = 0; i < count; i++) {
    const stack = random.integer(stackCount);
    const pid = String(1000 + (stack % 200));
    const datum = [String(stack), String(random.integer(4)), pid, pid, '1'];
    yield { time: Math.floor((i + random.uniform()) * step), type: 'cycles', datum };
  }
}

function memoryPoints(count: number): Generated {
  return {
    header: {
      interface: 'memtime',
      datatype: 'datapoint',
      x: SECONDS,
      y: { label: 'memory', unit: 'MiB' },
      fields: ['comm', 'pid'],
    },
    records: makeMemory(count),
  };
}

/** Every task in every sweep. */
function* makeMemory(count: number): Generator<Datapoint> {
  const random = new Random(5);
  const tasks = makeTasks(400).map((task) => ({ ...task, mib: 1 + 200 * random.uniform() }));
  const step = (1000 * tasks.length) / count;
  for (let i = 0; i < count; i++) {
    const task = tasks[i % tasks.length]!;
    task.mib = Math.max(0.5, task.mib + random.normal());
    const time = Math.floor(i / tasks.length) * step;
    yield { x: Math.round(time * 1e9) / 1e9, y: Math.round(task.mib * 1024) / 1024, info: [task.comm, task.pid] };
  }
}
