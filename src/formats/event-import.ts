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

  constructor(
    private readonly section: ImportSection,
    private readonly sink: ImportSink,
  ) {}

  /** `time` in nanoseconds since some moment that is always the same. */
  add(event: EventData): void {
    this.#take(this.#order.add(event));
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
      this.#ready.push({ time: time - this.#origin, type, datum });
    }
  }
}
