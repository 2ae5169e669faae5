import { formatCount, formatShare, visible } from '../../common/text.ts';
import type { Stacks } from './model.ts';

const LISTED = 8;

interface StackListProps {
  readonly stacks: Stacks;
  /** Weights by the lines of the stacks. */
  readonly weights: ReadonlyMap<number, number>;
  /** What they are shares of. */
  readonly all: number;
  readonly text?: (weight: number) => string;
  /** Whether the first is open at first. */
  readonly isOpen?: boolean;
}

/** The stacks that weigh most, each to be opened. */
export function StackList({ stacks, weights, all, text = formatCount, isOpen = false }: StackListProps) {
  const sorted = [...weights].sort(([, a], [, b]) => b - a);
  return (
    <>
      {sorted.slice(0, LISTED).map(([line, weight], i) => {
        const frames = framesOf(stacks, stacks.ends[line]!);
        return (
          <details key={line} class="stack" open={isOpen && i === 0}>
            <summary>
              {text(weight)} <span class="faint">({formatShare(weight, all)})</span> {summaryOf(frames).join(' ← ')}
            </summary>
            <ol>
              {frames.map((frame, depth) => (
                // A recursive function stands in a stack more than once.
                <li key={depth}>{frame}</li>
              ))}
            </ol>
          </details>
        );
      })}
      {sorted.length > LISTED && <div class="faint">and {formatCount(sorted.length - LISTED)} more stacks</div>}
    </>
  );
}

/** Where it is and where it comes from: the two innermost and the two outermost frames. */
function summaryOf(frames: readonly string[]): readonly string[] {
  return frames.length <= 4 ? frames : [...frames.slice(0, 2), '…', ...frames.slice(-2)];
}

/** Innermost first. */
function framesOf(stacks: Stacks, end: number): string[] {
  const frames: string[] = [];
  for (let node = end; node > 0; node = stacks.parents[node]!)
    frames.push(visible(stacks.names[stacks.frames[node]!]!));
  return frames;
}
