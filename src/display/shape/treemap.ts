import { type HierarchyRectangularNode, hierarchy, treemap, treemapSquarify } from 'd3-hierarchy';
import type { ChildLists, NodeWeights } from './flame.ts';

/** What a rectangle of a treemap stands for. */
export type Part =
  | { readonly kind: 'node'; readonly node: number }
  /** What a node weighs by itself, beside its children. */
  | { readonly kind: 'self'; readonly node: number }
  /** Children that are too small to be seen by themselves. */
  | { readonly kind: 'rest'; readonly node: number; readonly count: number };

export interface TreemapBox {
  readonly part: Part;
  readonly weight: number;
  /** 1 for the children of the node that is shown, 2 for theirs. */
  readonly level: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Entry {
  readonly part: Part;
  readonly weight: number;
  readonly children: Entry[] | undefined;
}

/** Room for the name of a box that has others in it, pixels. */
export const HEAD = 17;
/** Boxes that are smaller than this are drawn as one, square pixels. */
const SMALLEST = 12;

/**
 * The boxes of `levels` levels below `node`, a parent before what is in it; areas are proportional to weights within each
 * box, and the weights of a level add up to that of the box around it. Of each level only what can be seen is laid out.
 */
export function treemapBoxes(
  children: ChildLists,
  { total, self }: NodeWeights,
  node: number,
  levels: number,
  width: number,
  height: number,
  smallestBox = SMALLEST,
): TreemapBox[] {
  if (!(total[node]! > 0) || width <= 0 || height <= 0) return [];
  const smallest = (smallestBox / (width * height)) * total[node]!;
  const entryOf = (part: Part, weight: number, deeper: number): Entry => ({
    part,
    weight,
    children: part.kind === 'node' && deeper > 0 ? below(part.node, deeper) : undefined,
  });
  const below = (parent: number, deeper: number): Entry[] | undefined => {
    const entries: Entry[] = [];
    let rest = 0;
    let count = 0;
    for (const child of children.of(parent)) {
      const weight = total[child]!;
      if (weight <= 0) continue;
      if (weight >= smallest) entries.push(entryOf({ kind: 'node', node: child }, weight, deeper - 1));
      else {
        rest += weight;
        count++;
      }
    }
    if (entries.length === 0 && count === 0) return undefined;
    if (count > 0) entries.push(entryOf({ kind: 'rest', node: parent, count }, rest, 0));
    if (self[parent]! > 0) entries.push(entryOf({ kind: 'self', node: parent }, self[parent]!, 0));
    return entries;
  };
  const root: Entry = {
    part: { kind: 'node', node },
    weight: total[node]!,
    children: below(node, levels) ?? [entryOf({ kind: 'self', node }, total[node]!, 0)],
  };
  const tree = hierarchy(root, (entry) => entry.children)
    .sum((entry) => (entry.children === undefined ? entry.weight : 0))
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const placed = treemap<Entry>()
    .tile(treemapSquarify)
    .size([width, height])
    .paddingInner(1)
    .paddingTop((box) => (box.depth > 0 && box.children !== undefined ? HEAD : 0))(tree);
  const boxes: TreemapBox[] = [];
  placed.eachBefore((box: HierarchyRectangularNode<Entry>) => {
    if (box.depth === 0) return;
    const { part, weight } = box.data;
    // Where there is no room for a name, what is below it would reach out.
    const [x, y] = [Math.min(box.x0, width), Math.min(box.y0, height)];
    boxes.push({
      part,
      weight,
      level: box.depth,
      x,
      y,
      width: Math.max(0, Math.min(box.x1, width) - x),
      height: Math.max(0, Math.min(box.y1, height) - y),
    });
  });
  return boxes;
}
