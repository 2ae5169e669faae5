import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { SectionHeader } from '../../src/common/header.ts';
import type { DataFile } from '../../src/common/reader.ts';
import { openAll } from '../../src/formats/open-all.ts';
import { headerOf, type TestSection, tempFolder, writeFile } from './data-files.ts';

export interface TestHost {
  readonly node?: string;
  readonly host?: string;
  /** Milliseconds after 2026-03-01T09:30:00Z by the host's clock: the origin of its times. */
  readonly origin: number;
  /** How far its clock is before that of the machine that collected, and how well that is known; nanoseconds. */
  readonly offset?: { readonly start: number; readonly end?: number; readonly uncertainty?: number };
  readonly seconds?: number;
  readonly sections: readonly TestSection[];
}

const ZERO = Date.parse('2026-03-01T09:30:00.000Z');

/** The sections of a host with headers that say whose they are, and when. */
export function hostSections({ node, host, origin, offset, seconds = 10, sections }: TestHost): TestSection[] {
  const start = new Date(ZERO + origin).toISOString();
  const uncertainty_ns = offset?.uncertainty ?? 1000;
  const about: Partial<SectionHeader> = {
    start,
    end: new Date(ZERO + origin + 1000 * seconds).toISOString(),
    clock: { name: 'CLOCK_MONOTONIC', origin: '123', realtime: start },
    ...(node === undefined ? {} : { node }),
    ...(host === undefined ? {} : { host }),
    ...(offset === undefined
      ? {}
      : {
          clock_offset: {
            reference: 'laptop',
            start: { ns: offset.start, uncertainty_ns },
            ...(offset.end === undefined ? {} : { end: { ns: offset.end, uncertainty_ns } }),
          },
        }),
  };
  return sections.map(({ header, records }) => ({ header: { ...header, ...about }, records }));
}

/** A folder with a file for each host, `0.marple` and so on, which goes with the test. */
export async function writeHosts(hosts: readonly TestHost[], folder = join(tempFolder(), 'fleet')): Promise<string> {
  mkdirSync(folder, { recursive: true });
  for (const [i, host] of hosts.entries()) {
    await writeFile(join(folder, `${host.node ?? i}.marple`), hostSections(host));
  }
  return folder;
}

export async function openHosts(hosts: readonly TestHost[]): Promise<readonly DataFile[]> {
  const data = await openAll([await writeHosts(hosts)], tempFolder());
  onTestFinished(() => data.close());
  return data.files;
}

const SECONDS = { label: 'time', unit: 's' };

/** Two processes of the same numbers on every host: 1 runs from the first to the second time (milliseconds), then 2 to the third. */
export function scheduling(...[first, second, third]: readonly [number, number, number]): TestSection {
  const event = (ms: number, from: string, to: string) => ({
    time: ms * 1e6,
    type: 'switch',
    datum: ['0', from, from === '0' ? 'swapper/0' : `task${from}`, to, to === '0' ? 'swapper/0' : `task${to}`, 'S'],
  });
  return {
    header: headerOf('event', {
      interface: 'cpusched',
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      cpus: 1,
      scope: { system_wide: true },
    }),
    records: [event(first, '0', '1'), event(second, '1', '2'), event(third, '2', '0')],
  };
}

/** Stacks with samples that name them: `weights` of `main;f0`, `main;f1` and so on, one sample each millisecond. */
export function samples(weights: readonly number[], comm = 'app'): TestSection[] {
  let time = 0;
  return [
    {
      header: headerOf('stack', { interface: 'callstack', weight: { label: 'samples', unit: 'samples' } }),
      records: weights.map((weight, i) => ({ weight, stack: [comm, 'main', `f${i}`] })),
    },
    {
      header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: weights.flatMap((weight, i) =>
        Array.from({ length: weight }, () => {
          time += 1e6;
          return { time, type: 'cpu-clock', datum: [String(i), '0', '1', '1', '1'] };
        }),
      ),
    },
  ];
}

/** I/Os of a process 1, one each millisecond, of the given latencies. */
export function disk(latencies: readonly number[], comm = 'app'): TestSection {
  return {
    header: headerOf('datapoint', {
      interface: 'disklat',
      x: SECONDS,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid'],
    }),
    records: latencies.map((y, i) => ({ x: (i + 1) / 1000, y, info: [comm, '1'] })),
  };
}

/** The memory of a process 1, MiB, at some times, seconds. */
export function memory(points: readonly (readonly [x: number, y: number])[], comm = 'app'): TestSection {
  return {
    header: headerOf('datapoint', {
      interface: 'memtime',
      x: SECONDS,
      y: { label: 'PSS', unit: 'MiB' },
      fields: ['comm', 'pid'],
    }),
    records: points.map(([x, y]) => ({ x, y, info: [comm, '1'] })),
  };
}
