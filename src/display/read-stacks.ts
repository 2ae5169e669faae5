import { isJoined, withHostFrames } from '../analysis/fleet/joined.ts';
import { isIdleStack, selectStackColumns } from '../analysis/select.ts';
import { StackPath } from '../common/stack-trie.ts';
import { formatShare, formatWeight, visible } from '../common/text.ts';
import type { DisplayJob } from './generic-display.ts';
import { StackTree } from './shape/tree.ts';

export interface ReadStacks {
  readonly tree: StackTree;
  /** What the weights count. */
  readonly unit: string;
  /** What is shown, and what is not, in words. */
  readonly numbers: readonly string[];
  /** What a person should be told, where something is hidden. */
  readonly note: string | undefined;
}

/** Nodes that are expected for each different stack, and at most. */
const NODES_PER_STACK = 6;
const MOST_EXPECTED = 1 << 24;

/** The stacks of a job that pass its filter, as a tree. Idle ones are left out and counted, unless they are to be shown. */
export async function readStacks(
  { section, group, filter, showIdle, by }: DisplayJob<unknown>,
  {
    countname = '',
    reversed = false,
  }: {
    /** Instead of the section's own unit; empty for that. */
    readonly countname?: string;
    /** The innermost frame first. */
    readonly reversed?: boolean;
  } = {},
): Promise<ReadStacks> {
  const { records } = section.header;
  const tree = new StackTree(Math.max(1024, Math.min(NODES_PER_STACK * (records ?? 0), MOST_EXPECTED)));
  const path = new StackPath(tree.trie);
  let idle = 0;
  let isIdle = false;
  const selected = selectStackColumns(group, section, filter);
  const { hosts = [] } = section.header;
  const isByHost = by === 'host' && isJoined(section);
  for await (const columns of isByHost ? withHostFrames(selected, await section.lineEnds(), hosts) : selected) {
    for (let i = 0; i < columns.length; i++) {
      path.move(columns, i);
      const weight = columns.weight[i]!;
      // The process stands at the root, or on its host.
      if (!showIdle && columns.shared[i]! <= (isByHost ? 1 : 0)) {
        isIdle = isIdleStack([isByHost ? path.second : path.root]);
      }
      if (isIdle) idle += weight;
      else if (weight > 0) tree.trie.addWeightAt(reversed ? path.reversedEnd() : path.end(), weight);
    }
  }
  const unit = visible(countname || section.header.weight?.unit || 'samples');
  const weight = formatWeight(idle, unit);
  const idleText = weight.endsWith(unit) ? weight.replace(/ /, ' idle ') : `${weight} idle`;
  const hidden = idle > 0 ? [`${idleText} hidden (${formatShare(idle, idle + tree.total)})`] : [];
  return {
    tree,
    unit,
    numbers: [formatWeight(tree.total, unit), ...hidden],
    note: hidden[0] === undefined ? undefined : `${hidden[0]}; --idle shows them`,
  };
}
