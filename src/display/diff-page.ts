import { answerable, type Filter, isIdleStack, type SectionGroup, selectStacks } from '../analysis/select.ts';
import { renumbered, type SectionReader } from '../common/reader.ts';
import { StackTrie } from '../common/stack-trie.ts';
import { foldedNote, MOST_FRAMES, packedPage, packSection } from './page.ts';
import { foldLightest } from './shape/heaviest.ts';
import { Packer } from './shape/packing.ts';
import type { PageDiff, PageSection } from './shape/page.ts';

export interface DiffPage {
  readonly title: string;
  readonly origin: string;
  readonly method: string;
  readonly tables: PageDiff['tables'];
  /** The sections of each run, by interface. */
  readonly before: readonly (readonly SectionGroup[])[];
  readonly after: readonly (readonly SectionGroup[])[];
  readonly filter: Filter;
}

/**
 * A page that compares: stacks are the mean of the runs of each side, points those of the first run. Idle time is left out.
 * @throws MarpleError (2) where a section has more records than a page can hold.
 */
export async function renderDiff(page: DiffPage): Promise<Buffer> {
  const packer = new Packer();
  const sections: PageSection[] = [];
  const stacks: number[] = [];
  const points: PageDiff['points'][number][] = [];
  const [firstBefore, firstAfter] = [page.before[0], page.after[0]];
  if (firstBefore === undefined || firstAfter === undefined) throw new TypeError('a comparison has two sides');
  for (const { group, section } of sectionsOf(firstAfter)) {
    const number = sections.length + 1;
    const inRuns = (runs: DiffPage['before']) =>
      runs.map((groups) => sectionsOf(groups).find((other) => isSame(other.section, section)));
    const [before, after] = [inRuns(page.before), inRuns(page.after)];
    if ([...before, ...after].includes(undefined)) continue;
    const sides = [before, after].map((runs) => runs.filter((run) => run !== undefined)) as [Found[], Found[]];
    if (section.header.datatype === 'stack') {
      sections.push(await packStackDiff(number, section, sides, page.filter, packer));
      stacks.push(number);
    } else if (section.header.datatype === 'datapoint') {
      const own = (found: Found, place: number) =>
        packSection(
          found.group,
          renumbered(found.section, place),
          answerable(found.group, found.section, page.filter),
          packer,
        );
      sections.push(await own(sides[0][0]!, number), await own({ group, section }, number + 1));
      points.push({ before: number, after: number + 1 });
    }
  }
  const { title, origin, method, tables } = page;
  const about = { title, origin, view: 'diff', section: 1, findings: [], options: {}, showIdle: false };
  return packedPage({ ...about, sections, diff: { method, tables, stacks, points } }, page.filter, packer);
}

interface Found {
  readonly group: SectionGroup;
  readonly section: SectionReader;
}

function sectionsOf(groups: readonly SectionGroup[]): Found[] {
  return groups.flatMap((group) => group.shown.map((section) => ({ group, section })));
}

/** Of one interface there may be a section per quantity. */
function isSame({ header: a }: SectionReader, { header: b }: SectionReader): boolean {
  return a.interface === b.interface && a.datatype === b.datatype && a.y?.label === b.y?.label;
}

/** The stacks of both sides in one tree: each different stack is a line, with what it weighs after, and before. */
async function packStackDiff(
  number: number,
  { header }: SectionReader,
  sides: readonly [readonly Found[], readonly Found[]],
  filter: Filter,
  packer: Packer,
): Promise<PageSection> {
  const trie = new StackTrie();
  const weights = sides.map(() => new Map<number, number>()) as [Map<number, number>, Map<number, number>];
  for (const [side, runs] of sides.entries()) {
    for (const { group, section } of runs) {
      for await (const { stack, weight } of selectStacks(group, section, answerable(group, section, filter))) {
        if (weight === 0 || isIdleStack(stack)) continue;
        const node = trie.add(stack);
        weights[side]!.set(node, (weights[side]!.get(node) ?? 0) + weight / runs.length);
      }
    }
  }
  const ends = Int32Array.from(new Set([...weights[0].keys(), ...weights[1].keys()]));
  const [before, after] = weights.map((side) => Float64Array.from(ends, (node) => side.get(node) ?? 0)) as [
    Float64Array,
    Float64Array,
  ];
  const both = after.map((weight, i) => weight + before[i]!);
  const folded = foldLightest(trie, ends, both, MOST_FRAMES);
  const note = foldedNote(folded, header);
  return {
    number,
    header,
    notes: note === undefined ? [] : [note],
    columns: [],
    stacks: {
      names: folded.names,
      parents: packer.pack(folded.parents),
      frames: packer.pack(folded.frames),
      ends: packer.pack(folded.ends),
      weights: packer.pack(after),
      baseline: packer.pack(before),
    },
  };
}
