import type { Datapoint } from '../common/datatypes.ts';
import { DISKLAT_POINTS } from './disklat.ts';
import type { ImportSink } from './importer.ts';
import { InOrder } from './in-order.ts';

/** A completed I/O as a tool tells it; what it does not tell is undefined. */
export interface ImportedIo {
  /** Nanoseconds since some moment that is always the same. */
  readonly issued: number;
  /** From issue to completion. */
  readonly nanoseconds: number;
  readonly comm: string;
  readonly pid: number | undefined;
  readonly tid: number | undefined;
  readonly op: string;
  readonly dev: string;
  readonly sector: number | undefined;
  readonly bytes: number | undefined;
}

/** Rows come by completion and are sorted by issue: one that so many others overtook comes too late for its place. */
const WINDOW = 32_768;
const BATCH = 4096;

/** Makes the section of imported I/Os: datapoints of disklat, in the order of issue, times from the first on. */
export class IoImport {
  readonly #order = new InOrder<ImportedIo>(WINDOW, ({ issued }) => issued);
  #ready: Datapoint[] = [];
  #origin: number | undefined;
  #negative = 0;
  #absurd = 0;

  constructor(
    private readonly sink: ImportSink,
    private readonly section = sink.section({ interface: 'disklat', ...DISKLAT_POINTS }),
  ) {}

  add(io: ImportedIo): void {
    if (!Number.isFinite(io.issued) || !Number.isFinite(io.nanoseconds)) this.#absurd++;
    else if (io.nanoseconds < 0) this.#negative++;
    else this.#take(this.#order.add(io));
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
    if (this.#negative > 0) this.sink.warn(`${this.#negative} I/Os are left out that ended before they began`);
    if (this.#absurd > 0) {
      this.sink.warn(`${this.#absurd} I/Os are left out, since their time is more than a data file can hold`);
    }
    const { late } = this.#order;
    if (late > 0) {
      this.sink.warn(`${late} I/Os are not in the order of issue, since ${WINDOW} others or more ended before them`);
    }
  }

  #take(ios: readonly ImportedIo[]): void {
    for (const io of ios) {
      this.#origin ??= io.issued;
      const { comm, pid, tid, op, dev, sector, bytes } = io;
      this.#ready.push({
        x: (io.issued - this.#origin) / 1e9,
        y: io.nanoseconds / 1e6,
        info: [comm, `${pid ?? ''}`, `${tid ?? ''}`, op, dev, `${sector ?? ''}`, `${bytes ?? ''}`, ''],
      });
    }
  }
}
