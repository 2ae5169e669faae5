import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { FINDING_TOP } from '../analysis/findings.ts';
import { isScheduling, SCHEDULING_COLUMNS, type SchedulingState, TaskFollower } from '../analysis/scheduling.ts';
import { groupSections, type SectionGroup, xIsTime } from '../analysis/select.ts';
import { type SectionStats, sectionStats } from '../analysis/stats.ts';
import type { SectionHeader } from '../common/header.ts';
import type { DataFile, SectionReader } from '../common/reader.ts';
import { sectionNotes } from '../display/notes.ts';
import { packSection, packSpans, packWeights, stacksNamedBy } from '../display/page.ts';
import { describeReport, type ReportOptions } from '../display/report.ts';
import { Packer } from '../display/shape/packing.ts';
import type { PageManifest, PageSection } from '../display/shape/page.ts';
import { SpanSums } from '../display/shape/span-sums.ts';
import { spanSink } from '../display/shape/task-spans.ts';
import { Checkpoints } from './checkpoints.ts';
import { thinned } from './thinned.ts';
import { type Range, TimeIndex, watched, within } from './time-index.ts';

export interface ReportSettings {
  readonly name: string;
  readonly options: ReportOptions;
  /** Records of one section that are given at once; of more, some are. */
  readonly most: number;
  /** Of the file. */
  readonly version: string;
}

/** A range of time, seconds, and the number of one section where no other is needed. */
export interface Asked extends Required<Range> {
  readonly section?: number;
}

/** A page of data, or the sections of one that a range of time has more of. */
export interface PackedPage {
  readonly manifest: PageManifest;
  /** What its columns are places in, compressed (raw DEFLATE, RFC 1951). */
  readonly packed: Uint8Array;
}

/** Of so many scheduler events all waits for a CPU are kept, of more as many: quantiles of them are good to a percent. */
const EVENTS_WITH_ALL_WAITS = 200_000;

/** Largest values that are kept beside those that were picked: the share of them. */
const PEAKS = 1 / 4000;

/** Share of the time to open a file that its numbers take; the rest is that of the page. */
const READING = 0.6;

/** Compression of what goes over a short way. */
const LEVEL = 1;

/**
 * The report of an open data file, of which a range of time is read by itself. It holds where in the file which time is, and the page
 * of the whole file: of a section with too many records some, picked so that pictures of it stay the same; of scheduler events what
 * tasks did, added up.
 */
export class ServedReport {
  readonly #file: DataFile;
  readonly #settings: ReportSettings;
  readonly #groups: readonly SectionGroup[];
  readonly #indexes = new Map<number, TimeIndex>();
  readonly #checkpoints = new Map<number, Checkpoints>();
  /** Sections that are not whole on the page of the whole file. */
  readonly #reduced = new Set<number>();
  #whole: PackedPage | undefined;
  #to = 0;

  private constructor(file: DataFile, settings: ReportSettings) {
    this.#file = file;
    this.#settings = settings;
    this.#groups = groupSections(file.sections);
  }

  /**
   * Reads the file.
   * @param onShare told from 0 to 1 how far it is.
   * @throws DamagedFileError
   */
  static async open(
    file: DataFile,
    settings: ReportSettings,
    onShare: (share: number) => void,
    signal: AbortSignal,
  ): Promise<ServedReport> {
    const report = new ServedReport(file, settings);
    const stats = await report.#readAll((share) => onShare(READING * share), signal);
    report.#whole = await report.#packWhole(stats, (share) => onShare(READING + (1 - READING) * share), signal);
    return report;
  }

