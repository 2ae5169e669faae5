import * as z from 'zod';
import { monotonicNow, secondsSinceOrigin } from '../common/clock.ts';
import type { Datapoint } from '../common/datatypes.ts';
import { EXIT, MarpleError, UnavailableError } from '../common/errors.ts';
import { ScopeFilter } from '../common/scope.ts';
import type { Batch } from '../common/section.ts';
import { rounded } from '../common/util/rounded.ts';
import { Collecter, type CollecterDescription } from './collecter.ts';
import { hasMemory, type LiveProcess, ProcessTable } from './proc/process-table.ts';
import { PROC_PSS, type PssReading, sweepPss } from './proc/pss.ts';
import { Slices } from './proc/slices.ts';
import { parseSmem, SMEM, SMEM_COMMAND, startSmem } from './smem/smem.ts';
import { commandStarted, elapsed, pause } from './waiting.ts';

const optionsSchema = z.strictObject({
  /** Seconds between the starts of two sweeps. */
  interval: z.coerce.number().min(0.01).max(86_400).default(0.5),
  /** Percent of one core that the sweeps may take; the interval is stretched to keep to it. */
  budget: z.coerce.number().positive().max(100).default(5),
});

export type MemTimeOptions = z.infer<typeof optionsSchema>;

/**
 * PSS of every process over time: one datapoint per process, sweep and PSS above 0, all of a sweep with the x of its
 * start. PSS shares a page among the processes that map it, so the values of a sweep add up to what is really used.
 * Reading it takes the process's mmap lock for reading (once per process with smaps_rollup, once per mapping with
 * smem): cheap, but a process that maps or faults in memory just then waits for it.
 */
export class MemTime extends Collecter<MemTimeOptions> {
  static readonly description: CollecterDescription<MemTimeOptions> = {
    interface: 'memtime',
    area: 'mem',
    kind: 'usage',
    isDefaultKind: true,
    summary: 'memory of each process over time (PSS)',
    sections: [
      {
        datatype: 'datapoint',
        x: { label: 'time', unit: 's' },
        y: { label: 'PSS', unit: 'MiB' },
        fields: ['comm', 'pid'],
      },
    ],
    options: optionsSchema,
    tools: [PROC_PSS, SMEM],
  };

  readonly #table = new ProcessTable();
  readonly #slices = new Slices();
  /** Processes that could not be measured. */
  readonly #denied = new Set<number>();
  /** Whether smem has shown a process. */
  #hasRows = false;

  override async *collect(): AsyncIterable<Batch> {
    const { run } = this;
    const { report, stop } = run;
    const command = run.tool === 'smem' ? SMEM_COMMAND : ['/proc/PID/smaps_rollup'];
    report.tool({ name: run.tool, version: run.toolVersion, command });
    run.started();
    await commandStarted(run);
    const pace = new Pace(run.options);
    try {
      for (let ending = false; !ending; ) {
        ending = stop.aborted;
        const start = monotonicNow();
        const readings = await this.#sweep();
        if (readings.length > 0) yield { section: 0, records: points(secondsSinceOrigin(run.clock, start), readings) };
        const gap = pace.next(this.#slices.cost(), readings.length);
        await pause(gap - elapsed(start), stop);
        // At the stop there is one sweep more, unless the last one has only just been.
        if (stop.aborted && elapsed(start) < gap / 2) break;
      }
    } finally {
      this.#conclude(pace);
    }
  }

  async #sweep(): Promise<PssReading[]> {
    this.#slices.reset();
    const readings = await (this.run.tool === 'smem' ? this.#sweepSmem() : this.#sweepProc());
    if (readings.length === 0 && this.run.tool === 'smem' && !this.#hasRows) {
      throw new MarpleError(
        'smem printed nothing that can be read',
        EXIT.someFailed,
        'read /proc directly: marple collect --tool memtime=proc memtime',
      );
    }
    if (readings.length === 0 && this.#denied.size > 0 && this.run.scope.root === undefined) {
      throw new UnavailableError(
        'no process could be measured: its memory may be read by root or its owner only',
        'run the same command with sudo',
      );
    }
    return readings;
  }

  async #sweepProc(): Promise<PssReading[]> {
    await this.#table.update(this.#slices);
    return sweepPss(this.#table, this.#filter(), this.#slices, this.#denied);
  }

  async #sweepSmem(): Promise<PssReading[]> {
    const { report, stop } = this.run;
    const smem = startSmem(stop);
    // The table is updated while smem runs, which is thereby known for a tool of MARPLE's, and again when it has ended,
    // for the processes that it may have seen and that the first update could not.
    await this.#table.update(this.#slices);
    const first = this.#judged();
    const lines = await this.#slices.aside(smem.lines);
    if (lines === undefined) {
      report.warn('the last run of smem was ended before it had printed anything');
      return [];
    }
    await this.#table.update(this.#slices);
    const last = this.#judged();
    const filter = this.#filter();
    const listed = new Set<number>();
    const readings: PssReading[] = [];
    for (const { pid, pss, name } of parseSmem(lines, (line) => report.skipped(line))) {
      listed.add(pid);
      const known = first.get(pid) ?? last.get(pid);
      // smem's names are cut and can be `?`: those of the table are whole.
      const comm = known?.process.stat.comm ?? name;
      if (pss > 0 && (known?.kept ?? filter.keeps(pid, comm))) readings.push({ pid, comm, kilobytes: pss });
    }
    this.#hasRows ||= listed.size > 0;
    for (const [pid, { kept, process }] of first) {
      const now = last.get(pid);
      if (kept && now?.kept === true && now.process === process && !listed.has(pid)) this.#denied.add(pid);
    }
    return readings;
  }

