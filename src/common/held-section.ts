import type { StackColumns } from './column-data.ts';
import type { Datatype, RecordOf, StackData } from './datatypes.ts';
import type { SectionHeader } from './header.ts';
import type { SectionReader } from './reader.ts';
import { stackColumns } from './stack-cursor.ts';

/** Stacks in memory, as records or as columns, as often as they are asked for. */
export interface HeldStacks {
  readonly size: number;
  stacks(): Iterable<StackData>;
  columns(): Iterable<StackColumns>;
}

export function listedStacks(records: readonly StackData[]): HeldStacks {
  return { size: records.length, stacks: () => records, columns: () => stackColumns(records) };
}

const BATCH = 4096;

/** Stacks in groups. */
export function* batchesOf(stacks: Iterable<StackData>): Generator<StackData[]> {
  let records: StackData[] = [];
  for (const stack of stacks) {
    records.push(stack);
    if (records.length < BATCH) continue;
    yield records;
    records = [];
  }
  if (records.length > 0) yield records;
}

/** A section of stacks that are in memory. */
export function heldStacks(number: number, header: SectionHeader, held: HeldStacks): SectionReader {
  return {
    number,
    header,
    async *batches<D extends Datatype>(datatype: D): AsyncGenerator<RecordOf[D][]> {
      if (datatype !== 'stack') return;
      for (const records of batchesOf(held.stacks())) yield records as RecordOf[D][];
    },
    async *points() {},
    async *events() {},
    async *stacks() {
      yield* held.columns();
    },
  };
}
