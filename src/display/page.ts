import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { countField } from '../analysis/counted.ts';
import { isJoined, type JoinedSection } from '../analysis/fleet/joined.ts';
import { repeatedPoints } from '../analysis/repeated.ts';
import { isScheduling, type SchedulingState, stateBefore } from '../analysis/scheduling.ts';
import {
  answerable,
  type Filter,
  type SectionGroup,
  selectEvents,
  selectPoints,
  selectStackColumns,
} from '../analysis/select.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import type { SectionHeader } from '../common/header.ts';
import type { Column, SectionReader } from '../common/reader.ts';
import { StackPath, StackTrie } from '../common/stack-trie.ts';
import { formatCount, formatWeight, plural, visible } from '../common/text.ts';
import { type DisplayJob, SIGNATURE } from './generic-display.ts';
import { sectionNotes, sectionOrigin } from './notes.ts';
import { growingFloats } from './shape/growing.ts';
import { type FoldedTree, foldLightest } from './shape/heaviest.ts';
import { Packer } from './shape/packing.ts';
import type { PageColumn, PageManifest, PageSection, PageSpans, PageStacks } from './shape/page.ts';
import type { TaskSpans } from './shape/task-spans.ts';

/** Records of one section that a page can hold and a browser still draw at once. */
export const MAX_ROWS = 4_000_000;

/** Frames of stacks that a page holds, as different nodes of their tree. */
export const MOST_FRAMES = 1_000_000;

/**
 * One self-contained HTML page: the app of display/web and the data that it shows. Nothing is loaded from elsewhere.
 * @param tell is given what the page does not hold.
 * @throws MarpleError (2) where a section has more records than a page can hold.
 */
export async function renderPage(
  groups: readonly SectionGroup[],
  filter: Filter,
  about: Omit<PageManifest, 'version' | 'sections' | 'bytes' | 'filter'>,
  tell: (note: string) => void,
): Promise<Buffer> {
  const packer = new Packer();
  const sections: PageSection[] = [];
  for (const group of groups) {
    for (const section of group.all) {
      const packed = await packSection(group, section, answerable(group, section, filter), packer);
      for (const note of packed.notes.slice(sectionNotes(section.header).length)) tell(note);
      sections.push({ ...packed, ...stacksNamedBy(group, section) });
    }
  }
  return packedPage({ ...about, sections }, filter, packer);
}

/** Which section of the page holds the stacks that the records of this one name. */
export function stacksNamedBy(group: SectionGroup, { header }: SectionReader): Pick<PageSection, 'namesStacksOf'> {
  const stacks = group.all.find((other) => other.header.datatype === 'stack');
  return stacks !== undefined && header.fields?.includes('stack') === true ? { namesStacksOf: stacks.number } : {};
}

/** A page of sections that are packed already. */
export async function packedPage(
  about: Omit<PageManifest, 'version' | 'bytes' | 'filter'>,
  { from, to }: Filter,
  packer: Packer,
): Promise<Buffer> {
  const bytes = packer.bytes();
  const manifest: PageManifest = {
    version: 1,
    ...about,
    bytes: bytes.length,
    filter: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
  };
  return pageOf(manifest, bytes, await webApp());
}

/** The page of one view. `height` and `width` are the window's, unless they were asked for. */
export async function renderView(
  view: string,
  job: DisplayJob<unknown>,
  title: string,
  tell: (note: string) => void,
): Promise<Buffer> {
  const { group, section, filter, options, width, height, showIdle, file } = job;
  const about = {
    title,
    origin: sectionOrigin(section.header, filter, file).join(' · '),
    view,
    section: section.number,
    findings: [],
    options: options as Readonly<Record<string, unknown>>,
    showIdle,
    ...aboutHosts(section, job),
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
  };
  return renderPage([group], filter, about, tell);
}

/** What a page says of several hosts; nothing where there is one. */
export function aboutHosts(
  { header: { hosts } }: SectionReader,
  { by, known = [] }: Pick<DisplayJob<unknown>, 'by' | 'known'>,
): Pick<PageManifest, 'hosts' | 'byHost' | 'known'> {
  return {
    ...(hosts === undefined ? {} : { hosts }),
    ...(by === 'host' ? { byHost: true } : {}),
    ...(known.length === 0 ? {} : { known }),
  };
}

