import { fitted, formatCount, formatShare, textWidth, visible } from '../../common/text.ts';
import { ChildLists } from '../shape/flame.ts';
import { frameRgb } from '../shape/frame-colour.ts';
import type { StackTree } from '../shape/tree.ts';
import { type Part, treemapBoxes } from '../shape/treemap.ts';
import { CHARACTER, CharacterGrid, type Ink, type Screen, xtermColour } from './screen.ts';
import { ShareRows } from './share-rows.ts';

/** Lines that are listed below the boxes, out of all there are. */
const LISTED = { most: 12, share: 0.3 } as const;
/** Of what is listed, parts that are named beside it. */
const PARTS = 3;
const DARK_INK = 234;
/** Boxes of less than four characters cannot be told apart: they are one. */
const SMALLEST = 4 * CHARACTER.width * CHARACTER.height;

/** Where a box is, in characters; `right` and `bottom` are behind it. */
interface Cells {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Boxes within boxes, `levels` of them, and below them those of the first level as a list, with what is in them. */
export function treemapText(tree: StackTree, levels: number, unit: string, screen: Screen): string[] {
  if (tree.total === 0) return [`no ${unit}`];
  const { trie } = tree;
  const weights = tree.weights();
  const children = new ChildLists(trie);
  const nameOf = (node: number): string => visible(trie.names[trie.frames[node]!]!);
  const heaviest = (node: number): number[] =>
    [...children.of(node)].sort((a, b) => weights.total[b]! - weights.total[a]! || a - b);
  const first = heaviest(0);
  const listed = first.slice(0, Math.min(LISTED.most, Math.max(3, Math.floor(screen.rows * LISTED.share))));
  const hidden = first.length - listed.length;
  const rows = new ShareRows(tree.total, screen, false);
  const canvas = new CharacterGrid(screen.columns, Math.max(6, screen.rows - listed.length - (hidden > 0 ? 3 : 2)));
  const [width, height] = [canvas.columns * CHARACTER.width, canvas.rows * CHARACTER.height];
  for (const { part, weight, ...box } of treemapBoxes(children, weights, 0, levels, width, height, SMALLEST)) {
    const cells: Cells = {
      left: Math.round(box.x / CHARACTER.width),
      top: Math.round(box.y / CHARACTER.height),
      right: Math.round((box.x + box.width) / CHARACTER.width),
      bottom: Math.round((box.y + box.height) / CHARACTER.height),
    };
    const text = `${titleOf(part, nameOf)} ${formatShare(weight, tree.total)}`;
    const colour = part.kind === 'node' ? xtermColour(frameRgb(nameOf(part.node), 'hot')) : undefined;
    if (screen.hasColours) fillBox(canvas, cells, text, colour);
    else frameBox(canvas, cells, text);
  }
  return [
    ...canvas.lines(screen.hasColours),
    '',
    rows.head('total', '', 'by itself, and what is most of it'),
    ...listed.map((node) => {
      const parts = heaviest(node)
        .slice(0, PARTS)
        .map((child) => `${nameOf(child)} ${formatShare(weights.total[child]!, weights.total[node]!)}`);
      const text = parts.length === 0 ? nameOf(node) : `${nameOf(node)} › ${parts.join(', ')}`;
      return rows.row(weights.total[node]!, undefined, fitted(text, rows.room).trimEnd());
    }),
    ...(hidden > 0 ? [`and ${formatCount(hidden)} smaller`] : []),
  ];
}

function titleOf(part: Part, nameOf: (node: number) => string): string {
  switch (part.kind) {
    case 'node':
      return nameOf(part.node);
    case 'self':
      return 'itself';
    case 'rest':
      return `${formatCount(part.count)} smaller`;
  }
}

/** A box as an area of colour, with a little room to the next one. */
function fillBox(canvas: CharacterGrid, { left, top, right, bottom }: Cells, text: string, colour?: number): void {
  const back = colour ?? 250;
  const [end, last] = [Math.max(left + 1, right - 1), bottom - 1];
  for (let row = top; row < bottom; row++) {
    // The last line is filled in its upper half.
    const isHalf = row === last && bottom - top > 1;
    const ink: Ink = isHalf ? { front: back } : { front: DARK_INK, back };
    for (let column = left; column < end; column++) canvas.put(column, row, isHalf ? '▀' : ' ', ink);
    canvas.put(end, row, ' '.repeat(Math.max(0, right - end)));
  }
  writeIn(canvas, left, top, end - left, text, { front: DARK_INK, back });
}

/** A box as lines around it; one without room for them is grey. */
function frameBox(canvas: CharacterGrid, { left, top, right, bottom }: Cells, text: string): void {
  const width = right - left;
  if (width < 2 || bottom - top < 2) {
    for (let row = top; row < bottom; row++) canvas.put(left, row, '░'.repeat(Math.max(0, width)));
    return;
  }
  canvas.put(left, top, `┌${'─'.repeat(width - 2)}┐`);
  for (let row = top + 1; row < bottom - 1; row++) canvas.put(left, row, `│${' '.repeat(width - 2)}│`);
  canvas.put(left, bottom - 1, `└${'─'.repeat(width - 2)}┘`);
  writeIn(canvas, left + 1, top, width - 2, text, {});
}

/** Less than this of a name says nothing. */
const LEAST = 3;

function writeIn(canvas: CharacterGrid, left: number, row: number, room: number, text: string, ink: Ink): void {
  if (room < Math.min(LEAST, textWidth(text))) return;
  canvas.put(left, row, fitted(text, Math.min(room, textWidth(text))), ink);
}
