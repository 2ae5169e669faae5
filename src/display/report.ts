import * as z from 'zod';
import { FINDING_TOP, findingOptions, findings } from '../analysis/findings.ts';
import { type HostStats, outliers } from '../analysis/fleet/outliers.ts';
import { answerable, type Filter, type SectionGroup } from '../analysis/select.ts';
import { type SectionStats, sectionStats, withTop } from '../analysis/stats.ts';
import type { SectionReader } from '../common/reader.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { sectionOrigin } from './notes.ts';
import { aboutHosts, renderPage } from './page.ts';
import type { PageManifest } from './shape/page.ts';
import { textPage } from './text/page.ts';
import { findingsText, numbersText } from './text/stats.ts';

export const reportOptions = z.strictObject({
  /** Empty: chosen from what is shown. */
  title: z.string().default(''),
  ...findingOptions.shape,
});

export type ReportOptions = z.infer<typeof reportOptions>;

/** One page of everything in the file: all sections on one clock, and one selection for all of them. */
export class Report extends GenericDisplay<ReportOptions> {
  static readonly description: ViewDescription<'report', ReportOptions> = {
    name: 'report',
    flag: '-r',
    long: '--report',
    summary: 'everything in the file on one page (HTML, text)',
    formats: ['html', 'txt'],
    options: reportOptions,
    fits: () => true,
    showsAll: true,
  };

  override async render(): Promise<Rendered> {
    const { section, groups, filter, options, showIdle, file, format, width, height } = this.job;
    const stats = new Map<SectionGroup, SectionStats[]>();
    for (const group of groups) {
      const own: SectionStats[] = [];
      for (const each of group.all) {
        const answered = answerable(group, each, filter);
        own.push(await sectionStats(group, each, { filter: answered, by: 'comm', top: FINDING_TOP }));
      }
      stats.set(group, own);
    }
    const alone = await this.#ofEachHost();
    const title = this.titleOr(options.title, [...new Set(groups.map((group) => group.interface))].join(', '));
    const described = describeReport(groups, [...stats.values()].flat(), { filter, options, file });
    const { title: _, ...thresholds } = options;
    const about = { title, ...described, findings: [...outliers(alone, thresholds), ...described.findings] };
    if (format === 'txt') return this.#text(about, stats);
    const page = {
      ...about,
      view: 'report',
      section: section.number,
      options: { ...options },
      showIdle,
      ...aboutHosts(section, this.job),
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height }),
    };
    return renderPage(groups, filter, page, this.tell);
  }

  /** The numbers of each host, by which those are found that stand out; they stand in for those of all hosts where one clicks. */
  async #ofEachHost(): Promise<HostStats[]> {
    const { each = [], groups, filter } = this.job;
    const all: HostStats[] = [];
    for (const { host, groups: own } of each) {
      const stats: SectionStats[] = [];
      for (const group of own) {
        for (const section of group.all) {
          const answered = answerable(group, section, filter);
          const numbers = await sectionStats(group, section, { filter: answered, by: 'comm', top: FINDING_TOP });
          stats.push({ ...numbers, section: joinedNumber(groups, section) });
        }
      }
      all.push({ host, stats });
    }
    return all;
  }

  /** What stands out, then of each interface its own view and its numbers. */
  async #text(
    { title, origin, findings: found }: ReportHead,
    stats: ReadonlyMap<SectionGroup, readonly SectionStats[]>,
  ): Promise<Buffer> {
    const { screen, parts } = this.job;
    const texts: Uint8Array[] = [textPage(title, [origin], [], screen, ({ columns }) => findingsText(found, columns))];
    for (const [group, own] of stats) {
      const part = parts?.get(group);
      // What is to be known is said with the view.
      if (part !== undefined) texts.push(await allBytes(await part.render()));
      const numbers = own.map((each) => ({ ...withTop(each, LISTED), ...(part === undefined ? {} : { notes: [] }) }));
      texts.push(Buffer.from(`${numbersText(numbers, screen.columns)}\n`));
    }
    return Buffer.concat(texts.flatMap((text, i) => (i === 0 ? [text] : [Buffer.from('\n'), text])));
  }
}

/** The number of the section of all hosts that one host's is part of. */
function joinedNumber(groups: readonly SectionGroup[], { number, header }: SectionReader): number {
  const alike = groups
    .flatMap(({ all }) => all)
    .find(
      ({ header: other }) =>
        other.interface === header.interface &&
        other.datatype === header.datatype &&
        other.y?.label === header.y?.label,
    );
  return alike?.number ?? number;
}

type ReportHead = Pick<PageManifest, 'title' | 'origin' | 'findings'>;

/** Where the data of a report comes from, and what stands out in it. */
export function describeReport(
  groups: readonly SectionGroup[],
  stats: readonly SectionStats[],
  { filter, options, file }: { filter: Filter; options: ReportOptions; file: string | undefined },
): Omit<ReportHead, 'title'> {
  const { title: _, ...thresholds } = options;
  // Each section has a tool of its own; they are told one by one.
  const { tool: __, ...header } = groups[0]!.all[0]!.header;
  return { origin: sectionOrigin(header, filter, file).join(' · '), findings: findings(stats, thresholds) };
}

/** Entries of each list of numbers. */
const LISTED = 10;

async function allBytes(rendered: Rendered): Promise<Uint8Array> {
  if (rendered instanceof Uint8Array) return rendered;
  const pieces: Uint8Array[] = [];
  for await (const piece of rendered) pieces.push(piece);
  return Buffer.concat(pieces);
}
