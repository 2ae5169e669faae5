import { z } from 'zod';
import { visible } from '../common/text.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { renderView } from './page.ts';

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
    summary: 'treemap of stacks, level by level (HTML)',
    formats: ['html'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'stack',
  };

  override async render(): Promise<Rendered> {
    const { section, title, options } = this.job;
    const { header } = section;
    const own = title || options.title || `${header.interface}: ${header.weight?.label ?? 'stacks'}`;
    return renderView('treemap', this.job, visible(own));
  }
}
