/** The largest of some values, `count` at most, largest first; ties stay in the order in which they come. */
export function largest<Value>(values: Iterable<Value>, count: number, size: (value: Value) => number): Value[] {
  return Array.from(values, (value) => ({ value, size: size(value) }))
    .sort((a, b) => b.size - a.size)
    .slice(0, count)
    .map(({ value }) => value);
}
