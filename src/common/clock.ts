/** CLOCK_MONOTONIC at the start of a run: the origin of all times of a file. */
export interface RunClock {
  /** CLOCK_MONOTONIC at the origin, nanoseconds. */
  readonly origin: bigint;
  /** Wall-clock time at the origin, milliseconds since the Unix epoch. */
  readonly realtime: number;
}

/** CLOCK_MONOTONIC now, nanoseconds (Node's process.hrtime reads this clock, see uv_hrtime in libuv). */
export function monotonicNow(): bigint {
  return process.hrtime.bigint();
}

/** A wall clock that does not tick within so many nanoseconds stands still. */
const LONGEST_TICK = 5_000_000n;

/**
 * Takes the origin of a run. The wall clock ticks in milliseconds here, so the pair is read right after a tick (at most
 * 1 ms of waiting): the two agree to some microseconds.
 */
export function startClock(): RunClock {
  const before = Date.now();
  const deadline = monotonicNow() + LONGEST_TICK;
  let realtime = Date.now();
  while (realtime === before && monotonicNow() < deadline) realtime = Date.now();
  return { origin: monotonicNow(), realtime };
}

/** Nanoseconds since the origin, as an exact number (2^53 ns are 104 days). */
export function sinceOrigin(clock: RunClock, monotonic: bigint): number {
  return Number(monotonic - clock.origin);
}

/** Seconds since the origin. */
export function secondsSinceOrigin(clock: RunClock, monotonic: bigint): number {
  return sinceOrigin(clock, monotonic) / 1e9;
}

/** What the wall clock showed at an instant of CLOCK_MONOTONIC; both in nanoseconds. */
export interface WallClock {
  readonly monotonic: bigint;
  readonly realtime: bigint;
  /** How far off the pair can be: what passed between the readings around the tick. Nanoseconds. */
  readonly error: number;
}

/**
 * Reads the wall clock to some microseconds, from a tick of its milliseconds (1 ms of waiting at most). Where the process was
 * put off at that moment, `error` says by how much.
 */
export function readWallClock(): WallClock {
  const first = Date.now();
  const deadline = monotonicNow() + LONGEST_TICK;
  for (let before = monotonicNow(); ; ) {
    const now = Date.now();
    const after = monotonicNow();
    if (now !== first || after > deadline) {
      const error = Number(after - before);
      return { monotonic: before + BigInt(Math.trunc(error / 2)), realtime: BigInt(now) * 1_000_000n, error };
    }
    // The tick comes behind this reading.
    before = after;
  }
}

/** What a wall clock that was read shows at another instant of CLOCK_MONOTONIC, nanoseconds. */
export function wallTimeAt({ monotonic, realtime }: WallClock, instant: bigint): bigint {
  return realtime + (instant - monotonic);
}
