import { spawn } from 'node:child_process';
import { delimiter, resolve } from 'node:path';
import { z } from 'zod';
import { type Filter, recordFields, type SectionGroup, selectEventRecords } from '../analysis/select.ts';
import { isScheduling } from '../analysis/scheduling.ts';
import type { EventData } from '../common/datatypes.ts';
import { EXIT, errorMessage, MarpleError } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import type { SectionReader } from '../common/reader.ts';
import { formatCount, plural } from '../common/text.ts';
import { invokingUser } from '../common/user.ts';
import {
  type CpelLog,
  type CpelSummary,
  LONGEST_NAME,
  MOST_DEFINITIONS,
  planCpel,
  writeCpel,
} from '../formats/cpel.ts';
import { GenericDisplay, type Rendered, SIGNATURE, type ViewDescription } from './generic-display.ts';
import { viewerCommand } from './opener.ts';
import { chooseTracks, isAboutOther, TRACK_CHOICES, type TrackChoice, trackKinds } from './shape/track-choice.ts';

const optionsSchema = z.strictObject({
  /** What the tracks are: tasks (pid) or CPUs; auto takes tasks where the events name them. */
  track: z.enum(TRACK_CHOICES).default('auto'),
  /** Path of the G2 program; empty: looked for in PATH. */
  program: z.string().default(''),
});

export type G2Options = z.infer<typeof optionsSchema>;

/** An event log for the G2 viewer of FD.io VPP, which is started where it is installed. */
export class G2 extends GenericDisplay<G2Options> {
  static readonly description: ViewDescription<'g2', G2Options> = {
    name: 'g2',
    flag: '-g2',
    long: '--g2',
    summary: 'event log for the G2 viewer (CPEL)',
    formats: ['cpel'],
    options: optionsSchema,
    hasTracks: true,
    fits: (header) => trackKinds(header).length > 0,
  };

  /** G2 shows nothing of events that are all at one time. */
  #hasExtent = false;

  override async render(): Promise<Rendered> {
    const { group, section, filter, options } = this.job;
    const log = eventLog(group, section, filter, this.job.track ?? options.track);
    const plan = await planCpel(log);
    this.#check(plan.summary);
    return writeCpel(log, plan);
  }

  protected override async open(path: string): Promise<string | undefined> {
    if (!this.#hasExtent) return 'not opened: G2 draws nothing of events that are all at one time';
    const program = findG2(this.job.options.program, process.env['PATH'] ?? '');
    if (program === undefined) {
      return 'not opened: G2 is not installed (docs/g2.md says where to get it), and [g2] program in config.txt does not name it';
    }
    return startG2(program, resolve(path));
  }

  #check({ events, types, tracks, duration, changedNames, mergedTypes, mergedTracks, isSorted }: CpelSummary): void {
    const { section, filter } = this.job;
    if (events === 0) {
      throw new MarpleError(
        `section ${section.number} (${section.header.interface}) has no events${isNarrowed(filter) ? ' that pass the filter' : ''}, and G2 crashes on a file without any`,
        EXIT.usage,
        isNarrowed(filter) ? 'leave --from, --to, --pid and --comm out' : 'sudo marple collect --cpu -t 5',
      );
    }
    this.#hasExtent = duration > 0;
    this.notes.push(`${plural(events, 'event')} of ${plural(types, 'type')} on ${plural(tracks, 'track')}`);
    if (duration === 0) this.notes.push('all events are at one time: G2 draws nothing of them');
    if (!isSorted) this.notes.push('the events were not in the order of time, and have been sorted');
    if (changedNames > 0) {
      this.notes.push(
        `${plural(changedNames, 'name')} changed, since G2 can show ${LONGEST_NAME} characters of ASCII without %`,
      );
    }
    const most = formatCount(MOST_DEFINITIONS);
    if (mergedTypes > 0)
      this.notes.push(`${plural(mergedTypes, 'event')} of further types are others: G2 takes ${most}`);
    if (mergedTracks > 0) {
      this.notes.push(`${plural(mergedTracks, 'event')} of further tracks are on the track others: ${most} are drawn`);
    }
  }
}

function isNarrowed(filter: Filter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

/** The events of a section as a log; see docs/g2.md for what stands where. */
export function eventLog(group: SectionGroup, section: SectionReader, filter: Filter, choice: TrackChoice): CpelLog {
  const { header } = section;
  const fields = recordFields(group, section);
  const isSched = isScheduling(header);
  return {
    date: Math.floor(Date.parse(header.start) / 1000),
    // Also what cpelstate and cpelatency, which come with G2, take for these two.
    firstTypes: isSched ? ['switch', 'wakeup'] : [],
    signature: SIGNATURE,
    events: () => selectEventRecords(group, section, filter, isSched ? 'either' : 'own'),
    ...(chooseTracks(header, choice) === 'cpu' ? cpuTracks(fields) : taskTracks(fields, isSched)),
  };
}

type Tracks = Pick<CpelLog, 'track' | 'trackName' | 'datum'>;

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
    datum: datumWithout(fields, 'cpu'),
  };
}

/** Scheduler events belong to the task that they are about: the one that comes to run, or is woken. */
function taskTracks(fields: readonly string[], isSched: boolean): Tracks {
  const endOf = (prefix: string) => ({
    pid: fields.indexOf(`${prefix}pid`),
    comm: fields.indexOf(`${prefix}comm`),
    datum: datumWithout(fields, `${prefix}pid`, `${prefix}comm`),
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
    datum: (event) => end(event).datum(event),
  };
}

function numberOf(text: string | undefined): number {
  return text === undefined || text === '' ? NONE : Number(text);
}

/** `cpu=1 state=S`: the fields that the track does not tell, as far as they are known. */
function datumWithout(fields: readonly string[], ...told: readonly string[]): (event: EventData) => string {
  const rest = fields.flatMap((field, place) => (told.includes(field) ? [] : [{ start: `${field}=`, place }]));
  return ({ datum }) => {
    let text = '';
    for (const { start, place } of rest) {
      const value = datum[place];
      if (value) text += text === '' ? start + value : ` ${start}${value}`;
    }
    return text;
  };
}

/** The G2 program: where config says, else in PATH or the system's folders. */
export function findG2(configured: string, path: string): string | undefined {
  if (configured !== '') return findExecutable(configured, { optional: true });
  for (const folder of path.split(delimiter)) {
    // A relative folder would let whoever owns the current one choose what is run.
    const found = folder.startsWith('/') ? findExecutable(`${folder}/g2`, { optional: true }) : undefined;
    if (found !== undefined) return found;
  }
  return findExecutable('g2', { optional: true });
}

/** Starts G2 as the invoking user and does not wait for it. */
function startG2(program: string, path: string): Promise<string | undefined> {
  const [name, ...args] = viewerCommand(program, process.getuid?.() ?? 0, invokingUser(), process.env);
  return new Promise((done) => {
    const child = spawn(name as string, [...args, '--cpel-input', path], { detached: true, stdio: 'ignore' });
    child.once('error', (error) => done(`not opened: ${errorMessage(error)}`));
    child.once('spawn', () => {
      child.unref();
      done(undefined);
    });
  });
}
