import { hostValue } from '../../common/host-keys.ts';
import type { EventTable, TableColumn } from './event-table.ts';
import { SPAN_RUNNING, SpanBuilder, Spans } from './spans.ts';
import type { TrackKind } from './track-choice.ts';
import type { Timeline, Track } from './tracks.ts';

/*
 * Conditions that a person types: `comm=^fio type=wakeup port!=80`. Each is FIELD=REGEX or FIELD!=REGEX, and all must hold;
 * a word without a field is looked for in the name of the process (in all texts, where there is none) and in the type. A field stands for the same of the
 * other end too, where events have two.
 */

export interface Term {
  /** Undefined: comm or type. */
  readonly field: string | undefined;
  readonly not: boolean;
  readonly matches: (text: string) => boolean;
}

/** @returns the conditions, or what is wrong with them. */
export function parseTerms(text: string): readonly Term[] | string {
  const terms: Term[] = [];
  for (const word of text.trim().split(/\s+/)) {
    if (word === '') continue;
    const [, field, not, source] = /^(?:([a-z_]+)(!?)=)?(.*)$/su.exec(word) as unknown as [
      string,
      string?,
      string?,
      string?,
    ];
    try {
      terms.push({ field, not: not === '!', matches: matcher(new RegExp(source ?? '', 'iu'), field) });
    } catch {
      return `${source} is no regular expression`;
    }
  }
  return terms;
}

/** Whoever types a pid means that of any host. */
function matcher(pattern: RegExp, field = ''): (text: string) => boolean {
  return (text) => pattern.test(hostValue(field, text).value);
}

/** Columns that are no fields. */
const MEASURED = new Set(['type', 'time', 'x', 'y']);

/** The fields that a condition may name: those of the section, and the type; `other_` stands for itself. */
export function knownFields({ columns }: Pick<EventTable, 'columns'>): string[] {
  const fields = [...columns.keys()].filter((field) => !MEASURED.has(field) && !field.startsWith('other_'));
  return ['type', ...fields];
}

/** Records of which conditions can be asked: events, or points, whose type is that of none. */
export type Searched = Pick<EventTable, 'length' | 'type' | 'columns'>;

/** Which records pass: 1 or 0 by row; undefined where all do. */
export function termMask(table: Searched, terms: readonly Term[]): Uint8Array | undefined {
  if (terms.length === 0) return undefined;
  const mask = new Uint8Array(table.length).fill(1);
  for (const { field, not, matches } of terms) {
    const columns = columnsOf(table, field).map(({ values, texts }) =>
      texts === undefined
        ? { values, passes: memo((value) => matches(String(value))) }
        : { values, passes: memo((place) => matches(texts[place] ?? '')) },
    );
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 1 && columns.some(({ values, passes }) => passes(values[row]!)) === not) mask[row] = 0;
    }
  }
  return mask;
}

/** What is left of a timeline. */
export interface Kept {
  /** Places of the tracks that are shown. */
  readonly tracks: readonly number[];
  /** The events of those tracks of which not all pass. */
  readonly rows: ReadonlyMap<number, Int32Array>;
  /** The links, by their places. */
  readonly links: Int32Array;
}

/**
 * The same tracks with those spans alone that pass the conditions on who ran there: on CPUs by tasks, of tasks by CPUs. A span off
 * the CPU is of no CPU.
 */
export function narrowSpans(timeline: Timeline, terms: readonly Term[]): Timeline {
  const { kind, tasks, tracks } = timeline;
  const asked = terms.filter(({ field }) => (kind === 'cpu' ? field === 'comm' || field === 'pid' : field === 'cpu'));
  if (asked.length === 0) return timeline;
  const textOf = (who: number, field: string | undefined): string => {
    if (kind === 'pid') return String(who);
    return (field === 'comm' ? tasks[who]?.comm : String(tasks[who]?.pid)) ?? '';
  };
  const passes = memo((who) => asked.every(({ field, not, matches }) => matches(textOf(who, field)) !== not));
  const narrow = ({ start, end, kind: what, who, row, length }: Spans): Spans => {
    const kept = new SpanBuilder();
    for (let i = 0; i < length; i++) {
      if (what[i] === SPAN_RUNNING && passes(who[i]!)) kept.add(start[i]!, end[i]!, what[i]!, who[i]!, row[i]!);
    }
    return new Spans(kept);
  };
  return { ...timeline, tracks: tracks.map((track) => ({ ...track, spans: narrow(track.spans) })) };
}

/** Narrows a timeline to what passes all conditions. */
export function keepOf(timeline: Timeline, terms: readonly Term[]): Kept {
  const { table, tracks, links, kind, linksMatter, bins } = timeline;
  const mask = termMask(table, terms);
  const all = Int32Array.from(links.rows, (_, link) => link);
  if (mask === undefined) return { tracks: tracks.map((_, place) => place), rows: new Map(), links: all };
  // Of sums there are no events to ask.
  const asksOfEvents =
    bins === undefined &&
    terms.some(({ field }) => field !== 'comm' && field !== 'pid' && field !== 'cpu' && field !== 'host');
  const rows = new Map<number, Int32Array>();
  const shown: number[] = [];
  for (const [place, track] of tracks.entries()) {
    const kept = track.rows.filter((row) => mask[row] === 1);
    rows.set(place, kept);
    const passes =
      trackPasses(track, kind, terms, bins !== undefined) &&
      (kept.length > 0 || (!asksOfEvents && track.spans.length > 0));
    // Of who talks to whom both ends are shown.
    if (passes || (linksMatter && kept.length > 0)) shown.push(place);
  }
  const isShown = new Set(shown);
  return {
    tracks: shown,
    rows,
    links: all.filter(
      (link) => mask[links.rows[link]!] === 1 && isShown.has(links.from[link]!) && isShown.has(links.to[link]!),
    ),
  };
}

/** Whether a track passes the conditions on what it is: its name and its number. */
function trackPasses(
  { comm, key, host, spans }: Track,
  kind: TrackKind,
  terms: readonly Term[],
  isSums: boolean,
): boolean {
  return terms.every(({ field, not, matches }) => {
    if ((field === 'comm' || (isSums && field === undefined)) && kind === 'pid') return matches(comm) !== not;
    if (field === kind) return matches(String(key)) !== not;
    if (field === 'host' && host !== undefined) return matches(host) !== not;
    if (field === 'cpu' && spans.length > 0) return ranOn(spans, matches) !== not;
    return true;
  });
}

function columnsOf({ columns, type }: Searched, field: string | undefined): TableColumn[] {
  if (field === 'type') return [type];
  const names = field === undefined ? ['comm', 'other_comm'] : [field, `other_${field}`];
  const found = names.flatMap((name) => columns.get(name) ?? []);
  if (field !== undefined) return found;
  // What is of no process is of something else that has a name.
  return [...(found.length > 0 ? found : [...columns.values()].filter(({ texts }) => texts !== undefined)), type];
}

/** The same answers, asked for once each. */
function memo(passes: (value: number) => boolean): (value: number) => boolean {
  const answers = new Map<number, boolean>();
  return (value) => {
    let answer = answers.get(value);
    if (answer === undefined) {
      answer = passes(value);
      answers.set(value, answer);
    }
    return answer;
  };
}

/** Whether a task ran on one of some CPUs. */
function ranOn({ kind, who }: Spans, matches: (cpu: string) => boolean): boolean {
  return who.some((cpu, i) => kind[i] === SPAN_RUNNING && matches(String(cpu)));
}
