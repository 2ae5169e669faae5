import type { EventData } from '../common/datatypes.ts';
import type { ImportSection, ImportSink } from './importer.ts';
import { InOrder } from './in-order.ts';

/** Events are held until so many came after them, should they not be in order. */
const WINDOW = 32_768;
const BATCH = 4096;

/** Writes imported events into their section, in the order of time, times from the first on. */
export class EventImport {
  readonly #order = new InOrder<EventData>(
    WINDOW,
    ({ time }) => time,
    (event, time) => ({ ...event, time }),
  );
  #ready: EventData[] = [];
  #origin: number | undefined;
  #absurd = 0;

  constructor(
    private readonly section: ImportSection,
    private readonly sink: ImportSink,
  ) {}

  /** `time` in nanoseconds since some moment that is always the same. */
  add(event: EventData): void {
    if (Number.isSafeInteger(event.time)) this.#take(this.#order.add(event));
    else this.#absurd++;
  }

  /** Writes what is ready. Memory is bounded where this is called now and then. */
  async flush(atLeast = BATCH): Promise<void> {
    if (this.#ready.length < atLeast) return;
    const records = this.#ready;
    this.#ready = [];
    await this.section.write(records);
  }

  async finish(): Promise<void> {
    this.#take(this.#order.rest());
    await this.flush(1);
    if (this.#absurd > 0) {
      this.sink.warn(`${this.#absurd} events are left out, since their time is more than a data file can hold`);
    }
    const { late } = this.#order;
    if (late > 0) {
      this.sink.warn(
        `${late} events came out of order, and their times were moved to the nearest that keeps the order`,
      );
    }
  }

  #take(events: readonly EventData[]): void {
    for (const { time, type, datum } of events) {
      this.#origin ??= time;
      const since = time - this.#origin;
      if (Number.isSafeInteger(since)) this.#ready.push({ time: since, type, datum });
      else this.#absurd++;
    }
  }
}
