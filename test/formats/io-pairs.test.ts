import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlockIo, IoPairs, type IssuedIo, type PairCounts } from '../../src/formats/io-pairs.ts';
import type { Maker } from '../../src/formats/waiting-requests.ts';

const DEV = 254 * 2 ** 20;
/** A flush completes at sector -1, unsigned. */
const NOWHERE = 2 ** 64;

type Step =
  | { readonly do: 'issue'; readonly time: number; readonly io: Partial<IssuedIo> }
  | {
      readonly do: 'complete';
      readonly time: number;
      readonly dev: number;
      readonly sector: number;
      readonly sectors: number;
      readonly op: string;
      readonly failed?: boolean;
    }
  | {
      readonly do: 'requeue';
      readonly time: number;
      readonly dev: number;
      readonly sector: number;
      readonly sectors: number;
      readonly op: string;
    }
  | { readonly do: 'gap'; readonly time: number }
  | { readonly do: 'gapEnd'; readonly time: number };

function issuedIo(time: number, io: Partial<IssuedIo>): IssuedIo {
  const sectors = io.sectors ?? 8;
  return {
    issued: time,
    dev: DEV,
    sector: 0,
    sectors,
    bytes: sectors * 512,
    op: 'R',
    comm: 'fio',
    tid: 7,
    pid: 7,
    kept: true,
    ...io,
  };
}

function feed(pairs: IoPairs, steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.do === 'issue') {
      const io = issuedIo(step.time, step.io);
      pairs.issue(io, io);
    } else if (step.do === 'complete')
      pairs.complete(step.time, step.dev, step.sector, step.sectors, step.op, step.failed ?? false);
    else if (step.do === 'requeue') pairs.requeue(step);
    else if (step.do === 'gap') pairs.gapStart();
    else pairs.gapEnd(step.time);
  }
}

function paired(steps: readonly Step[], window?: number): { ios: BlockIo[]; counts: PairCounts; pairs: IoPairs } {
  const pairs = new IoPairs(window);
  feed(pairs, steps);
  pairs.finish();
  return { ios: pairs.take(), counts: pairs.counts, pairs };
}

const issue = (time: number, io: Partial<IssuedIo> = {}): Step => ({ do: 'issue', time, io });
const complete = (time: number, sector = 0, sectors = 8, op = 'R', failed = false): Step => ({
  do: 'complete',
  time,
  dev: DEV,
  sector,
  sectors,
  op,
  failed,
});
const requeue = (time: number, sector = 0, sectors = 8, op = 'R'): Step => ({
  do: 'requeue',
  time,
  dev: DEV,
  sector,
  sectors,
  op,
});
const NONE: PairCounts = {
  before: 0,
  after: 0,
  unissued: 0,
  uncompleted: 0,
  inGap: 0,
  negative: 0,
  passthrough: 0,
  overlapping: 0,
  failed: 0,
  requeued: 0,
};
const spans = (ios: readonly BlockIo[]): [number, number][] => ios.map(({ issued, completed }) => [issued, completed]);

