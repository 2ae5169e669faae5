import * as z from 'zod';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { renderView } from './page.ts';
import { readStacks } from './read-stacks.ts';
import { textPage } from './text/page.ts';
import { treemapText } from './text/treemap.ts';

const optionsSchema = z.strictObject({
  /** Empty: chosen from what is shown. */
  title: z.string().default(''),
  /** Levels that are shown at once. */
  depth: z.coerce.number().int().min(1).max(6).default(1),
});

export type TreeMapOptions = z.infer<typeof optionsSchema>;

/** Stacks as boxes within boxes, areas proportional to weight; one goes down into a box by clicking it. */
export class TreeMap extends GenericDisplay<TreeMapOptions> {
  static readonly description: ViewDescription<'treemap', TreeMapOptions> = {
    name: 'treemap',
    flag: '-tm',
    long: '--treemap',
    summary: 'treemap of stacks, level by level (HTML, text)',
    formats: ['html', 'txt'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'stack',
  };

  override async render(): Promise<Rendered> {
    const { section, options, format, screen } = this.job;
    const { header } = section;
    const own = this.titleOr(options.title, `${header.interface}: ${header.weight?.label ?? 'stacks'}`);
    if (format === 'html') return renderView('treemap', this.job, own, this.tell);
    const { tree, unit, numbers, note } = await readStacks(this.job);
    if (note !== undefined) this.notes.push(note);
    return textPage(own, [[...this.origin(), ...numbers].join(' · ')], this.dataNotes(), screen, (area) =>
      treemapText(tree, options.depth, unit, area),
    );
  }
}
