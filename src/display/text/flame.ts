import { fitted, formatCount, textWidth, visible } from '../../common/text.ts';
import { heaviestNodes } from '../shape/heaviest.ts';
import type { StackTree } from '../shape/tree.ts';
import type { Screen } from './screen.ts';
import { ShareRows } from './share-rows.ts';

/** Processes and functions that are listed: of each a sixth of the lines. */
const LISTED = { least: 4, most: 10, share: 1 / 6 } as const;

/** A line of the tree: frames that all weight passes through, one on the other. */
interface Line {
  readonly frames: string[];
  readonly level: number;
  readonly total: number;
  readonly self: number;
}

/** What is listed below the tree, the largest first. */
export interface FlameList {
  readonly title: string;
  readonly entries: readonly { readonly name: string; readonly weight: number; readonly self?: number }[];
}

/** The heaviest stacks as an indented tree with bars, and lists of what is largest. */
export function flameText(tree: StackTree, lists: readonly FlameList[], unit: string, screen: Screen): string[] {
  if (tree.total === 0) return [`no ${unit}`];
  const length = Math.max(LISTED.least, Math.min(LISTED.most, Math.floor(screen.rows * LISTED.share)));
  const shown = lists.map(({ title, entries }) => ({ title, entries: entries.slice(0, length) }));
  const listed = shown.reduce((lines, { entries }) => lines + entries.length + 3, 0);
  const { lines, hidden } = treeLines(tree, Math.max(10, screen.rows - listed));
  const rows = new ShareRows(tree.total, screen, true);
  const { room } = rows;
  const own = (name: string): string => fitted(visible(name), room).trimEnd();
  return [
    rows.head('total', 'self', 'stacks'),
    ...lines.map(({ frames, level, total, self }) => {
      const indent = '  '.repeat(Math.min(level, Math.floor(room / 4)));
      return rows.row(total, self, indent + chain(frames, room - indent.length));
    }),
    ...(hidden > 0 ? [fitted(`and ${formatCount(hidden)} lighter frames`, screen.columns).trimEnd()] : []),
    ...shown.flatMap(({ title, entries }) => [
      '',
      rows.head('total', entries[0]?.self === undefined ? '' : 'self', title),
      ...entries.map(({ name, weight, self }) => rows.row(weight, self, own(name))),
    ]),
  ];
}

/** No stack is deeper, on the average. */
const FRAMES_PER_LINE = 200;

/** The heaviest frames in `count` lines, in the order of the tree, the heavier first. */
function treeLines(tree: StackTree, count: number): { lines: Line[]; hidden: number } {
  const { parents, frames, names } = tree.trie;
  const { total, self } = tree.weights();
  const continues = (node: number): boolean => parents[node] !== 0 && total[node] === total[parents[node]!];
  const isHeavy = heaviestNodes(total, 1 + FRAMES_PER_LINE * count);
  const byWeight: number[] = [];
  for (let node = 1; node < isHeavy.length; node++) if (isHeavy[node] === 1) byWeight.push(node);
  // A parent weighs as much as its child, or more, and has a lower number.
  byWeight.sort((a, b) => total[b]! - total[a]! || a - b);
  const children = new Map<number, number[]>();
  let begun = 0;
  let shown = 0;
  for (const node of byWeight) {
    if (!continues(node) && ++begun > count) break;
    const parent = parents[node]!;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [node]);
    else siblings.push(node);
    shown++;
  }
  const lines: Line[] = [];
  const pending = (children.get(0) ?? []).toReversed().map((node) => ({ node, level: 0 }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const own: string[] = [];
    let node = next.node;
    for (;;) {
      own.push(visible(names[frames[node]!]!));
      const [only] = children.get(node) ?? [];
      if (only === undefined || !continues(only)) break;
      node = only;
    }
    lines.push({ frames: own, level: next.level, total: total[node]!, self: self[node]! });
    for (const child of (children.get(node) ?? []).toReversed()) pending.push({ node: child, level: next.level + 1 });
  }
  return { lines, hidden: parents.length - 1 - shown };
}

/** Frames in `width` columns: the first and the last ones, and how many there are between. */
function chain(frames: readonly string[], width: number): string {
  const whole = frames.join(' › ');
  if (textWidth(whole) <= width || frames.length < 3) return fitted(whole, width).trimEnd();
  for (let kept = frames.length - 1; kept >= 2; kept--) {
    const first = frames.slice(0, Math.floor(kept / 2));
    const last = frames.slice(frames.length - Math.ceil(kept / 2));
    const text = [...first, `… ${frames.length - kept} …`, ...last].join(' › ');
    if (textWidth(text) <= width) return text;
  }
  const [first, last] = [frames[0]!, frames.at(-1)!];
  const text = `${first} › … ${frames.length - 2} … › `;
  return text.length < width - 8 ? text + fitted(last, width - textWidth(text)).trimEnd() : fitted(whole, width);
}