  /** The whole file. */
  get whole(): PackedPage {
    if (this.#whole === undefined) throw new Error('the report is not read yet');
    return this.#whole;
  }

  /** The sections that are not whole on the page of the whole file, in a range of time, and what stacks weigh by them. */
  async range({ from, to, section: only }: Asked, signal: AbortSignal): Promise<PackedPage> {
    const packer = new Packer();
    const sections: PageSection[] = [];
    for (const group of this.#groups) {
      if (!group.all.some(({ number }) => this.#reduced.has(number))) continue;
      for (const section of group.all) {
        if (only !== undefined && section.number !== only) continue;
        if (section.header.datatype === 'stack') {
          sections.push(await packWeights(this.#near(group, { from, to }, signal), section, { from, to }, packer));
        } else if (this.#reduced.has(section.number)) {
          sections.push(await this.#pack(group, section, { from, to }, packer, signal));
        }
      }
    }
    return this.#packed({ ...this.whole.manifest, sections, findings: [], filter: { from, to } }, packer);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #sections(): { readonly group: SectionGroup; readonly section: SectionReader }[] {
    return this.#groups.flatMap((group) => group.all.map((section) => ({ group, section })));
  }

  /** Reads every section once, for the numbers that findings are made of, and so finds where which time is. */
  async #readAll(onShare: (share: number) => void, signal: AbortSignal): Promise<SectionStats[]> {
    const stats: SectionStats[] = [];
    const sections = this.#sections();
    const sizes = sections.map(({ section }) => section.header.bytes ?? 1);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (const [i, { group, section }] of sections.entries()) {
      const index = new TimeIndex();
      let records = 0;
      const own = watched(section, (chunk) => {
        signal.throwIfAborted();
        if (isTimed(section.header)) index.add(chunk);
        records += chunk.length;
        onShare((done + sizes[i]! * Math.min(1, records / (section.header.records ?? Number.POSITIVE_INFINITY))) / all);
      });
      stats.push(await sectionStats(group, own, { filter: {}, by: 'comm', top: FINDING_TOP }));
      if (isTimed(section.header)) {
        this.#indexes.set(section.number, index);
        if (index.records > this.#settings.most) this.#reduced.add(section.number);
      }
      this.#to = Math.max(this.#to, index.last, lengthOf(section.header));
      done += sizes[i]!;
      onShare(done / all);
    }
    return stats;
  }

  async #packWhole(
    stats: readonly SectionStats[],
    onShare: (share: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPage> {
    const { name, options, most, version } = this.#settings;
    const packer = new Packer();
    const sections: PageSection[] = [];
    const all = this.#sections();
    for (const [i, { group, section }] of all.entries()) {
      sections.push(await this.#pack(group, section, {}, packer, signal));
      onShare((i + 1) / all.length);
    }
    const head = describeReport(this.#groups, stats, { filter: {}, options, file: undefined });
    const about = {
      title: options.title || name,
      ...head,
      view: 'report',
      section: 1,
      options: { ...options },
      showIdle: false,
    };
    const served = { version, most, time: { from: 0, to: this.#to > 0 ? this.#to : 1 } };
    return this.#packed({ version: 1, ...about, sections, filter: {}, served }, packer);
  }

  async #packed(about: Omit<PageManifest, 'bytes'>, packer: Packer): Promise<PackedPage> {
    const bytes = packer.bytes();
    const packed = await promisify(deflateRaw)(bytes, { level: LEVEL });
    return { manifest: { ...about, bytes: bytes.length }, packed };
  }

  async #pack(
    group: SectionGroup,
    section: SectionReader,
    range: Range,
    packer: Packer,
    signal: AbortSignal,
  ): Promise<PageSection> {
    const { header, number } = section;
    const index = this.#indexes.get(number);
    const near = this.#near(group, range, signal);
    const named = stacksNamedBy(group, section);
    if (index === undefined) return packSection(near, section, range, packer);
    const records = await index.count(section, range);
    const own = near.all.find((other) => other.number === number)!;
    if (records <= this.#settings.most) {
      return { ...(await packSection(near, own, range, packer, this.#before(section, range)?.state)), ...named };
    }
    if (isScheduling(header)) return this.#packSums(own, range, records, packer);
    const { from = 0, to = index.last } = range;
    const some = thinned(
      watched(section, () => signal.throwIfAborted()),
      {
        parts: index.parts(range),
        range: { from, to },
        every: Math.ceil(records / this.#settings.most),
        peaks: header.y?.unit === 'ms' ? Math.ceil(PEAKS * this.#settings.most) : 0,
      },
    );
    return { ...(await packSection(near, some, range, packer)), ...named, records };
  }

  /** The sections with as little around a range as is known how to leave out. */
  #near(group: SectionGroup, range: Range, signal: AbortSignal): SectionGroup {
    const all = group.all.map((section) => {
      const index = this.#indexes.get(section.number);
      if (index === undefined) return section;
      const { start, end } = index.part(range);
      const part = { start: isScheduling(section.header) ? this.#before(section, range)?.end : start, end };
      return within(
        watched(section, () => signal.throwIfAborted()),
        part,
      );
    });
    return { ...group, all };
  }

  /** What is known of tasks somewhere before a range. */
  #before({ number }: SectionReader, range: Range): { end: number; state: SchedulingState } | undefined {
    return this.#checkpoints.get(number)?.before(this.#indexes.get(number)?.part(range).start);
  }

  /** What tasks did in a range, added up. */
  async #packSums(section: SectionReader, range: Range, records: number, packer: Packer): Promise<PageSection> {
    const { number, header } = section;
    const { from = 0, to = this.#to } = range;
    const sums = new SpanSums({ from, to }, this.#settings.most, Math.ceil(records / EVENTS_WITH_ALL_WAITS));
    const sink = spanSink((...span) => sums.add(...span));
    const follower = new TaskFollower(header, sink, this.#before(section, range)?.state);
    const checkpoints = this.#checkpoints.get(number) ?? new Checkpoints();
    for await (const events of section.events(SCHEDULING_COLUMNS)) {
      if (!follower.add(events, range.to === undefined ? undefined : range.to * 1e9)) break;
      if (this.#whole === undefined && events.end !== undefined) checkpoints.add(events.end, () => follower.state);
    }
    this.#checkpoints.set(number, checkpoints);
    follower.end();
    const spans = packSpans(sums.spans(follower.cpus.length), packer);
    return { number, header, notes: sectionNotes(header), columns: [], records, spans };
  }
}

function isTimed(header: SectionHeader): boolean {
  return header.datatype === 'event' || (header.datatype === 'datapoint' && xIsTime(header));
}

/** Seconds that a section goes on, by its header. */
function lengthOf({ start, end }: SectionHeader): number {
  return end === null ? 0 : (Date.parse(end) - Date.parse(start)) / 1000;
}
