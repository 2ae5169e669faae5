/** A condition on the records, as the report's filters have it. */
export type FindingFilter =
  | { readonly kind: 'field'; readonly field: string; readonly values: readonly string[]; readonly not: boolean }
  /** A function that is in the stack. */
  | { readonly kind: 'frame'; readonly name: string; readonly not: boolean }
  | { readonly kind: 'values'; readonly interface: string; readonly from: number; readonly to: number };

export interface Finding {
  /** `warning`: the data is less than it seems, or the machine was in trouble; `note`: where to look. */
  readonly kind: 'warning' | 'note';
  /** Section that it is of, from 1. */
  readonly section: number;
  readonly interface: string;
  readonly sentence: string;
  /** The number that it rests on, in the unit that the sentence names. */
  readonly number: number;
  readonly select: readonly FindingFilter[];
}
