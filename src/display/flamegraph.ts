import * as z from 'zod';
import { RamCounter, StackCounter } from '../analysis/stats/stacks.ts';
import type { StackData } from '../common/datatypes.ts';
import { UnavailableError } from '../common/errors.ts';
import { stackColumns } from '../common/stack-cursor.ts';
import { formatCount, plural, unitOfMany } from '../common/text.ts';
import { GenericDisplay, type Rendered, type ViewDescription } from './generic-display.ts';
import { renderView } from './page.ts';
import { drawWithScript, findScript } from './perl-flamegraph.ts';
import { readStacks } from './read-stacks.ts';
import { THEMES, type Theme } from './shape/frame-colour.ts';
import { layoutFlame, MOST_LEVELS, type StackTree, type WideTree, wideTree } from './shape/tree.ts';
import { drawFlame } from './svg-flamegraph.ts';
import { type FlameList, flameText } from './text/flame.ts';
import { textPage } from './text/page.ts';
import type { Screen } from './text/screen.ts';

const optionsSchema = z.strictObject({
  /** Empty: chosen from what is shown. */
  title: z.string().default(''),
  /** What the weights count; empty: the section's own unit. */
  countname: z.string().default(''),
  colors: z.enum(THEMES).default('hot'),
  width: z.coerce.number().int().min(200).max(20_000).default(1200),
  /** Frames narrower than this are left out, pixels. */
  minwidth: z.coerce.number().positive().max(100).default(0.1),
  /** The root above, and the stacks hanging down from it. */
  icicle: z.coerce.string().pipe(z.stringbool()).default(false),
  /** The innermost frames first: who calls what costs most. */
  reversed: z.coerce.string().pipe(z.stringbool()).default(false),
  /** auto: the script, and MARPLE's own renderer for what the script would take long for. */
  engine: z.enum(['auto', 'flamegraph.pl', 'builtin']).default('auto'),
});

export type FlameGraphOptions = z.infer<typeof optionsSchema>;

/** Pixels beside the frames, in both engines. */
const SIDES = 20;

/**
 * The own renderer takes a third of the time of flamegraph.pl, which is 0.05 to 0.1 s for a small picture and 0.6 s for 20,000
 * frames. That counts where there are many frames to draw, or many stacks to read before.
 */
const MOST_STACKS_FOR_SCRIPT = 10_000;
const MOST_FRAMES_FOR_SCRIPT = 20_000;

/** What both engines draw from. */
export interface FlamePicture {
  readonly tree: StackTree;
  /** What of it is drawn. */
  readonly wide: WideTree;
  readonly title: string;
  readonly subtitle: string;
  readonly footer: readonly string[];
  /** What the widths count, and how much of the weights is one of it. */
  readonly countname: string;
  readonly unitSize: number;
  readonly colors: Theme;
  readonly width: number;
  /** Whether it is as wide as the window where it is looked at; else it has its own width there too. */
  readonly fitsWindow: boolean;
  readonly minWidth: number;
  readonly icicle: boolean;
}

/** The stacks of a stack section, merged: the wider a frame, the more samples (or bytes, or time) it stands for. */
export class FlameGraph extends GenericDisplay<FlameGraphOptions> {
  static readonly description: ViewDescription<'flamegraph', FlameGraphOptions> = {
    name: 'flamegraph',
    flag: '-fg',
    long: '--flamegraph',
    summary: 'flame graph of stacks (SVG, HTML, text)',
    formats: ['svg', 'html', 'txt'],
    options: optionsSchema,
    fits: (header) => header.datatype === 'stack',
  };

