import { monotonicNow } from '../../common/clock.ts';
import { UnavailableError } from '../../common/errors.ts';
import { TraceInstance } from '../ftrace/instance.ts';

/** Trace clocks that count time (Documentation/trace/ftrace.rst, trace_clock); the others count events or cycles. */
const TIME_CLOCKS = ['local', 'global', 'uptime', 'perf', 'mono', 'mono_raw', 'boot', 'tai'];
const TRIES = 5;

/**
 * Converts times of a trace clock to CLOCK_MONOTONIC. The difference is measured: the time now in a trace instance
 * with that clock, between two looks at CLOCK_MONOTONIC, the closest of some tries.
 */
export class TraceClock {
  readonly #instance: TraceInstance;
  #offset = 0n;
  /** How far off a converted time can be, nanoseconds: the widest measurement, and the microseconds of the trace. */
  uncertainty = 0;

  private constructor(instance: TraceInstance) {
    this.#instance = instance;
    this.measure();
  }

  /** @throws UnavailableError where the clock `name` does not count time. */
  static async of(name: string): Promise<TraceClock> {
    if (!TIME_CLOCKS.includes(name)) {
      throw new UnavailableError(
        `the clock of the global trace is ${name}, which does not count time`,
        'echo mono | sudo tee /sys/kernel/tracing/trace_clock',
      );
    }
    const instance = await TraceInstance.create('iosnoop_clock');
    instance.write('trace_clock', name);
    return new TraceClock(instance);
  }

  /** Measures anew: the two clocks can run at slightly different speeds. */
  measure(): void {
    let closest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < TRIES; i++) {
      const before = monotonicNow();
      const stats = this.#instance.read('per_cpu/cpu0/stats');
      const after = monotonicNow();
      const [, seconds, micros] = /^now ts: *(\d+)\.(\d{6})/mu.exec(stats) ?? [];
      if (seconds === undefined || Number(after - before) >= closest) continue;
      closest = Number(after - before);
      // Half a microsecond: the printed time is cut.
      const now = BigInt(seconds) * 1_000_000_000n + BigInt(micros as string) * 1000n + 500n;
      this.#offset = (before + after) / 2n - now;
    }
    this.uncertainty = Math.max(this.uncertainty, Math.round(closest / 2) + 1000);
  }

  /** CLOCK_MONOTONIC in nanoseconds of a time of the trace in nanoseconds. */
  monotonic(time: number): bigint {
    return BigInt(time) + this.#offset;
  }

  close(): void {
    this.#instance.remove();
  }
}