describe('what the kernel does with a request', () => {
  test('issue and completion are joined by device, sector and direction', () => {
    const { ios, counts } = paired([
      issue(1, { sector: 8, op: 'R' }),
      issue(2, { sector: 8, op: 'WS' }),
      issue(3, { sector: 8, op: 'R', dev: DEV + 1 }),
      issue(4, { sector: 16, op: 'R' }),
      complete(10, 16),
      complete(11, 8, 8, 'WS'),
      { do: 'complete', time: 12, dev: DEV + 1, sector: 8, sectors: 8, op: 'R' },
      complete(13, 8),
    ]);
    expect(spans(ios)).toEqual([
      [1, 13],
      [2, 11],
      [3, 12],
      [4, 10],
    ]);
    expect(counts).toEqual(NONE);
  });

  test('one that completes in parts ends with its last part', () => {
    const steps = [issue(1, { sectors: 24 }), complete(5, 0, 8), complete(6, 8, 8), complete(9, 16, 8)];
    const { ios, counts, pairs } = paired(steps);
    expect(ios).toMatchObject([{ issued: 1, completed: 9, sector: 0, sectors: 24, bytes: 24 * 512 }]);
    expect(counts).toEqual(NONE);
    expect(pairs.completions.get(DEV)).toBe(1);
  });

  test('one that goes back to its queue counts from when it is issued again', () => {
    const { ios, counts } = paired([issue(1), requeue(2), issue(5), complete(9)]);
    expect(spans(ios)).toEqual([[5, 9]]);
    expect(counts).toEqual({ ...NONE, requeued: 1 });
  });

  test('one that goes back when a part of it had completed counts from the beginning', () => {
    const steps = [
      issue(1, { sectors: 24 }),
      complete(2, 0, 8),
      requeue(3, 8, 16),
      issue(5, { sector: 8, sectors: 16 }),
      complete(9, 8, 16),
    ];
    const { ios, counts } = paired(steps);
    expect(ios).toMatchObject([{ issued: 1, completed: 9, sectors: 24 }]);
    expect(counts).toEqual({ ...NONE, requeued: 1 });
  });

  test('of several at one place that one goes back which has the size, and was issued last', () => {
    const steps = [
      issue(1, { sectors: 16 }),
      issue(2),
      issue(3),
      requeue(4),
      complete(6),
      issue(7),
      complete(8, 0, 16),
    ];
    const { ios, counts } = paired([...steps, complete(9)]);
    expect(spans(ios)).toEqual([
      [1, 8],
      [2, 6],
      [7, 9],
    ]);
    expect(counts).toEqual({ ...NONE, requeued: 1, overlapping: 3 });
  });

  test('a flush has no place; who asked for it completes once more', () => {
    const steps = [
      issue(1, { op: 'FF', sectors: 0, bytes: 0, comm: 'kworker/0:1H' }),
      complete(5, NOWHERE, 0, 'FF'),
      complete(5, 0, 0, 'FWS'),
      issue(6, { op: 'FWFS', sector: 64 }),
      complete(8, 64, 8, 'WFS'),
    ];
    const { ios, counts, pairs } = paired(steps);
    expect(ios).toMatchObject([
      { issued: 1, completed: 5, op: 'FF' },
      { issued: 6, completed: 8, op: 'FWFS' },
    ]);
    expect(counts).toEqual(NONE);
    // As in /proc/diskstats: not the flush, but who asked for it, and the write.
    expect(pairs.completions.get(DEV)).toBe(2);
  });

  test('commands to a device are counted and nothing else', () => {
    const { ios, counts, pairs } = paired([
      issue(1, { op: 'N', sectors: 0, bytes: 96 }),
      complete(2, 0, 1, 'N'),
      issue(3, { op: 'N', sectors: 8 }), // write zeroes, which has a place
      complete(4, 0, 8, 'N'),
    ]);
    expect(spans(ios)).toEqual([[3, 4]]);
    expect(counts).toEqual({ ...NONE, passthrough: 1 });
    expect(pairs.completions.get(DEV)).toBe(1);
  });

  test('an I/O that fails is an I/O', () => {
    const { ios, counts } = paired([issue(1), complete(2, 0, 8, 'R', true)]);
    expect(spans(ios)).toEqual([[1, 2]]);
    expect(counts).toEqual({ ...NONE, failed: 1 });
  });
});

describe('whose a request is', () => {
  const by = (comm: string): Maker => ({ comm, tid: 9, pid: 9, kept: comm === 'a' });
  const place = { dev: DEV, sector: 64, sectors: 8, op: 'WS' };
  const asIssued = { ...place, issued: 5, bytes: 4096 };

  test('of the one who inserted it, after it came back too', () => {
    const pairs = new IoPairs();
    pairs.insert({ ...place, op: 'W' }, by('a'));
    pairs.issue(asIssued, pairs.makerOf(place)!);
    expect(pairs.requeue({ ...place, op: 'W' })).toMatchObject({ comm: 'a' });
    pairs.insert(place, by('kworker/1:1H'));
    pairs.issue(asIssued, pairs.makerOf(place)!);
    pairs.complete(9, DEV, 64, 8, 'W', false);
    expect(pairs.take()).toMatchObject([{ issued: 5, completed: 9, comm: 'a', kept: true }]);
    expect(pairs.makerOf(place)).toBeUndefined();
  });

  test('of nobody where its insertion, or what came after it, may be lost', () => {
    const pairs = new IoPairs();
    pairs.insert(place, by('a'));
    pairs.gapStart();
    pairs.insert({ ...place, sector: 8 }, by('b'));
    pairs.gapEnd(4);
    expect(pairs.makerOf(place)).toBeUndefined();
    expect(pairs.makerOf({ ...place, sector: 8 })).toBeUndefined();
  });
});