  override async render(): Promise<Rendered> {
    if (this.job.format === 'html') return renderView('flamegraph', this.job, this.#title(), this.tell);
    if (this.job.format === 'txt') return this.#text();
    const picture = await this.#picture();
    if (this.job.height !== undefined) {
      this.notes.push('--height is not used: the stacks set how high a flame graph is');
    }
    if (this.#isForScript(picture)) {
      try {
        return await drawWithScript(findScript(), picture);
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        this.notes.push(`drawn by the built-in renderer: ${error.message}`);
      }
    }
    return drawFlame(picture, layoutFlame(picture.wide, picture.width - SIDES));
  }

  #isForScript({ tree, wide }: FlamePicture): boolean {
    const { engine } = this.job.options;
    // The script refuses an input without a single sample.
    if (engine === 'builtin' || tree.total === 0) return false;
    const frames = wide.parents.length - 1;
    const stacks = tree.trie.count;
    const hasManyStacks = stacks > MOST_STACKS_FOR_SCRIPT;
    if (engine === 'flamegraph.pl' || !(hasManyStacks || frames > MOST_FRAMES_FOR_SCRIPT)) return true;
    const many = hasManyStacks ? `${formatCount(stacks)} stacks` : `${formatCount(frames)} frames`;
    this.notes.push(
      `drawn by the built-in renderer, which is faster, as there are ${many}; for flamegraph.pl set [flamegraph] engine = flamegraph.pl`,
    );
    return false;
  }

  #title(): string {
    const { section, options } = this.job;
    const { header } = section;
    return this.titleOr(options.title, `${header.interface}: ${header.weight?.label ?? 'stacks'}`);
  }

  async #text(): Promise<Buffer> {
    const { section, screen, options } = this.job;
    const { header } = section;
    const counter = header.interface === 'memmap' ? new RamCounter(header) : new StackCounter(header);
    const { tree, title, subtitle, footer, countname } = await this.#picture();
    for (const columns of stackColumns(rootFirst(tree.trie.stacks(), options.reversed))) counter.add(columns);
    const lists = counter instanceof RamCounter ? ramLists(counter, screen) : stackLists(counter, screen);
    return textPage(title, [subtitle], footer, screen, (area) => flameText(tree, lists, countname, area));
  }

  async #picture(): Promise<FlamePicture> {
    const { options } = this.job;
    const { countname, reversed } = options;
    const { tree, unit, numbers, note } = await readStacks(this.job, { countname, reversed });
    if (note !== undefined) this.notes.push(note);
    const width = this.job.width ?? options.width;
    const wide = wideTree(tree, width - SIDES, options.minwidth);
    const { tooDeep } = wide;
    const deep =
      tooDeep === 0
        ? []
        : [
            `${plural(tooDeep, 'frame')} on top of ${formatCount(MOST_LEVELS)} others ${tooDeep === 1 ? 'is' : 'are'} not drawn`,
          ];
    this.notes.push(...deep);
    const narrow = this.job.format === 'svg' ? wide.narrow : 0;
    const many = countname === '' ? unitOfMany(tree.total, unit) : { unit, size: 1 };
    return {
      tree,
      wide,
      title: this.#title(),
      subtitle: [
        ...this.origin(),
        ...numbers,
        ...(narrow === 0 ? [] : [`${plural(narrow, 'frame')} too narrow to draw`]),
      ].join(' · '),
      footer: [...deep, ...this.dataNotes()],
      countname: many.unit,
      unitSize: many.size,
      colors: options.colors,
      width,
      fitsWindow: this.job.width === undefined,
      minWidth: options.minwidth,
      icicle: options.icicle,
    };
  }
}

function* rootFirst(stacks: Iterable<StackData>, isReversed: boolean): Generator<StackData> {
  for (const { stack, weight } of stacks) yield { weight, stack: isReversed ? stack.toReversed() : stack };
}

function stackLists(counter: StackCounter, { rows }: Screen): FlameList[] {
  const { processes, by_self: functions } = counter.stats(rows);
  return [
    { title: 'processes', entries: processes },
    {
      title: 'functions, by what they use themselves',
      entries: functions.map(({ name, self, total }) => ({ name, weight: total, self })),
    },
  ];
}

/** All stacks of RAM begin with it: what it is used for, and by whom, tells more. */
function ramLists(counter: RamCounter, { rows }: Screen): FlameList[] {
  const { uses, processes } = counter.stats(rows);
  return [
    { title: 'uses', entries: uses.map(({ name, zone, weight }) => ({ name: `${name} (${zone})`, weight })) },
    { title: 'processes', entries: processes },
  ];
}
