/** Whole numbers as `1,7-9`: mostly they come one after the other. */
export function rangesText(numbers: Iterable<number>): string {
  const ranges: [from: number, to: number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** Whether a number is in such a text; undefined where it is none. */
export function parseRanges(text: string): ((number: number) => boolean) | undefined {
  if (!/^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(text)) return undefined;
  const ranges = text === '' ? [] : text.split(',').map((range) => range.split('-').map(Number));
  const [starts, ends] = [ranges.map(([from]) => from!), ranges.map((range) => range.at(-1)!)];
  return (number) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= number) low = middle + 1;
      else high = middle;
    }
    return low > 0 && number <= ends[low - 1]!;
  };
}
