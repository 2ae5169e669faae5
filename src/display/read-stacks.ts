import { isIdleStack, selectStacks } from '../analysis/select.ts';
import type { StackData } from '../common/datatypes.ts';
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

/** The stacks of a job that pass its filter, as a tree. Idle ones are left out and counted, unless they are to be shown. */
export async function readStacks(
  { section, group, filter, showIdle }: DisplayJob<unknown>,
  {
    countname = '',
    reversed = false,
    visit = () => undefined,
  }: {
    /** Instead of the section's own unit; empty for that. */
    readonly countname?: string;
    /** The innermost frame first. */
    readonly reversed?: boolean;
    readonly visit?: (stack: StackData) => void;
  } = {},
): Promise<ReadStacks> {
  const tree = new StackTree();
  let idle = 0;
  for await (const record of selectStacks(group, section, filter)) {
    visit(record);
    const { stack, weight } = record;
    if (!showIdle && isIdleStack(stack)) idle += weight;
    else tree.add(reversed ? stack.toReversed() : stack, weight);
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