/**
 * One section, as far as it passes the filter.
 * @param known of scheduler events that are read only from some place on: what tasks and CPUs did before.
 */
export async function packSection(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  packer: Packer,
  known?: SchedulingState,
): Promise<PageSection> {
  const { number, header } = section;
  const about = { number, header, notes: sectionNotes(header) };
  switch (header.datatype) {
    case 'stack': {
      const { stacks, note } = await packStacks(group, section, filter, packer);
      return { ...about, columns: [], stacks, notes: note === undefined ? about.notes : [...about.notes, note] };
    }
    case 'datapoint':
      return { ...about, ...(await packPoints(section, filter, packer)) };
    case 'event': {
      const before = await stateBefore(section, filter, known);
      const columns = await packEvents(section, filter, packer);
      return { ...about, columns, ...(before === undefined ? {} : { before }) };
    }
  }
}

async function packPoints(
  section: SectionReader,
  filter: Filter,
  packer: Packer,
): Promise<Pick<PageSection, 'columns' | 'records'>> {
  const counted = countField(section.header);
  const fields = (section.header.fields ?? ['info']).filter((field) => field !== counted);
  const [x, y] = [growingFloats(), growingFloats()];
  const columns = fields.map((name) => new GrowingColumn(name));
  const want = fields.map((field) => ({ field, as: 'text' as const }));
  const points =
    counted === undefined
      ? { chunks: selectPoints(section, want, filter), records: undefined }
      : await repeatedPoints(section, want, counted, filter, MAX_ROWS / 2);
  for await (const chunk of points.chunks) {
    x.add(chunk.x);
    y.add(chunk.y);
    for (const [i, column] of chunk.columns.entries()) columns[i]!.add(column);
    checkRows(section, x.length);
  }
  const packed = [
    { name: 'x', values: packer.pack(x.values) },
    { name: 'y', values: packer.pack(y.values) },
    ...columns.map((column) => column.pack(packer)),
  ];
  return points.records === undefined ? { columns: packed } : { columns: packed, records: points.records };
}

async function packEvents(section: SectionReader, filter: Filter, packer: Packer): Promise<PageColumn[]> {
  const fields = section.header.fields ?? [];
  const time = growingFloats();
  const columns = ['type', ...fields].map((name) => new GrowingColumn(name));
  const want = fields.map((field) => ({ field, as: 'text' as const }));
  const ends = isScheduling(section.header) ? 'either' : 'own';
  for await (const events of selectEvents(section, want, filter, ends)) {
    time.add(events.time.map((ns) => ns / 1e9));
    for (const [i, column] of [events.type, ...events.columns].entries()) columns[i]!.add(column);
    checkRows(section, time.length);
  }
  return [{ name: 'time', values: packer.pack(time.values) }, ...columns.map((column) => column.pack(packer))];
}

function checkRows({ number, header }: SectionReader, rows: number): void {
  if (rows <= MAX_ROWS) return;
  throw new MarpleError(
    `section ${number} (${header.interface}) has more than ${formatCount(MAX_ROWS)} records, too many for one page`,
    EXIT.usage,
    header.hosts === undefined
      ? 'marple serve FILE shows all of it; --from SECONDS --to SECONDS, --pid and --comm take a part'
      : 'take a part: --host NAMES, --from SECONDS --to SECONDS, --comm; or add up: marple export --format summary',
  );
}

async function packStacks(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  packer: Packer,
): Promise<{ stacks: PageStacks; note: string | undefined }> {
  const trie = new StackTrie();
  const [ends, weights] = [growingFloats(), growingFloats()];
  const path = new StackPath(trie);
  for await (const columns of selectStackColumns(group, section, filter)) {
    for (let i = 0; i < columns.length; i++) {
      path.move(columns, i);
      // What does not pass keeps its line, for the records that name lines, and nothing else.
      ends.push(columns.weight[i]! > 0 ? path.end() : 0);
    }
    weights.add(columns.weight);
    checkRows(section, ends.length);
  }
  const folded = foldLightest(trie, Int32Array.from(ends.values), weights.values, MOST_FRAMES);
  return {
    stacks: {
      names: folded.names,
      parents: packer.pack(folded.parents),
      frames: packer.pack(folded.frames),
      ends: packer.pack(folded.ends),
      weights: packer.pack(weights.values),
      ...(isJoined(section) ? { hostLines: await hostLines(section) } : {}),
    },
    note: foldedNote(folded, section.header),
  };
}