describe('directions', () => {
  test.each([
    ['R', 'R'],
    ['RA', 'R'],
    ['RSM', 'RM'],
    ['W', 'WS'],
    ['WFS', 'W'],
    ['FW', 'W'],
    ['FWFS', 'WS'],
    ['D', 'DS'],
    ['DE', 'D'],
    ['FDS', 'D'],
    ['N', 'NS'],
    ['ZA', 'ZAS'],
    ['FF', 'F'],
    ['FS', 'FF'],
  ])('%s is completed by %s', (one, other) => {
    const flush = one === 'FF' || one === 'FS';
    const sectors = flush ? 0 : 8;
    const { ios } = paired([issue(1, { op: one, sectors }), complete(2, flush ? NOWHERE : 0, sectors, other)]);
    expect(ios).toMatchObject([{ issued: 1, completed: 2, op: one }]);
  });

  const OTHERS = [
    ['R', 'W'],
    ['W', 'D'],
    ['FWS', 'RS'],
    ['FWS', 'FDS'],
    ['N', 'W'],
    ['Z', 'W'],
  ] as const;
  test.each(OTHERS)('%s is not completed by %s', (one, other) => {
    const { ios, counts } = paired([issue(1, { op: one }), complete(2, 0, 8, other)]);
    expect(ios).toEqual([]);
    expect(counts).toMatchObject({ before: 1, after: 1 });
  });
});

describe('what is left out', () => {
  test('ends of what was under way at the beginning and at the end are usual', () => {
    const { ios, counts } = paired([complete(5, 800), issue(6), complete(7), issue(8, { sector: 16 })]);
    expect(spans(ios)).toEqual([[6, 7]]);
    expect(counts).toEqual({ ...NONE, before: 1, after: 1 });
  });

  test('ends far from the beginning and the end are not, unless others took as long', () => {
    const lone = [issue(0, { sector: 800 }), issue(1), complete(2), complete(3e9, 1600), issue(6e9, { sector: 8 })];
    expect(paired(lone).counts).toEqual({ ...NONE, unissued: 1, uncompleted: 1, after: 1 });
    const slow = [...lone, issue(6e9, { sector: 64 }), complete(13e9, 64)];
    expect(paired(slow).counts).toEqual({ ...NONE, before: 1, uncompleted: 1, after: 1 });
  });

  test('what completes behind a gap without an issue was under way in it', () => {
    const gap: Step[] = [
      { do: 'gap', time: 3 },
      { do: 'gapEnd', time: 5 },
    ];
    const { ios, counts } = paired([
      complete(1, 800),
      issue(2),
      ...gap,
      complete(6),
      complete(7, 16),
      issue(8),
      complete(9),
    ]);
    expect(spans(ios)).toEqual([[8, 9]]);
    // One end each of the first, which was seen twice, and of another one.
    expect(counts).toEqual({ ...NONE, before: 1, inGap: 3 });
  });

  test('a latency below 0 is none', () => {
    const { ios, counts } = paired([issue(5), complete(4)]);
    expect(ios).toEqual([]);
    expect(counts).toEqual({ ...NONE, negative: 1 });
  });

  test('a latency of 0 is one', () => {
    expect(spans(paired([issue(5), complete(5)]).ios)).toEqual([[5, 5]]);
  });

  test('a completion of more than what was issued is of another I/O', () => {
    const { ios, counts } = paired([issue(1, { sectors: 8 }), complete(2, 0, 16)]);
    expect(ios).toEqual([]);
    expect(counts).toMatchObject({ before: 1, after: 1 });
  });

  test('an I/O that is out of scope is followed but not given', () => {
    const steps = [
      issue(1, { kept: false, comm: 'other' }),
      issue(2, { sector: 8 }),
      complete(3),
      complete(4, 8),
      complete(5),
    ];
    const { ios, counts, pairs } = paired(steps);
    expect(spans(ios)).toEqual([[2, 4]]);
    expect(counts.before).toBe(1);
    expect(pairs.completions.get(DEV)).toBe(3);
  });

  test('one that never completes holds up no more than the window', () => {
    const steps = [issue(0, { sector: 999 })];
    for (let i = 1; i <= 20; i++) steps.push(issue(2 * i), complete(2 * i + 1));
    const pairs = new IoPairs(4);
    feed(pairs, steps);
    expect(pairs.take()).toHaveLength(20);
    pairs.finish();
    expect(pairs.counts).toEqual({ ...NONE, uncompleted: 1 });
  });
});

