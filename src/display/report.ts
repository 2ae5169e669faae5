import { z } from 'zod';
import { FINDING_TOP, findingOptions, findings } from '../analysis/findings.ts';
import { answerable } from '../analysis/select.ts';
import { type SectionStats, sectionStats } from '../analysis/stats.ts';
import { visible } from '../common/text.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { sectionOrigin } from './notes.ts';
import { renderPage } from './page.ts';

const optionsSchema = z.strictObject({
  /** Empty: chosen from what is shown. */
  title: z.string().default(''),
  ...findingOptions.shape,
});

export type ReportOptions = z.infer<typeof optionsSchema>;

/** One page of everything in the file: all sections on one clock, and one selection for all of them. */
export class Report extends GenericDisplay<ReportOptions> {
  static readonly description: ViewDescription<'report', ReportOptions> = {
    name: 'report',
    flag: '-r',
    long: '--report',
    summary: 'everything in the file on one page (HTML)',
    formats: ['html'],
    options: optionsSchema,
    fits: () => true,
    showsAll: true,
  };

  override async render(): Promise<Rendered> {
    const { section, groups, filter, title, options, showIdle } = this.job;
    const { title: ownTitle, ...thresholds } = options;
    // Each section has a tool of its own; the page tells them one by one.
    const { tool: _, ...header } = section.header;
    const stats: SectionStats[] = [];
    for (const group of groups) {
      for (const each of group.all) {
        stats.push(
          await sectionStats(group, each, { filter: answerable(group, each, filter), by: 'comm', top: FINDING_TOP }),
        );
      }
    }
    return renderPage(groups, filter, {
      title: visible(
        title ||
          options.title ||
          groups
            .map((group) => group.interface)
            .filter(isFirst)
            .join(', '),
      ),
      origin: sectionOrigin(header, filter).join(' · '),
      view: 'report',
      section: section.number,
      findings: findings(stats, thresholds),
      options: { ...options },
      showIdle,
    });
  }
}

function isFirst(name: string, at: number, all: readonly string[]): boolean {
  return all.indexOf(name) === at;
}
