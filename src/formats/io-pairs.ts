import { type Maker, WaitingRequests } from './waiting-requests.ts';

/** What a block request is of. A sector has 512 bytes. */
export interface Place {
  /** The kernel's device number. */
  readonly dev: number;
  readonly sector: number;
  readonly sectors: number;
  /** rwbs text of the tracepoint: see blk_fill_rwbs() in kernel/trace/blktrace.c. */
  readonly op: string;
}

/** The issue of a block request. Times are integer nanoseconds since the origin. */
export interface Issue extends Place {
  readonly issued: number;
  readonly bytes: number;
}

/** A block I/O that was issued. */
export interface IssuedIo extends Issue, Maker {}

/** A block I/O whose last sector has completed. */
export interface BlockIo extends IssuedIo {
  readonly completed: number;
}

/** I/Os that are not among the pairs, by kind; `overlapping` and `failed` ones are among them. */
export interface PairCounts {
  /** Under way when the recording began: completed, without an issue. */
  before: number;
  /** Under way when the recording ended: issued, without a completion. */
  after: number;
  /** Completed without an issue, too late for one that was under way at the beginning. */
  unissued: number;
  /** Issued without a completion, too early for one that was under way at the end. */
  uncompleted: number;
  /**
   * Ends of I/Os that were under way at a time when events were lost: a pair might join the ends of two. One of which both ends
   * were seen counts twice.
   */
  inGap: number;
  negative: number;
  /** Commands to the device itself (SG_IO, NVMe admin): the tracepoints do not tell which is which. */
  passthrough: number;
  /** Another I/O of the same kind, device and sector was under way: paired in the order of issue. */
  overlapping: number;
  failed: number;
  requeued: number;
}

interface Pending extends IssuedIo {
  completed: number;
  state: 'issued' | 'done' | 'dropped';
  /** Sectors that have not completed, and where they begin. */
  left: number;
  at: number;
  /** Went back to its queue after a part of it had completed. */
  requeued: boolean;
  overlaps: boolean;
}

/** I/Os that may wait behind the oldest one that is under way, before that one is given up. */
const WINDOW = 1 << 20;

/**
 * An I/O of which one end is seen can have been under way when the recording began or ended, if that is no longer away than
 * this, nanoseconds, or than the longest I/O that was seen whole took.
 */
const UNDER_WAY_NS = 1e9;
/** Completions without an issue that are kept to be judged at the end. */
const KEPT_AGES = 10_000;

/**
 * Joins the insertion, the issue and the completion of block requests, by device, sector and direction, and gives the I/Os out in
 * the order of issue. To be fed in time order. A latency is never guessed: what does not pair is counted.
 * Where several I/Os of the same kind are under way at the same place, which of them completes is not to be known. They are
 * paired in the order of issue, so that no latency is above the true longest of them, and counted.
 *
 * What the kernel does (block/blk-mq.c, block/blk-flush.c, include/trace/events/block.h): a request that the device completes in parts
 * has a completion per part, each with the sector where that part begins. A request that a driver could not take is
 * requeued and issued again. A flush is issued with sector 0 and completes with sector -1, both without
 * sectors; the request that asked for it completes once more for its own end, with 0 sectors and without an issue.
 */