test('I/Os come in the order of issue, as soon as those before them are done', () => {
  const pairs = new IoPairs();
  feed(pairs, [issue(1), issue(2, { sector: 8 }), issue(3, { sector: 16 }), complete(4, 8)]);
  expect(pairs.take()).toEqual([]);
  feed(pairs, [complete(5)]);
  expect(spans(pairs.take(1))).toEqual([[1, 5]]);
  expect(spans(pairs.take())).toEqual([[2, 4]]);
  feed(pairs, [complete(6, 16)]);
  expect(spans(pairs.take())).toEqual([[3, 6]]);
});

/** One I/O as it truly was. */
interface True {
  readonly dev: number;
  readonly op: string;
  readonly sector: number;
  readonly sectors: number;
  readonly issued: number;
  readonly completed: number;
}

const keyOf = ({ dev, op, sector, sectors, issued, completed }: True): string =>
  [dev, op, sector, sectors, issued, completed].join();

const inOrder = (steps: readonly Step[]): Step[] =>
  steps
    .map((step, i) => ({ step, i }))
    .sort((a, b) => a.step.time - b.step.time || a.i - b.i)
    .map(({ step }) => step);

/**
 * A true history: places of a disk, each with one I/O after the other, some of them in parts or sent back. Times are
 * unique, so that there is one order of the events.
 */
const anyHistory: fc.Arbitrary<{ truth: True[]; steps: Step[] }> = fc
  .array(
    fc.record({
      dev: fc.constantFrom(DEV, DEV + 16),
      op: fc.constantFrom('R', 'RA', 'WS', 'FWS', 'DS', 'N'),
      ios: fc.array(
        fc.record({ wait: fc.integer({ min: 1, max: 40 }), took: fc.integer({ min: 3, max: 90 }), kind: fc.nat(6) }),
        { maxLength: 6 },
      ),
    }),
    { maxLength: 12 },
  )
  .map((places) => {
    const truth: True[] = [];
    const steps: Step[] = [];
    for (const [index, { dev, op, ios }] of places.entries()) {
      // Reads and writes of the same sectors may be under way together.
      const sector = (op.includes('R') ? index : 0) * 1000 + (index >> 1) * 1000;
      const shift = index / 64;
      let now = 0;
      for (const { wait, took, kind } of ios) {
        const issued = now + wait + shift;
        const completed = issued + took;
        now += wait + took;
        const at = (time: number, from: number, sectors: number): Step => ({
          do: 'complete',
          time,
          dev,
          sector: from,
          sectors,
          op,
        });
        const io = { dev, op, sector, sectors: 24 };
        steps.push({ do: 'issue', time: issued, io });
        if (kind === 0) steps.push(at(issued + 1, sector, 8), at(completed, sector + 8, 16));
        else if (kind === 1) {
          const again = issued + 2;
          steps.push(
            { do: 'requeue', time: issued + 1, dev, sector, sectors: 24, op },
            { do: 'issue', time: again, io },
          );
          steps.push(at(completed, sector, 24));
          truth.push({ ...io, issued: again, completed });
          continue;
        } else steps.push(at(completed, sector, 24));
        truth.push({ ...io, issued, completed });
      }
    }
    return { truth, steps: inOrder(steps) };
  })
  // No two of the same kind at the same place.
  .filter(({ truth }) => new Set(truth.map(keyOf)).size === truth.length && !overlaps(truth));

