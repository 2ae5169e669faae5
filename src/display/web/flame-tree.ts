import { useMemo } from 'preact/hooks';
import { ChildLists } from '../shape/flame.ts';
import { timeTree } from '../shape/time-order.ts';
import { type Filter, maskOf } from './filters.ts';
import { onHosts } from './host-tree.ts';
import { processOf, type Section, type Stacks, stackLines } from './model.ts';
import { isIdleName, type ShownWeights, useBaseWeights, useStackWeights } from './stack-weights.ts';
import type { Base } from './views.ts';

/** In which order callees stand beside each other: by name, the heaviest first, or as they were called. */
export const ORDERS = ['name', 'weight', 'time'] as const;
export type Order = (typeof ORDERS)[number];

export interface FlameTree {
  readonly stacks: Stacks;
  readonly children: ChildLists;
  readonly weights: ShownWeights;
  /** By node, in what is compared with, where there is something. */
  readonly before: Float64Array | undefined;
  /** In the order of time: by node, the weight of all before it. */
  readonly starts: Float64Array | undefined;
}

interface FlameOptions {
  readonly order: Order;
  /** From the innermost frame outwards. */
  readonly isReversed: boolean;
  readonly showIdle: boolean;
  /** The host as the first frame. */
  readonly isByHost: boolean;
}

/** Whether it is known when each stack was seen. */
export function hasOrder({ naming }: Section): boolean {
  return naming?.times !== undefined && !naming.isReduced;
}

/** The stacks of a section as a flame graph has them. */
export function useFlameTree(
  section: Section,
  filters: readonly Filter[],
  base: Base | undefined,
  { order, isReversed, showIdle, isByHost }: FlameOptions,
): FlameTree {
  const stacks = useMemo(() => {
    const own = isReversed ? reversed(section.stacks!) : section.stacks!;
    return isByHost ? onHosts(own, section.header.hosts ?? []) : own;
  }, [section, isReversed, isByHost]);
  const isByTime = order === 'time' && hasOrder(section);
  const weights = useStackWeights(section, stacks, filters, showIdle);
  const before = useBaseWeights(section, stacks, isByTime ? undefined : base, showIdle)?.total;
  const inTime = useMemo(
    () => (isByTime ? inOrderOfTime(section, filters, isReversed, showIdle) : undefined),
    [section, filters, isReversed, showIdle, isByTime],
  );
  const byName = useMemo(() => new ChildLists(stacks), [stacks]);
  const children = useMemo(() => {
    if (inTime !== undefined) return new ChildLists(inTime, (a, b) => a - b);
    const { total } = weights;
    return order === 'weight' ? new ChildLists(stacks, (a, b) => total[b]! - total[a]! || a - b) : byName;
  }, [stacks, byName, inTime, weights, order]);
  if (inTime === undefined) return { stacks, children, weights, before, starts: undefined };
  const { names, parents, frames, total, self, starts } = inTime;
  return {
    stacks: { ...stacks, names, parents, frames },
    children,
    weights: { total, self, idle: weights.idle },
    before: undefined,
    starts,
  };
}

/** The stacks of each task as they followed each other, one task beside the other. */
function inOrderOfTime(
  { stacks, naming }: Section,
  filters: readonly Filter[],
  isReversed: boolean,
  showIdle: boolean,
): ReturnType<typeof timeTree> {
  const mask = maskOf(naming!, filters);
  const lineAt = stackLines(naming!);
  const isHidden = Uint8Array.from(stacks!.ends, (end) => (!showIdle && isIdleName(processOf(stacks!, end)) ? 1 : 0));
  const rows: number[] = [];
  for (let row = 0; row < naming!.rows; row++) {
    const line = lineAt(row);
    if (mask?.[row] !== 0 && line >= 0 && isHidden[line] === 0) rows.push(row);
  }
  const tasks = (naming!.columns.get('tid') ?? naming!.columns.get('pid'))?.values;
  // Rows are in the order of time.
  rows.sort((a, b) => (tasks?.[a] ?? 0) - (tasks?.[b] ?? 0) || a - b);
  const known = new Map<number, Int32Array>();
  const framesOf = (line: number): Int32Array => {
    let frames = known.get(line);
    if (frames === undefined) {
      const path: number[] = [];
      for (let node = stacks!.ends[line]!; node !== 0; node = stacks!.parents[node]!) path.push(stacks!.frames[node]!);
      frames = Int32Array.from(isReversed ? path : path.reverse());
      known.set(line, frames);
    }
    return frames;
  };
  const weights = naming!.columns.get('weight')?.values;
  return timeTree(stacks!.names, {
    length: rows.length,
    framesOf: (sample) => framesOf(lineAt(rows[sample]!)),
    weightOf: (sample) => weights?.[rows[sample]!] ?? 1,
  });
}

/** The same stacks from the innermost frame outwards. The lines keep their numbers. */
function reversed(stacks: Stacks): Stacks {
  const parents = [0];
  const frames = [0];
  const below: Map<number, number>[] = [new Map()];
  const ends = new Int32Array(stacks.ends.length);
  for (const [line, end] of stacks.ends.entries()) {
    let at = 0;
    for (let node = end; node !== 0; node = stacks.parents[node]!) {
      const frame = stacks.frames[node]!;
      let child = below[at]!.get(frame);
      if (child === undefined) {
        child = parents.length;
        parents.push(at);
        frames.push(frame);
        below.push(new Map());
        below[at]!.set(frame, child);
      }
      at = child;
    }
    ends[line] = at;
  }
  return { ...stacks, parents: Int32Array.from(parents), frames: Int32Array.from(frames), ends };
}
