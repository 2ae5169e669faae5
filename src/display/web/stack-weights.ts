import { useMemo } from 'preact/hooks';
import { type NodeWeights, nodeTotals } from '../shape/flame.ts';
import { type Filter, rootOf, stackWeights } from './filters.ts';
import type { PageData, Section, Stacks } from './model.ts';

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
  data: PageData,
  section: Section,
  stacks: Stacks,
  filters: readonly Filter[],
  showIdle: boolean,
): ShownWeights {
  return useMemo(() => {
    const own = section.stacks!;
    const weights = Float64Array.from(stackWeights(data, section, filters));
    let idle = 0;
    for (let line = 0; line < weights.length; line++) {
      if (!IDLE.test(rootOf(own, own.ends[line]!))) continue;
      idle += weights[line]!;
      if (!showIdle) weights[line] = 0;
    }
    return { ...nodeTotals(stacks, stacks.ends, weights), idle };
  }, [data, section, stacks, filters, showIdle]);
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
  children: { of(node: number): Int32Array },
  total: Float64Array,
  from: number,
): { readonly matches: readonly boolean[] | undefined; readonly found: number } {
  const matches = useMemo(
    () => (pattern instanceof RegExp ? stacks.names.map((name) => pattern.test(name)) : undefined),
    [pattern, stacks],
  );
  const found = useMemo(
    () => (matches === undefined ? 0 : matchedWeight(stacks, children, total, from, matches)),
    [matches, stacks, children, total, from],
  );
  return { matches, found };
}

/** Weight at and below `from` of the outermost frames that match, so that nothing counts twice. */
export function matchedWeight(
  { frames }: Stacks,
  children: { of(node: number): Int32Array },
  total: Float64Array,
  from: number,
  matches: readonly boolean[],
): number {
  let sum = 0;
  const pending = [from];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node !== 0 && matches[frames[node]!] === true) sum += total[node]!;
    else for (const child of children.of(node)) pending.push(child);
  }
  return sum;
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
