/** One memory zone of the kernel (struct zone, include/linux/mmzone.h); all counts are pages. */
export interface Zone {
  readonly node: number;
  readonly name: string;
  /** First page, and how many pages from it on the zone reaches over, holes included. */
  readonly start: number;
  readonly spanned: number;
  /** Pages that exist, and those of them that the page allocator was given. */
  readonly present: number;
  readonly managed: number;
  /** Pages in the allocator's lists, and pages that each CPU keeps at hand, which are free too. */
  readonly free: number;
  readonly onCpus: number;
}

// Node 0, zone   Normal
//   pages free     683803
//         spanned  5505024
//               count:    1873
//   start_pfn:           1048576
/** /proc/zoneinfo: the zones that have pages, in the kernel's order. */
export function parseZoneinfo(text: string): Zone[] {
  return text
    .split(/^(?=Node \d+, zone)/m)
    .map((part): Zone => {
      const [, node, name] = /^Node (\d+), zone +(\S+)/.exec(part) ?? [];
      const number = (label: string): number => Number(new RegExp(`^ +${label} +(\\d+)$`, 'm').exec(part)?.[1] ?? 0);
      const counts = [...part.matchAll(/^ +count: +(\d+)$/gm)];
      return {
        node: Number(node ?? 0),
        name: name ?? '',
        start: number('start_pfn:'),
        spanned: number('spanned'),
        present: number('present'),
        managed: number('managed'),
        free: number('pages free'),
        onCpus: counts.reduce((sum, [, count]) => sum + Number(count), 0),
      };
    })
    .filter(({ spanned }) => spanned > 0);
}