  /** Every process of the table, with whether it is in scope and can have memory. */
  #judged(): Map<number, { readonly process: LiveProcess; readonly kept: boolean }> {
    const filter = this.#filter();
    const judged = new Map<number, { readonly process: LiveProcess; readonly kept: boolean }>();
    for (const process of this.#table.processes()) {
      judged.set(process.pid, { process, kept: hasMemory(process) && filter.keeps(process.pid, process.stat.comm) });
    }
    return judged;
  }

  #filter(): ScopeFilter {
    return new ScopeFilter(this.run.scope, this.#table);
  }

  #conclude(pace: Pace): void {
    const { report, options, tool } = this.run;
    report.option('interval', pace.effective);
    report.option('requested_interval', options.interval);
    report.option('budget', options.budget);
    const stretched = pace.warning(tool);
    if (stretched !== undefined) report.warn(stretched);
    if (this.#denied.size > 0) report.warn(deniedWarning(this.#denied.size, tool));
  }
}

function deniedWarning(count: number, tool: string): string {
  const who = count === 1 ? '1 process was' : `${count} processes were`;
  const by = tool === 'smem' ? ' by smem (which also skips those without a command line)' : '';
  const why =
    process.geteuid?.() === 0
      ? 'even root may not read their memory maps here: MARPLE lacks CAP_SYS_PTRACE, or a security module forbids it'
      : 'their memory maps may be read by root or their owner only; run the same command with sudo';
  return `${who} left out${by}: ${why}`;
}

/** When the next sweep is due: the interval that was asked for, or what keeps the cost of sweeps within the budget. */
class Pace {
  #sweeps = 0;
  #gaps = 0;
  #cost = 0;
  #processes = 0;

  constructor(readonly options: MemTimeOptions) {}

  /** Seconds from the start of the sweep that has cost so many CPU seconds to the start of the next. */
  next(cost: number, processes: number): number {
    const gap = Math.max(this.options.interval, cost / (this.options.budget / 100));
    this.#sweeps++;
    this.#gaps += gap;
    this.#cost += cost;
    this.#processes = Math.max(this.#processes, processes);
    return gap;
  }

  /** Seconds between sweeps, on average. */
  get effective(): number {
    return this.#sweeps === 0 ? this.options.interval : rounded(this.#gaps / this.#sweeps, 3);
  }

  /** One sentence where the interval became more than a tenth longer than was asked for. */
  warning(tool: string): string | undefined {
    const { interval, budget } = this.options;
    if (this.effective <= 1.1 * interval) return undefined;
    const cost = rounded((this.#cost / this.#sweeps) * 1000, 1);
    return (
      `the interval was stretched from ${interval} s to ${this.effective} s on average: a sweep with ${tool} ` +
      `(up to ${this.#processes} processes) took ${cost} ms, and sweeps may take ${budget} % of a core ` +
      '(budget in [memtime] of config.txt)'
    );
  }
}

function points(x: number, readings: readonly PssReading[]): Datapoint[] {
  const time = rounded(x, 6);
  return readings.map(({ pid, comm, kilobytes }) => ({
    x: time,
    // Four decimals tell every kB from the next.
    y: rounded(kilobytes / 1024, 4),
    info: [comm, String(pid)],
  }));
}
