import { useMemo } from 'preact/hooks';
import { type ChildLists, type NodeWeights, nodeTotals } from '../shape/flame.ts';
import { matchedWeight } from '../shape/matches.ts';
import { useSaved } from './address.ts';
import { type Filter, stackWeights } from './filters.ts';
import { processOf, type Section, type Stacks, sameSection } from './model.ts';
import type { Base } from './views.ts';

/** The process name of idle time. */
const IDLE = /^swapper(\/\d+)?$/;

export function isIdleName(comm: string): boolean {
  return IDLE.test(comm);
}

export interface ShownWeights extends NodeWeights {
  /** Weight of idle time, whether it is shown or not. */
  readonly idle: number;
}

/** The weights of the nodes of `stacks` (the section's, or the same lines in another tree) over what passes the filters. */
export function useStackWeights(
  section: Section,
  stacks: Stacks,
  filters: readonly Filter[],
  showIdle: boolean,
): ShownWeights {
  return useMemo(() => shownWeights(section, stacks, filters, showIdle), [section, stacks, filters, showIdle]);
}

/** The same of what is compared with, where there is something. */
export function useBaseWeights(
  section: Section,
  stacks: Stacks,
  base: Base | undefined,
  showIdle: boolean,
): ShownWeights | undefined {
  return useMemo(
    () => base && shownWeights(sameSection(base.data, section) ?? section, stacks, base.filters, showIdle),
    [section, stacks, base, showIdle],
  );
}

function shownWeights(section: Section, stacks: Stacks, filters: readonly Filter[], showIdle: boolean): ShownWeights {
  const own = section.stacks!;
  const weights = stackWeights(section, filters);
  let idle = 0;
  for (let line = 0; line < weights.length; line++) {
    if (!IDLE.test(processOf(own, own.ends[line]!))) continue;
    idle += weights[line]!;
    if (!showIdle) weights[line] = 0;
  }
  return { ...nodeTotals(stacks, stacks.ends, weights), idle };
}

/** The share of a part in a whole, which may be nothing. */
export function shareOf(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

/** A step down a tree: to the child of a name, or to so many behind the first of them. */
type Step = string | readonly [name: string, place: number];

function isPath(value: unknown): value is readonly Step[] {
  const isStep = (step: unknown): boolean =>
    typeof step === 'string' || (Array.isArray(step) && typeof step[0] === 'string' && typeof step[1] === 'number');
  return Array.isArray(value) && value.every(isStep);
}

/** A node that is kept in the address, by the names on the way to it; 0 where these stacks have none such. */
export function useSavedNode(
  name: string,
  stacks: Stacks,
  children: ChildLists,
): [node: number, set: (node: number) => void] {
  const [path, setPath] = useSaved<readonly Step[]>(name, [], isPath);
  const namesakes = (parent: number, wanted: string | undefined): Int32Array =>
    children.of(parent).filter((child) => stacks.names[stacks.frames[child]!] === wanted);
  const node = useMemo(() => {
    let at = 0;
    for (const step of path) {
      const [wanted, place] = typeof step === 'string' ? [step, 0] : step;
      const next = namesakes(at, wanted)[place];
      if (next === undefined) return 0;
      at = next;
    }
    return at;
  }, [stacks, children, path]);
  const set = (next: number): void => {
    const steps: Step[] = [];
    for (let at = next; at !== 0; at = stacks.parents[at]!) {
      const own = stacks.names[stacks.frames[at]!]!;
      const place = namesakes(stacks.parents[at]!, own).indexOf(at);
      steps.unshift(place === 0 ? own : [own, place]);
    }
    setPath(steps);
  };
  return [node, set];
}

/** The names on the way to a node, and its own. */
export function namesTo({ names, parents, frames }: Stacks, node: number): string[] {
  const path: string[] = [];
  for (let at = node; at !== 0; at = parents[at]!) path.unshift(names[frames[at]!]!);
  return path;
}

/** What is typed into a search field: undefined where nothing is, `wrong` where it is no regular expression. */
export function useSearch(text: string): RegExp | 'wrong' | undefined {
  return useMemo(() => {
    if (text === '') return undefined;
    try {
      return new RegExp(text, 'iu');
    } catch {
      return 'wrong';
    }
  }, [text]);
}

/** Which names match (undefined where nothing is searched), and the weight found at and below `from`. */
export function useMatches(
  pattern: ReturnType<typeof useSearch>,
  stacks: Stacks,
  total: Float64Array,
  from: number,
): { readonly matches: readonly boolean[] | undefined; readonly found: number } {
  const matches = useMemo(
    () => (pattern instanceof RegExp ? stacks.names.map((name) => pattern.test(name)) : undefined),
    [pattern, stacks],
  );
  const found = useMemo(
    () => (matches === undefined ? 0 : matchedWeight(stacks, total, from, matches)),
    [matches, stacks, total, from],
  );
  return { matches, found };
}

/** The text, cut to a width with an ellipsis; empty where nothing readable is left. */
export function clipped(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low < 2 ? '' : `${text.slice(0, low)}…`;
}
