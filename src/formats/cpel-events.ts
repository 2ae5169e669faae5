import { isAboutOther } from '../analysis/about-other.ts';
import { isScheduling } from '../analysis/scheduling.ts';
import { type Filter, isWide, recordFields, type SectionGroup, selectEventRecords } from '../analysis/select.ts';
import type { EventData } from '../common/datatypes.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import type { SectionReader } from '../common/reader.ts';
import { formatCount, plural } from '../common/text.ts';
import {
  type CpelDraft,
  type CpelLog,
  type CpelSummary,
  draftCpel,
  LONGEST_NAME,
  MOST_DEFINITIONS,
  writeCpel,
} from './cpel-writer.ts';
import { type Exporter, type ExportSource, firstOf } from './exporter.ts';

/** The event log of the G2 viewer; `marple display -g2` writes the same, and starts the viewer. */
export const cpelExporter: Exporter = {
  format: 'cpel',
  summary: 'event log for the G2 viewer, of the first section whose events name a task or a CPU',
  run: exportCpel,
};

async function* exportCpel(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<Uint8Array> {
  const hasTracks = ({ header }: SectionReader) =>
    header.datatype === 'event' && ['pid', 'cpu'].some((field) => header.fields?.includes(field));
  const { number } = firstOf(source, hasTracks, 'events of tasks or CPUs', 'a CPEL file', warn);
  const group = source.groups.find(({ shown }) => shown.some((section) => section.number === number))!;
  const section = group.shown.find((shown) => shown.number === number)!;
  const tracks = section.header.fields?.includes('pid') === true ? 'pid' : 'cpu';
  const log = eventLog(group, section, source.filter, tracks, 'Written by MARPLE');
  const { draft, notes } = await draftEvents(log, section, source.filter, source.tempDir);
  for (const note of notes) warn(note);
  yield* writeCpel(draft);
}

/**
 * A log ready to be written, and what had to be changed so that G2 can show it.
 * @throws MarpleError (2) where there is nothing to be written.
 */
export async function draftEvents(
  log: CpelLog,
  { number, header }: SectionReader,
  filter: Filter,
  tempDir: string,
): Promise<{ draft: CpelDraft; notes: string[] }> {
  const draft = await draftCpel(log, tempDir);
  if (draft.summary.events > 0) return { draft, notes: notesOf(draft.summary) };
  const isNarrowed = !isWide(filter);
  throw new MarpleError(
    `section ${number} (${header.interface}) has no events${isNarrowed ? ' that pass the filter' : ''}, and G2 crashes on a file without any`,
    EXIT.usage,
    isNarrowed ? 'leave --from, --to, --pid and --comm out' : 'sudo marple collect --cpu -t 5',
  );
}

/** What will be written, in a few words. */
export function countsOf({ events, types, tracks }: CpelSummary): string {
  return `${plural(events, 'event')} of ${plural(types, 'type')} on ${plural(tracks, 'track')}`;
}

function notesOf(summary: CpelSummary): string[] {
  const { changedNames, mergedTypes, mergedTracks } = summary;
  const most = formatCount(MOST_DEFINITIONS);
  return [
    ...(summary.duration > 0 ? [] : ['all events are at one time: G2 draws nothing of them']),
    ...(summary.isSorted ? [] : ['the events were not in the order of time, and have been sorted']),
    ...(changedNames === 0
      ? []
      : [`${plural(changedNames, 'name')} changed, since G2 can show ${LONGEST_NAME} characters of ASCII without %`]),
    ...(mergedTypes === 0 ? [] : [`${plural(mergedTypes, 'event')} of further types are others: G2 takes ${most}`]),
    ...(mergedTracks === 0
      ? []
      : [`${plural(mergedTracks, 'event')} of further tracks are on the track others: ${most} are drawn`]),
  ];
}

/** The events of a section as a log, with a track for each task (pid) or CPU; see docs/g2.md for what stands where. */
export function eventLog(
  group: SectionGroup,
  section: SectionReader,
  filter: Filter,
  by: 'pid' | 'cpu',
  signature: string,
): CpelLog {
  const { header } = section;
  const fields = recordFields(group, section);
  const isSched = isScheduling(header);
  return {
    date: Math.floor(Date.parse(header.start) / 1000),
    // Also what cpelstate and cpelatency, which come with G2, take for these two.
    firstTypes: isSched ? ['switch', 'wakeup'] : [],
    signature,
    events: () => selectEventRecords(group, section, filter, isSched ? 'either' : 'own'),
    ...(by === 'cpu' ? cpuTracks(fields) : taskTracks(fields, isSched)),
  };
}

type Tracks = Pick<CpelLog, 'track' | 'trackName' | 'datums'>;

/** The track of events that name no task or CPU. */
const NONE = -1;

function cpuTracks(fields: readonly string[]): Tracks {
  const cpu = fields.indexOf('cpu');
  return {
    track: ({ datum }) => numberOf(datum[cpu]),
    trackName: ({ datum }) => ({
      name: numberOf(datum[cpu]) === NONE ? 'no cpu' : `cpu ${datum[cpu]}`,
      number: undefined,
    }),
    datums: datumsWithout(fields, 'cpu'),
  };
}

/** Scheduler events belong to the task that they are about: the one that comes to run, or is woken. */
function taskTracks(fields: readonly string[], isSched: boolean): Tracks {
  const endOf = (prefix: string) => ({
    pid: fields.indexOf(`${prefix}pid`),
    comm: fields.indexOf(`${prefix}comm`),
    datums: datumsWithout(fields, `${prefix}pid`, `${prefix}comm`),
  });
  const [own, other] = [endOf(''), endOf('other_')];
  const end = ({ type }: EventData) => (isSched && isAboutOther(type) ? other : own);
  return {
    track: (event) => numberOf(event.datum[end(event).pid]),
    trackName: (event) => {
      const { pid, comm } = end(event);
      const number = numberOf(event.datum[pid]);
      if (number === NONE) return { name: 'no task', number: undefined };
      // Each CPU has an idle task of its own name, all with the pid 0.
      return { name: number === 0 ? 'swapper' : (event.datum[comm] ?? ''), number };
    },
    datums: (offsetOf) => {
      const offsets = new Map([own, other].map((side) => [side, side.datums(offsetOf)]));
      return (event) => offsets.get(end(event))!(event);
    },
  };
}

function numberOf(text: string | undefined): number {
  return text === undefined || text === '' ? NONE : Number(text);
}

/** Texts that are remembered; more need more memory. */
const REMEMBERED = 1 << 17;

/** Where the values of the fields so far lead: by the number of its value to the next field, and at last to where the text stands. */
interface Known {
  readonly next: Known[];
  offset: number | undefined;
}

/** `cpu=1 state=S`: the fields that the track does not tell, as far as they are known. Events are many, and such texts few. */
function datumsWithout(fields: readonly string[], ...told: readonly string[]): CpelLog['datums'] {
  // What an event log has beside its tracks is imported under that name, and needs none when it is written again.
  const rest = fields.flatMap((field, place) =>
    told.includes(field) ? [] : [{ start: field === 'datum' ? '' : `${field}=`, place }],
  );
  const textOf = (datum: readonly string[]): string =>
    rest.flatMap(({ start, place }) => (datum[place] ? [start + datum[place]] : [])).join(' ');
  return (offsetOf) => {
    let known: Known = { next: [], offset: undefined };
    let values = rest.map(() => new Map<string, number>());
    let count = 0;
    return ({ datum }) => {
      let at = known;
      for (let i = 0; i < rest.length; i++) {
        const number = numberIn(values[i]!, datum[rest[i]!.place]!);
        at = at.next[number] ??= { next: [], offset: undefined };
      }
      if (at.offset !== undefined) return at.offset;
      at.offset = offsetOf(textOf(datum));
      if (++count === REMEMBERED) {
        known = { next: [], offset: undefined };
        values = rest.map(() => new Map());
        count = 0;
      }
      return at.offset;
    };
  };
}

/** Values are numbered as they come. */
function numberIn(numbers: Map<string, number>, value: string): number {
  let number = numbers.get(value);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(value, number);
  }
  return number;
}