async function hostLines(section: JoinedSection): Promise<NonNullable<PageStacks['hostLines']>> {
  const ends = await section.lineEnds();
  return ends.map(({ host, end }, i) => [host, end - (ends[i - 1]?.end ?? 0)] as const);
}

/** Says what of a tree is not there; undefined where all of it is. */
export function foldedNote({ folded, heaviest }: FoldedTree, { weight }: SectionHeader): string | undefined {
  if (folded === 0) return undefined;
  const most = formatWeight(heaviest, visible(weight?.unit ?? 'samples'));
  return `the ${plural(folded, 'lightest frame')}, of at most ${most} each, count for their callers: a page holds ${formatCount(MOST_FRAMES)} (--from, --to, --pid and --comm narrow it)`;
}

/** What the stacks of a section weigh, for a page that has the stacks. */
export async function packWeights(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  packer: Packer,
): Promise<PageSection> {
  const { number, header } = section;
  const weights = growingFloats();
  for await (const { weight } of selectStackColumns(group, section, filter)) weights.add(weight);
  return { number, header, notes: sectionNotes(header), columns: [], weights: packer.pack(weights.values) };
}

export function packSpans(spans: TaskSpans, packer: Packer): PageSpans {
  const { cpus, start, end, doing, ran, cpu, task, tasks, bins, waits } = spans;
  return {
    cpus,
    start: packer.pack(start),
    end: packer.pack(end),
    doing: packer.pack(doing),
    ran: packer.pack(ran),
    cpu: packer.pack(cpu),
    task: packer.pack(task),
    tasks,
    ...(bins === undefined ? {} : { bins }),
    ...(waits === undefined ? {} : { waits }),
  };
}

/** A column of texts, of which those that are all numbers become numbers. */
class GrowingColumn {
  readonly #ids = growingFloats();
  #dictionary: readonly string[] = [];

  constructor(readonly name: string) {}

  add({ values, dictionary }: Column): void {
    this.#ids.add(values);
    this.#dictionary = dictionary;
  }

  pack(packer: Packer): PageColumn {
    const { name } = this;
    const ids = this.#ids.values;
    const isNumber =
      this.#dictionary.length > 0 && this.#dictionary.every((text) => /^-?(0|[1-9]\d{0,14})$/.test(text));
    if (!isNumber) return { name, values: packer.pack(ids), texts: this.#dictionary };
    const numbers = this.#dictionary.map(Number);
    return { name, values: packer.pack(ids.map((id) => numbers[id]!)) };
  }
}

export interface WebApp {
  readonly script: string;
  readonly style: string;
}

/** The app behind every page. */
export async function webApp(): Promise<WebApp> {
  // scripts/web-app.mjs makes it from display/web when the command line is bundled.
  const { script, style } = await import('virtual:web-app');
  return { script, style };
}

/** Only what the page itself holds runs: the script is named by its hash (CSP level 3, "hash-source"), and is the worker's too. */
function pageOf(manifest: PageManifest, bytes: Uint8Array, app: WebApp): Buffer {
  const hash = createHash('sha256').update(app.script).digest('base64');
  const policy = `default-src 'none'; script-src 'sha256-${hash}'; worker-src blob:; style-src 'unsafe-inline'; img-src data: blob:`;
  const data = deflateRawSync(bytes, { level: 6 }).toString('base64');
  return Buffer.from(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<!-- ${SIGNATURE} -->
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${htmlText(manifest.title)}</title>
<style>${app.style}</style>
</head>
<body>
<div id="app"></div>
<noscript>This page draws its pictures itself, and needs JavaScript for that.</noscript>
<script type="application/json" id="manifest">${scriptJson(manifest)}</script>
<script type="application/octet-stream" id="data">${data}</script>
<script>${app.script}</script>
</body>
</html>
`);
}

/** JSON that cannot end the script element that it stands in, whatever names it holds. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
