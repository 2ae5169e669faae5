import type { Datatype, RecordOf, StackData } from './datatypes.ts';
import type { SectionHeader } from './header.ts';
import type { SectionReader } from './reader.ts';
import { stackColumns } from './stack-cursor.ts';

/** A section of stacks that are in memory. */
export function heldStacks(number: number, header: SectionHeader, stacks: readonly StackData[]): SectionReader {
  return {
    number,
    header,
    async *batches<D extends Datatype>(datatype: D): AsyncGenerator<RecordOf[D][]> {
      if (datatype === 'stack') yield [...stacks] as RecordOf[D][];
    },
    async *points() {},
    async *events() {},
    async *stacks() {
      yield* stackColumns(stacks);
    },
  };
}