export class IoPairs {
  readonly counts: PairCounts = {
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
  /**
   * Requests that completed, by device, whether they paired or not. Flushes do not count, but the requests that asked
   * for them do, as in /proc/diskstats (blk_account_io_done() in block/blk-mq.c). One with both data and a flush
   * counts twice here, so that this is never fewer than the kernel's number unless something was lost.
   */
  readonly completions = new Map<number, number>();
  /** Kept I/Os that completed since the last take. */
  ready = 0;

  /** By device and direction, then by the next sector to complete; more than one only where I/Os overlap. */
  readonly #underWay = new Map<number, Map<number, Pending | Pending[]>>();
  readonly #waiting = new WaitingRequests();
  /** Kept I/Os in the order of issue. */
  #queue: Pending[] = [];
  #head = 0;
  #gaps = 0;
  /** Times of the first and last event; after a gap `#begin` is the gap's end. */
  #begin: number | undefined;
  #end = 0;
  #longest = UNDER_WAY_NS;
  /** What explains a completion without an issue that is not too long after `#begin`. */
  #explanation: 'before' | 'inGap' = 'before';
  /** Completions without an issue that are not sure to be of `#begin`: the time since then. */
  readonly #ages: { readonly age: number; readonly explanation: 'before' | 'inGap' }[] = [];

  constructor(private readonly window = WINDOW) {}

  /** A request came into a queue: whoever issues it, it is its maker's. */
  insert({ dev, sector, sectors, op }: Place, maker: Maker): void {
    // Requests without a place are never told apart.
    if (sectors > 0 && this.#gaps === 0) this.#waiting.insert(queueOf(dev, directionOf(op)), sector, sectors, maker);
  }

  /** Who made the request that is issued now; to be asked once, before `issue`. Undefined where its insertion was not seen. */
  makerOf({ dev, sector, sectors, op }: Place): Maker | undefined {
    return this.#waiting.issue(queueOf(dev, directionOf(op)), sector, sectors);
  }

  issue({ issued, dev, sector, sectors, bytes, op }: Issue, { comm, tid, pid, kept, stack }: Maker): void {
    this.#at(issued);
    const direction = directionOf(op);
    if (sectors === 0 && direction !== FLUSH) {
      this.counts.passthrough++;
      return;
    }
    if (this.#gaps > 0) {
      this.counts.inGap++;
      return;
    }
    const place = this.#place(dev, direction);
    const again = find(place.get(sector), (other) => other.requeued && other.left === sectors);
    if (again !== undefined) {
      again.requeued = false;
      return;
    }
    // Written out: there may be millions, and V8 is slow to put objects of several kinds together.
    const pending: Pending = {
      issued,
      dev,
      sector,
      sectors,
      bytes,
      op,
      comm,
      tid,
      pid,
      kept,
      stack,
      completed: 0,
      state: 'issued',
      left: sectors,
      at: sector,
      requeued: false,
      overlaps: false,
    };
    add(place, pending);
    if (kept) this.#push(pending);
  }

  /** `sectors` of the I/O at `sector` have completed. Gives the I/O, where its issue was seen. */
  complete(
    time: number,
    dev: number,
    sector: number,
    sectors: number,
    op: string,
    failed: boolean,
  ): IssuedIo | undefined {
    this.#at(time);
    const direction = directionOf(op);
    if (sectors === 0 && direction !== FLUSH) {
      this.#countCompletion(dev);
      return undefined;
    }
    const place = this.#place(dev, direction);
    const at = direction === FLUSH ? 0 : sector;
    const candidates = place.get(at);
    const io = find(candidates, (other) => other.left === sectors) ?? find(candidates, (other) => other.left > sectors);
    if (io === undefined) {
      // Commands to the device have been counted at their issue.
      if (this.#gaps > 0 || direction === NO_DATA) return undefined;
      this.#countUnissued(time);
      if (direction !== FLUSH) this.#countCompletion(dev);
      return undefined;
    }
    remove(place, io);
    if (io.left > sectors) {
      io.left -= sectors;
      io.at += sectors;
      add(place, io);
      return io;
    }
    if (direction !== FLUSH) this.#countCompletion(dev);
    if (failed) this.counts.failed++;
    if (io.overlaps) this.counts.overlapping++;
    if (time < io.issued) {
      this.counts.negative++;
      this.#drop(io);
      return undefined;
    }
    io.completed = time;
    io.state = 'done';
    this.#longest = Math.max(this.#longest, time - io.issued);
    if (io.kept) this.ready++;
    return io;
  }

  /**
   * The I/O of `sectors` at `sector` went back to its queue; gives it, where its issue was seen. One of which nothing has completed
   * begins anew when it is issued again. Of several it is the last one: most come back at once, since the device is full.
   */
  requeue({ dev, sector, sectors, op }: Place): IssuedIo | undefined {
    const place = this.#place(dev, directionOf(op));
    const io = findLast(place.get(sector), (other) => other.left === sectors);
    if (io === undefined) return undefined;
    this.counts.requeued++;
    if (io.left > 0) this.#waiting.requeue(queueOf(dev, directionOf(op)), io.at, io.left, io);
    if (io.left < io.sectors) {
      io.requeued = true;
      return io;
    }
    remove(place, io);
    this.#drop(io);
    return io;
  }

  /** From here on events of a CPU are missing; there can be a gap per CPU at a time. */
  gapStart(): void {
    this.#gaps++;
    this.counts.inGap += this.#forget().length;
  }

  gapEnd(time: number): void {
    this.#gaps--;
    this.counts.inGap += this.#forget().length;
    this.#begin = time;
    this.#explanation = 'inGap';
  }

  /** No more will come: what is still under way will not complete. */
  finish(): void {
    const { counts } = this;
    for (const io of this.#forget()) {
      if (this.#end - io.issued <= this.#longest) counts.after++;
      else counts.uncompleted++;
    }
    for (const { age, explanation } of this.#ages) {
      if (age <= this.#longest) counts[explanation]++;
      else counts.unissued++;
    }
  }

  /** At most `max` I/Os that have completed and whose turn it is, in the order of issue. */
  take(max = Number.POSITIVE_INFINITY): BlockIo[] {
    const taken: BlockIo[] = [];
    while (taken.length < max) {
      const io = this.#queue[this.#head];
      if (io === undefined || io.state === 'issued') break;
      if (io.state === 'done') taken.push(io);
      this.#head++;
    }
    if (this.#head > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.ready = 0;
    return taken;
  }

  #push(io: Pending): void {
    this.#queue.push(io);
    const oldest = this.#queue[this.#head];
    if (this.#queue.length - this.#head <= this.window || oldest?.state !== 'issued') return;
    remove(this.#place(oldest.dev, directionOf(oldest.op)), oldest);
    this.#drop(oldest);
    this.counts.uncompleted++;
  }

  #at(time: number): void {
    this.#begin ??= time;
    this.#end = time;
  }

  #countUnissued(time: number): void {
    const age = time - (this.#begin ?? time);
    const explanation = this.#explanation;
    if (age <= this.#longest) this.counts[explanation]++;
    else if (this.#ages.length < KEPT_AGES) this.#ages.push({ age, explanation });
    else this.counts.unissued++;
  }

  #drop(io: Pending): void {
    io.state = 'dropped';
  }

  #countCompletion(dev: number): void {
    this.completions.set(dev, (this.completions.get(dev) ?? 0) + 1);
  }

  /** Gives up all that is under way. */
  #forget(): Pending[] {
    const forgotten = [...this.#underWay.values()].flatMap((place) => [...place.values()].flat());
    for (const io of forgotten) this.#drop(io);
    this.#underWay.clear();
    this.#waiting.clear();
    return forgotten;
  }

  #place(dev: number, direction: number): Map<number, Pending | Pending[]> {
    const key = queueOf(dev, direction);
    let place = this.#underWay.get(key);
    if (place === undefined) {
      place = new Map();
      this.#underWay.set(key, place);
    }
    return place;
  }
}

function add(place: Map<number, Pending | Pending[]>, io: Pending): void {
  const there = place.get(io.at);
  if (there === undefined) {
    place.set(io.at, io);
    return;
  }
  const all = Array.isArray(there) ? there : [there];
  all.push(io);
  for (const each of all) each.overlaps = true;
  place.set(io.at, all);
}

function remove(place: Map<number, Pending | Pending[]>, io: Pending): void {
  const there = place.get(io.at);
  if (!Array.isArray(there)) {
    place.delete(io.at);
    return;
  }
  const others = there.filter((other) => other !== io);
  place.set(io.at, others.length === 1 ? others[0]! : others);
}

function find(there: Pending | Pending[] | undefined, fits: (io: Pending) => boolean): Pending | undefined {
  if (there === undefined) return undefined;
  if (Array.isArray(there)) return there.find(fits);
  return fits(there) ? there : undefined;
}

/** Number of a device and direction. */
function queueOf(dev: number, direction: number): number {
  return dev * 256 + direction;
}

function findLast(there: Pending | Pending[] | undefined, fits: (io: Pending) => boolean): Pending | undefined {
  return Array.isArray(there) ? there.findLast(fits) : find(there, fits);
}

const FLUSH = 'F'.charCodeAt(0);
const NO_DATA = 'N'.charCodeAt(0);
/** Letters that name an operation where they stand behind the F of a preflush. */
const OPERATIONS = new Set([...'WRDZN'].map((letter) => letter.charCodeAt(0)));

/**
 * The letter of the operation in an rwbs text: it is the first, unless that is the F of a preflush (`FWS` is a write).
 * The flags behind it can differ between issue and completion.
 */
function directionOf(op: string): number {
  const first = op.charCodeAt(0);
  return first === FLUSH && OPERATIONS.has(op.charCodeAt(1)) ? op.charCodeAt(1) : first;
}