function overlaps(truth: readonly True[]): boolean {
  const direction = (op: string): string => op.replace(/^F/u, '').slice(0, 1);
  return truth.some((a, i) =>
    truth.some(
      (b, j) =>
        j > i &&
        a.dev === b.dev &&
        direction(a.op) === direction(b.op) &&
        a.sector === b.sector &&
        a.issued - 2 <= b.completed &&
        b.issued - 2 <= a.completed,
    ),
  );
}

describe('against the truth', () => {
  test('a whole history comes out as it was', () => {
    fc.assert(
      fc.property(anyHistory, ({ truth, steps }) => {
        const { ios, counts } = paired(steps);
        expect(ios.map(keyOf)).toEqual([...truth].sort((a, b) => a.issued - b.issued).map(keyOf));
        expect({ ...counts, requeued: 0 }).toEqual(NONE);
      }),
    );
  });

  test('whatever is lost, at any moments and as often as it likes, no latency is invented', () => {
    const anyGaps = fc.array(fc.tuple(fc.nat(400), fc.nat(60)), { maxLength: 5 });
    fc.assert(
      fc.property(anyHistory, anyGaps, fc.nat(100), ({ truth, steps }, gaps, begin) => {
        const bounds = gaps.flatMap(([from, length]): Step[] => [
          { do: 'gap', time: from + 0.9 },
          { do: 'gapEnd', time: from + length + 0.9 },
        ]);
        let open = 0;
        const seen = inOrder([...bounds, ...steps]).filter((step) => {
          if (step.do === 'gap') open++;
          else if (step.do === 'gapEnd') open--;
          // In a gap some events are lost and some, of other CPUs, are not.
          else return step.time > begin && (open === 0 || Math.floor(step.time) % 3 === 0);
          return true;
        });
        const { ios } = paired(seen);
        const known = new Set(truth.map(keyOf));
        for (const io of ios) expect(known.has(keyOf(io)), keyOf(io)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('I/Os at the same place: all are there, their sum is true, and none is longer than the longest', () => {
    const anyIos = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(anyIos, (ios) => {
        const steps = ios.flatMap(([issued, took], i) => [issue(issued + i / 64), complete(issued + took + i / 64)]);
        const { ios: out, counts } = paired(inOrder(steps));
        const latencies = out.map((io) => io.completed - io.issued);
        const took = ios.map(([, each]) => each);
        expect(out).toHaveLength(ios.length);
        expect(Math.max(...latencies)).toBeLessThanOrEqual(Math.max(...took));
        expect(latencies.reduce((sum, each) => sum + each, 0)).toBeCloseTo(
          took.reduce((sum, each) => sum + each, 0),
          6,
        );
        expect(counts).toMatchObject({ before: 0, after: 0 });
      }),
    );
  });
});

interface Waiting extends IssuedIo {
  left: number;
  at: number;
  back: boolean;
  overlaps: boolean;
}

/** The same rules over a plain list, each step by a search through all of it. */
class SlowPairs {
  #list: Waiting[] = [];
  readonly out: BlockIo[] = [];
  readonly counts = { ...NONE };
  #gaps = 0;
  #begin: number | undefined;
  #end = 0;
  #explanation: 'before' | 'inGap' = 'before';
  readonly #ages: [number, 'before' | 'inGap'][] = [];

  step(step: Step): void {
    if (step.do === 'gap' || step.do === 'gapEnd') {
      this.counts.inGap += this.#list.length;
      this.#list = [];
      this.#gaps += step.do === 'gap' ? 1 : -1;
      if (step.do === 'gapEnd') {
        this.#begin = step.time;
        this.#explanation = 'inGap';
      }
      return;
    }
    if (step.do === 'requeue') {
      const io = this.#at(step.dev, step.op, step.sector).findLast(({ left }) => left === step.sectors);
      if (io === undefined) return;
      this.counts.requeued++;
      if (io.left < io.sectors) io.back = true;
      else this.#remove(io);
      return;
    }
    this.#begin ??= step.time;
    this.#end = step.time;
    if (step.do === 'issue') this.#issue(issuedIo(step.time, step.io));
    else this.#complete(step);
  }

  finish(): void {
    const longest = Math.max(1e9, ...this.out.map((io) => io.completed - io.issued));
    for (const io of this.#list) this.counts[this.#end - io.issued <= longest ? 'after' : 'uncompleted']++;
    for (const [age, explanation] of this.#ages) this.counts[age <= longest ? explanation : 'unissued']++;
    this.out.sort((a, b) => a.issued - b.issued);
  }

  #issue(io: IssuedIo): void {
    if (io.sectors === 0 && kindOf(io.op) !== 'F') this.counts.passthrough++;
    else if (this.#gaps > 0) this.counts.inGap++;
    else {
      const again = this.#at(io.dev, io.op, io.sector).find((other) => other.back && other.left === io.sectors);
      if (again !== undefined) again.back = false;
      else this.#add({ ...io, left: io.sectors, at: io.sector, back: false, overlaps: false });
    }
  }

  #complete(step: Extract<Step, { do: 'complete' }>): void {
    const flush = kindOf(step.op) === 'F';
    if (step.sectors === 0 && !flush) return;
    const there = this.#at(step.dev, step.op, flush ? 0 : step.sector);
    const io = there.find((one) => one.left === step.sectors) ?? there.find((one) => one.left > step.sectors);
    if (io === undefined) {
      if (this.#gaps === 0 && kindOf(step.op) !== 'N')
        this.#ages.push([step.time - (this.#begin as number), this.#explanation]);
      return;
    }
    this.#remove(io);
    if (io.left > step.sectors) {
      io.left -= step.sectors;
      io.at += step.sectors;
      this.#add(io);
      return;
    }
    if (step.failed === true) this.counts.failed++;
    if (io.overlaps) this.counts.overlapping++;
    this.out.push({ ...issuedIo(io.issued, io), completed: step.time });
  }

  #at(dev: number, op: string, sector: number): Waiting[] {
    return this.#list.filter((io) => io.dev === dev && kindOf(io.op) === kindOf(op) && io.at === sector);
  }

  #add(io: Waiting): void {
    const there = this.#at(io.dev, io.op, io.at);
    if (there.length > 0) for (const each of [...there, io]) each.overlaps = true;
    this.#list.push(io);
  }

  #remove(io: Waiting): void {
    this.#list = this.#list.filter((other) => other !== io);
  }
}

function kindOf(op: string): string {
  return /^F[WRDZN]/u.test(op) ? (op[1] as string) : (op[0] as string);
}

test('any soup of events gives what the plain rules give', () => {
  const place = {
    dev: fc.constantFrom(DEV, DEV + 1),
    sector: fc.constantFrom(0, 8, 16),
    sectors: fc.constantFrom(0, 8, 16, 24),
    op: fc.constantFrom('R', 'WS', 'FWS', 'FF', 'N', 'D'),
  };
  const anyStep = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('issue' as const), ...place }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('complete' as const), ...place, failed: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('requeue' as const), ...place }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('gap' as const), ...place }) },
  );
  const anySoup = fc.array(fc.tuple(anyStep, fc.constantFrom(1, 1, 1, 5, 7e8)), { maxLength: 80 });
  fc.assert(
    fc.property(anySoup, (soup) => {
      let time = 0;
      let open = false;
      const steps = soup.map(([{ do: what, ...rest }, later]): Step => {
        time += later;
        if (what === 'issue') return { do: what, time, io: rest };
        if (what !== 'gap') return { do: what, time, ...rest };
        open = !open;
        return { do: open ? 'gap' : 'gapEnd', time };
      });
      const slow = new SlowPairs();
      for (const step of steps) slow.step(step);
      slow.finish();
      const { ios, counts } = paired(steps);
      expect(ios.map((io) => [keyOf(io), io.bytes])).toEqual(slow.out.map((io) => [keyOf(io), io.bytes]));
      expect(counts).toEqual(slow.counts);
      const issues = steps.filter((step) => step.do === 'issue').length;
      expect(ios.length + counts.after + counts.uncompleted + counts.passthrough).toBeLessThanOrEqual(issues);
    }),
    { numRuns: 1000 },
  );
});
