/** Who made a request, and from where in the code. */
export interface Maker {
  readonly comm: string;
  readonly tid: number;
  readonly pid: number;
  /** Whether it is in scope; requests of others are followed too, so that nothing is paired wrongly, but not given out. */
  readonly kept: boolean;
  /** Its stack, root first, where that is known. */
  readonly stack?: readonly string[] | undefined;
}

interface Waiting {
  readonly sector: number;
  readonly sectors: number;
  readonly maker: Maker;
  /** It came back from the device, and may be inserted once more. */
  isBack: boolean;
  /** Which one of all it is. */
  readonly order: number;
}

/** Places that are remembered of a queue. More do not wait there; what never leaves it was merged into another request. */
const MOST_PLACES = 1 << 16;

/**
 * Requests between their insertion into a queue and their issue to the device, by queue (a number that the caller has for a device
 * and direction) and place. Who issues a request is whoever runs the queue just then: a kworker, or another process that
 * wants something of the device (blk_mq_run_hw_queue() in block/blk-mq.c). Who made it is known from its insertion.
 */
export class WaitingRequests {
  readonly #queues = new Map<number, Map<number, Waiting[]>>();
  #count = 0;

  insert(queue: number, sector: number, sectors: number, maker: Maker): void {
    const back = isWorker(maker) ? this.#find(queue, sector, (it) => it.isBack && it.sectors === sectors) : undefined;
    if (back === undefined) this.#add(queue, { sector, sectors, maker, isBack: false, order: this.#count++ });
    else back.isBack = false;
  }

  /** The request went back to its queue, before all that wait there. */
  requeue(queue: number, sector: number, sectors: number, maker: Maker): void {
    this.#add(queue, { sector, sectors, maker, isBack: true, order: this.#count++ });
  }

  /** A request is issued: gives who made it, where its insertion was seen. */
  issue(queue: number, sector: number, sectors: number): Maker | undefined {
    const places = this.#queues.get(queue);
    if (places === undefined || places.size === 0) return undefined;
    const same = this.#find(queue, sector, (request) => request.sectors === sectors);
    if (same !== undefined) {
      remove(places, same);
      return same.maker;
    }
    // It may have grown in the queue, at both of its ends, by what was merged into it.
    const within = candidates(places, sector, sectors).filter(
      (request) => request.sector >= sector && request.sector + request.sectors <= sector + sectors,
    );
    for (const request of within) remove(places, request);
    // The others were merged into that which was there first.
    return within.sort((a, b) => a.order - b.order)[0]?.maker;
  }

  clear(): void {
    this.#queues.clear();
  }

  #find(queue: number, sector: number, fits: (request: Waiting) => boolean): Waiting | undefined {
    return this.#queues.get(queue)?.get(sector)?.find(fits);
  }

  #add(queue: number, request: Waiting): void {
    let places = this.#queues.get(queue);
    if (places === undefined) {
      places = new Map();
      this.#queues.set(queue, places);
    }
    const there = places.get(request.sector);
    if (there === undefined) places.set(request.sector, [request]);
    else if (request.isBack) there.unshift(request);
    else there.push(request);
    if (places.size > MOST_PLACES) places.delete(places.keys().next().value!);
  }
}

/** Requests that came back are inserted again by a worker, if at all (blk_mq_requeue_work() in block/blk-mq.c). */
function isWorker({ comm }: Maker): boolean {
  return comm.startsWith('kworker/');
}

/** What waits at some sectors, and maybe more: whichever is the shorter way, by the places that there are or by the sectors. */
function candidates(places: Map<number, Waiting[]>, sector: number, sectors: number): Waiting[] {
  if (places.size <= sectors) return [...places.values()].flat();
  const found: Waiting[] = [];
  for (let at = sector; at < sector + sectors; at++) found.push(...(places.get(at) ?? []));
  return found;
}

function remove(places: Map<number, Waiting[]>, request: Waiting): void {
  const others = places.get(request.sector)!.filter((other) => other !== request);
  if (others.length === 0) places.delete(request.sector);
  else places.set(request.sector, others);
}
