import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import * as z from 'zod';
import { monotonicNow, secondsSinceOrigin } from '../common/clock.ts';
import type { Datapoint } from '../common/datatypes.ts';
import { errorCode, errorMessage, UnavailableError } from '../common/errors.ts';
import type { Batch, SectionSpec } from '../common/section.ts';
import { rounded } from '../common/util/rounded.ts';
import { parseDiskstats } from '../formats/diskstats.ts';
import { Collecter, type CollecterDescription, type Probe } from './collecter.ts';
import { ticksPerSecond } from './proc/auxv.ts';
import { readDiskstats } from './proc/block-devices.ts';
import {
  isStackedDisk,
  isStackedInterface,
  isWholeDisk,
  PRESSURE,
  parseCpuTimes,
  parseNetDev,
  readMemory,
  readPressure,
  type Sample,
  Stacked,
} from './proc/counters.ts';
import { Rates } from './proc/rates.ts';
import { elapsed, pause } from './waiting.ts';

/** The quantities, each a section of its own, in the order of the sections. */
const QUANTITIES = ['cpu', 'memory', 'swap', 'disk', 'requests', 'network', 'pressure'] as const;
type Quantity = (typeof QUANTITIES)[number];

const optionsSchema = z.strictObject({
  /** Seconds between two readings. */
  interval: z.coerce.number().min(0.05).max(86_400).default(1),
  /** Which quantities are read; the sections of the others stay empty. */
  quantities: z
    .string()
    .default(QUANTITIES.join(','))
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(z.enum(QUANTITIES)).min(1)),
});

export type SystemOptions = z.infer<typeof optionsSchema>;

function section(label: string, unit: string, ...fields: readonly string[]): SectionSpec {
  return { datatype: 'datapoint', x: { label: 'time', unit: 's' }, y: { label, unit }, fields };
}

/** The first field is what a stack plot tells layers by: in each section they add up to something. */
const SECTIONS: Readonly<Record<Quantity, SectionSpec>> = {
  cpu: section('CPU time', 'CPUs', 'mode', 'cpu'),
  memory: section('memory', 'MiB', 'use'),
  swap: section('swap', 'MiB', 'use'),
  disk: section('disk throughput', 'MiB/s', 'device', 'direction'),
  requests: section('disk requests', '1/s', 'device', 'direction'),
  network: section('network throughput', 'MiB/s', 'interface', 'direction'),
  pressure: section('time waited', '%', 'resource', 'waiting'),
};

const MIB = 2 ** 20;

/** The shortest time that a rate is taken over at the end of a run: a CPU's time comes in ticks of 10 ms. */
const SHORTEST = 0.1;

/**
 * What the whole machine does: CPU time by mode, memory by use, disks, network and pressure, read from /proc at an
 * interval. A rate is the mean over the time since the reading before, so the first reading gives none; x is the moment
 * of the reading. What has never counted anything since boot (a mode, a device) is left out.
 */
export class System extends Collecter<SystemOptions> {
  static readonly description: CollecterDescription<SystemOptions> = {
    interface: 'system',
    area: 'system',
    kind: 'counters',
    isDefaultKind: true,
    summary: 'the whole machine over time: CPU, memory, disks, network, pressure',
    sections: Object.values(SECTIONS),
    options: optionsSchema,
    tools: [{ name: 'proc', probe }],
  };

  readonly #sources = sources();

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    const { interval } = run.options;
    run.report.tool({ name: run.tool, version: run.toolVersion, command: this.#wanted().map(({ path }) => path) });
    run.report.option('interval', interval);
    run.report.option('covers', 'the whole machine');
    const start = monotonicNow();
    let last = start;
    yield* this.#read();
    run.started();
    try {
      for (let number = 1; !run.stop.aborted; number++) {
        await pause(number * interval - elapsed(start), run.stop);
        // A reading that came too late for the next one takes its place.
        number = Math.max(number, Math.floor(elapsed(start) / interval));
        if (run.stop.aborted && elapsed(last) < Math.min(SHORTEST, interval / 2)) break;
        last = monotonicNow();
        yield* this.#read();
      }
    } finally {
      this.#conclude();
    }
  }

  /** The sources that are asked for and have not failed. */
  #wanted(): Source[] {
    const { quantities } = this.run.options;
    return this.#sources.filter((source) => source.gives.some((quantity) => quantities.includes(quantity)));
  }

