/** One resource of /proc/iomem. `end` is exclusive; both are bytes. */
export interface Resource {
  readonly start: number;
  readonly end: number;
  /** How many resources it lies in. */
  readonly depth: number;
  readonly name: string;
}

/** Physical pages from `start` up to, not including, `end`. */
export interface PageRange {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** A piece of the installed RAM: given to the kernel, or kept by the firmware. */
export interface RamArea extends PageRange {
  readonly firmware: boolean;
}

// 00100000-bfffffff : System RAM
//   01000000-022090c7 : Kernel code
/** /proc/iomem: what each range of the physical addresses is. Without CAP_SYS_ADMIN all addresses in it are 0. */
export function parseIomem(text: string): Resource[] {
  return [...text.matchAll(/^( *)([0-9a-f]+)-([0-9a-f]+) : (.*)$/gm)].map(([, indent, start, end, name]) => ({
    start: Number.parseInt(start!, 16),
    end: Number.parseInt(end!, 16) + 1,
    depth: indent!.length / 2,
    name: name!,
  }));
}

/** RAM that holds tables of the firmware. */
const FIRMWARE = /^(ACPI Tables|ACPI Non-volatile Storage|Unusable memory)$/i;
const RESERVED = /^reserved$/i;
const SYSTEM_RAM = /^System RAM\b/;

/**
 * The installed RAM, as the firmware has told the kernel of it, by address: all `System RAM`, the firmware's tables, and
 * those `Reserved` areas that adjoin any of them (system management, graphics, the BIOS below 1 MiB), but for windows of
 * the PCI bus in them. A `Reserved` area that stands alone holds registers of devices, not RAM. Of a page that is only in
 * part System RAM the kernel makes no use: it is the firmware's.
 */
export function installedRam(resources: readonly Resource[], pageSize: number): RamArea[] {
  const ram = resources
    .filter(({ name }) => SYSTEM_RAM.test(name))
    .map(({ start, end, name }) => ({
      start: Math.ceil(start / pageSize),
      end: Math.floor(end / pageSize),
      name,
      firmware: false,
    }))
    .filter(({ start, end }) => start < end);
  const areas = [
    ...ram,
    ...inPages(
      resources.filter(({ name }) => FIRMWARE.test(name)),
      ram,
      pageSize,
    ),
  ];
  let others = inPages(
    resources.filter(({ depth, name }) => depth === 0 && RESERVED.test(name)),
    areas,
    pageSize,
  );
  for (let found = true; found; ) {
    const adjoining = others.filter((other) =>
      areas.some(({ start, end }) => other.start === end || other.end === start),
    );
    areas.push(...adjoining);
    others = others.filter((other) => !adjoining.includes(other));
    found = adjoining.length > 0;
  }
  const windows = resources
    .filter(({ depth, name }) => depth > 0 && name.startsWith('PCI Bus'))
    .map(({ start, end, name }) => ({ start: Math.floor(start / pageSize), end: Math.ceil(end / pageSize), name }));
  return areas.flatMap((area) => (area.firmware ? without(area, windows) : [area])).sort((a, b) => a.start - b.start);
}

/** What the System RAM is said to hold (the kernel's code and data, a crash kernel), in pages, outer ranges first. */
export function namedRam(resources: readonly Resource[], pageSize: number): PageRange[] {
  const named: PageRange[] = [];
  let ramDepth = Number.POSITIVE_INFINITY;
  for (const { start, end, depth, name } of resources) {
    if (depth <= ramDepth) ramDepth = SYSTEM_RAM.test(name) ? depth : Number.POSITIVE_INFINITY;
    else named.push({ start: Math.floor(start / pageSize), end: Math.ceil(end / pageSize), name });
  }
  return named;
}

/** Areas of the firmware in whole pages, outwards, but for the pages that others have already. */
function inPages(resources: readonly Resource[], taken: readonly PageRange[], pageSize: number): RamArea[] {
  const areas: RamArea[] = [];
  for (const { start, end, name } of resources) {
    const area = { start: Math.floor(start / pageSize), end: Math.ceil(end / pageSize), name, firmware: true };
    areas.push(...without(area, [...taken, ...areas]));
  }
  return areas;
}

/** What of an area lies in none of the ranges. */
function without(area: RamArea, ranges: readonly PageRange[]): RamArea[] {
  let pieces = [area];
  for (const { start, end } of ranges) {
    pieces = pieces.flatMap((piece) =>
      end <= piece.start || start >= piece.end
        ? [piece]
        : [
            { ...piece, end: Math.min(piece.end, start) },
            { ...piece, start: Math.max(piece.start, end) },
          ].filter((rest) => rest.start < rest.end),
    );
  }
  return pieces;
}
