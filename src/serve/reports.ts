import { UsageError } from '../common/errors.ts';
import type { ReportOptions } from '../display/report.ts';
import type { Catalogue } from './catalogue.ts';
import { type Asked, type PackedPage, ServedReport } from './served-report.ts';

/** Files whose index and whole page are held; the one that was asked for longest ago goes first. */
const HELD = 4;

export interface ReportsSettings {
  readonly options: ReportOptions;
  /** Records of one section that are given at once. */
  readonly most: number;
  readonly tempDir: string;
}

/** A file that is open, or about to be. */
export interface Opening {
  /** How far its reading is, 0 to 1. */
  readonly share: number;
  whole(): Promise<PackedPage>;
  range(asked: Asked, signal: AbortSignal): Promise<PackedPage>;
}

/** The reports of files, each read when it is first asked for. One thing is done at a time, so that memory stays bounded. */
export class Reports {
  readonly #catalogue: Catalogue;
  readonly #settings: ReportsSettings;
  /** The one that was asked for last stands last. */
  readonly #held = new Map<string, HeldReport>();
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  constructor(catalogue: Catalogue, settings: ReportsSettings) {
    this.#catalogue = catalogue;
    this.#settings = settings;
  }

  /**
   * The report of a file.
   * @param version undefined: as it is now.
   * @throws UsageError where there is no such file, or it is not that version any more.
   */
  async open(id: string, version?: string): Promise<Opening> {
    const held = this.#held.get(id);
    if (held !== undefined && held.version === version) return this.#touched(id, held);
    const now = await this.#catalogue.fingerprint(id);
    if (version !== undefined && version !== now) {
      throw new UsageError('the file has changed since this page was opened', 'load the page again');
    }
    if (held?.version === now && !held.failed) return this.#touched(id, held);
    this.#drop(id);
    return this.#touched(id, new HeldReport(now, (own) => this.#inTurn(() => this.#read(id, own))));
  }

  /** Ends what is going on. */
  close(): void {
    this.#stop.abort();
  }

  #touched(id: string, held: HeldReport): Opening {
    this.#held.delete(id);
    this.#held.set(id, held);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= HELD) break;
      this.#drop(oldest);
    }
    return {
      get share() {
        return held.share;
      },
      whole: async () => (await held.report).whole,
      range: async (asked, signal) => {
        const report = await held.report;
        return this.#inTurn(() => report.range(asked, AbortSignal.any([signal, this.#stop.signal])));
      },
    };
  }

  #drop(id: string): void {
    const held = this.#held.get(id);
    this.#held.delete(id);
    if (held === undefined) return;
    held.report.then(
      (report) => this.#inTurn(() => report.close()),
      () => undefined,
    );
  }

  async #read(id: string, held: HeldReport): Promise<ServedReport> {
    const { options, most, tempDir } = this.#settings;
    const { name, file } = await this.#catalogue.open(id, tempDir);
    try {
      const settings = { name, options, most, version: held.version };
      return await ServedReport.open(file, settings, (share) => held.progress(share), this.#stop.signal);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** One job after the other. */
  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const own = this.#last.then(() => {
      this.#stop.signal.throwIfAborted();
      return job();
    });
    this.#last = own.catch(() => undefined);
    return own;
  }
}

class HeldReport {
  share = 0;
  failed = false;
  readonly report: Promise<ServedReport>;

  constructor(
    readonly version: string,
    read: (own: HeldReport) => Promise<ServedReport>,
  ) {
    this.report = read(this);
    this.report.catch(() => {
      this.failed = true;
    });
  }

  progress(share: number): void {
    this.share = share;
  }
}