  /** One reading of everything. */
  *#read(): Iterable<Batch> {
    for (const source of this.#wanted()) {
      const at = monotonicNow();
      const samples = this.#samples(source);
      const x = rounded(secondsSinceOrigin(this.run.clock, at), 6);
      for (const [i, quantity] of source.gives.entries()) {
        if (!this.run.options.quantities.includes(quantity)) continue;
        const records = points(x, source.convert[i]!(samples[i] ?? [], at));
        if (records.length > 0) yield { section: QUANTITIES.indexOf(quantity), records };
      }
    }
  }

  /** What a source gives. One that cannot be read is said and left out from then on. */
  #samples(source: Source): Sample[][] {
    try {
      return source.read();
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      this.#sources.splice(this.#sources.indexOf(source), 1);
      this.run.report.warn(`no ${source.gives.join(' and ')}: ${source.why(error)}`);
      if (this.#wanted().length === 0) throw new UnavailableError(`nothing can be read: ${errorMessage(error)}`);
      return [];
    }
  }

  #conclude(): void {
    const { report } = this.run;
    const stacked = this.#sources.flatMap((source) => [...(source.stacked?.found ?? [])]);
    if (stacked.length > 0) {
      report.note(
        `left out, since what goes through them goes through other devices that are here: ${stacked.join(', ')}`,
      );
    }
    const reset = new Set(this.#sources.flatMap(({ rates }) => rates.flatMap((one) => [...one.reset])));
    if (reset.size > 0)
      report.note(`began to count anew, so that one interval of each is missing: ${[...reset].join(', ')}`);
  }
}

/** One file, or folder, of counters, and what is made of it. */
interface Source {
  readonly path: string;
  /** What it tells, and how the samples of each become y. */
  readonly gives: readonly Quantity[];
  readonly convert: readonly ((samples: readonly Sample[], at: bigint) => Sample[])[];
  readonly rates: readonly Rates[];
  readonly stacked?: Stacked;
  /** The samples of each quantity. @throws the system's error */
  read(): Sample[][];
  /** Why it cannot be read. */
  why(error: unknown): string;
}

function sources(): Source[] {
  const rated = (...rates: readonly Rates[]) => ({
    rates,
    convert: rates.map((one) => (samples: readonly Sample[], at: bigint) => one.add(samples, at)),
    why: errorMessage,
  });
  const mib = (samples: readonly Sample[]): Sample[] =>
    samples.map(({ info, value }) => ({ info, value: value / 1024 }));
  const disks = new Stacked(isStackedDisk);
  const interfaces = new Stacked(isStackedInterface);
  return [
    {
      path: '/proc/stat',
      gives: ['cpu'],
      // Time waited for I/O, and time idle, can go back a little (proc_stat(5)).
      ...rated(new Rates(1 / ticksPerSecond(), 'steady')),
      read: () => [parseCpuTimes(readFileSync('/proc/stat', 'latin1'))],
    },
    {
      path: '/proc/meminfo',
      gives: ['memory', 'swap'],
      convert: [mib, mib],
      rates: [],
      why: errorMessage,
      read: readMemory,
    },
    {
      path: '/proc/diskstats',
      gives: ['disk', 'requests'],
      ...rated(new Rates(512 / MIB, 'device'), new Rates(1, 'device')),
      stacked: disks,
      read: () => {
        const devices = [...parseDiskstats(readDiskstats()).values()].filter(({ name }) => isWholeDisk(name));
        const counters = disks.without(devices);
        const samples = (of: 'sectors' | 'requests'): Sample[] =>
          counters.flatMap(({ name, read, write }) => [
            { info: [name, 'read'], value: read[of] },
            { info: [name, 'write'], value: write[of] },
          ]);
        return [samples('sectors'), samples('requests')];
      },
    },
    {
      path: '/proc/net/dev',
      gives: ['network'],
      ...rated(new Rates(1 / MIB, 'device')),
      stacked: interfaces,
      read: () => [
        interfaces.without(parseNetDev(readFileSync('/proc/net/dev'))).flatMap(({ name, received, sent }) => [
          { info: [name, 'received'], value: received },
          { info: [name, 'sent'], value: sent },
        ]),
      ],
    },
    {
      path: PRESSURE,
      gives: ['pressure'],
      ...rated(new Rates(100 / 1e6, 'steady')),
      read: () => [readPressure()],
      why: (error) =>
        `this kernel does not measure it (${errorMessage(error)}); where it can, the boot parameter psi=1 helps`,
    },
  ];
}

function points(x: number, samples: readonly Sample[]): Datapoint[] {
  return samples.map(({ info, value }) => ({ x, y: value, info }));
}

async function probe(): Promise<Probe> {
  try {
    readFileSync('/proc/stat');
  } catch (error) {
    return { usable: false, why: `/proc/stat cannot be read: ${errorMessage(error)}` };
  }
  return { usable: true, version: release() };
}
