import { dirname } from 'node:path';
import type { SectionHeader } from '../../common/header.ts';
import type { DataFile } from '../../common/reader.ts';
import { joinWords, plural, visible } from '../../common/text.ts';
import { hostOf, hostOfFile } from './hosts.ts';
import { shifted } from './shifted.ts';

/** One host of several, and its file. */
export interface Member {
  readonly host: string;
  /** Its times are on the clock of all. */
  readonly file: DataFile;
}

/** Files of several hosts that were collected at the same time, on one clock. */
export interface Fleet {
  /** What messages and pictures call it: the folder where the files are in one, else the first file. */
  readonly path: string;
  /** At least two, in the order of their names. */
  readonly members: readonly Member[];
  /** What a reader must know of the clock: a sentence each. */
  readonly notes: readonly string[];
}

/** A wall clock's time, whole nanoseconds since the Unix epoch. */
type WallTime = bigint;

/** How a host's clock was to that of the machine that collected. */
interface Offset {
  readonly reference: string;
  readonly ns: number;
  readonly uncertainty: number;
}

/** When a file's run was, on the clock of the machine that collected where that is known. */
interface Run {
  readonly file: DataFile;
  readonly host: string;
  /** At the origin of the file's times. */
  readonly origin: WallTime;
  readonly start: WallTime;
  readonly end: WallTime;
  readonly offset: Offset | undefined;
}

const MS = 1_000_000;
/** A larger uncertainty is told: events closer than that may have come in another order. */
const MOST_UNCERTAIN = MS;
/** What a run that was cut off lasted at least, for there is something of it. */
const CUT_OFF: WallTime = 1_000_000_000n;

/**
 * Which files belong together: those of different hosts whose runs were at the same time for half of the shorter one at least.
 * Files that do not say of which host they are, repeats on one host, and runs one after the other stay by themselves.
 */
export function fleetsOf(files: readonly DataFile[]): (DataFile | Fleet)[] {
  const together: Run[][] = [];
  for (const file of files) {
    const run = runOf(file);
    const fits = run === undefined ? undefined : together.find((runs) => belongs(run, runs));
    if (fits === undefined) together.push([run ?? alone(file)]);
    else fits.push(run!);
  }
  return together.map((runs) => (runs.length === 1 ? runs[0]!.file : fleetOf(runs)));
}

function belongs(run: Run, [first, ...others]: readonly Run[]): boolean {
  if (first === undefined || first.host === '' || [first, ...others].some(({ host }) => host === run.host))
    return false;
  const shared = Number(least(run.end, first.end) - most(run.start, first.start));
  const shorter = Number(least(run.end - run.start, first.end - first.start));
  return shared > 0 && shared >= shorter / 2;
}

/** Of a file that is of no known host: nothing joins it. */
function alone(file: DataFile): Run {
  return { file, host: '', origin: 0n, start: 0n, end: 0n, offset: undefined };
}

/** Undefined where the file does not say of which host it is. */
function runOf(file: DataFile): Run | undefined {
  const headers = file.sections.map(({ header }) => header);
  const [first] = headers;
  if (first === undefined || headers.every((header) => hostOf(header) === undefined)) return undefined;
  const { clock } = headers.find((header) => header.clock !== undefined) ?? first;
  const offset = offsetOf(headers.find((header) => header.clock_offset !== undefined) ?? first);
  const corrected = (iso: string): WallTime => wallTime(iso) - BigInt(offset?.ns ?? 0);
  const starts = headers.map(({ start }) => corrected(start));
  const ends = headers.map(({ start, end }) => (end === null ? corrected(start) + CUT_OFF : corrected(end)));
  return {
    file,
    host: hostOfFile(file),
    origin: corrected(clock?.realtime ?? first.start),
    start: starts.reduce(least),
    end: ends.reduce(most),
    offset,
  };
}

/** What was measured at both ends of a run: their mean; half of what it changed by is uncertain too. */
function offsetOf({ clock_offset: offset }: SectionHeader): Offset | undefined {
  const measured = [offset?.start, offset?.end].filter((each) => each !== undefined);
  if (offset === undefined || measured.length === 0) return undefined;
  const values = measured.map(({ ns }) => ns);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return {
    reference: offset.reference,
    ns: Math.round((low + high) / 2),
    uncertainty: Math.max(...measured.map(({ uncertainty_ns }) => uncertainty_ns)) + (high - low) / 2,
  };
}

function fleetOf(runs: readonly Run[]): Fleet {
  const sorted = runs.toSorted((a, b) => byName(a.host, b.host));
  const origin = sorted.map((run) => run.origin).reduce(least);
  const folders = new Set(sorted.map(({ file }) => dirname(file.path)));
  const [folder] = folders;
  return {
    path: folders.size === 1 && folder !== '.' ? folder! : sorted[0]!.file.path,
    members: sorted.map((run) => ({ host: run.host, file: onClock(run, origin) })),
    notes: clockNotes(sorted),
  };
}

/** web2 before web10. */
function byName(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true }) || (a < b ? -1 : 1);
}

/** The file with times since the common origin. */
function onClock({ file, origin: own, offset }: Run, origin: WallTime): DataFile {
  const ns = Number(own - origin);
  const moved = (iso: string): string => isoTime(wallTime(iso) - BigInt(offset?.ns ?? 0));
  const clock = { name: 'CLOCK_REALTIME', origin: String(origin), realtime: isoTime(origin) };
  return {
    ...file,
    sections: file.sections.map((section) => {
      const { header } = section;
      const { start, end } = header;
      return shifted(section, ns, {
        ...header,
        ...(offset === undefined ? {} : { clock_offset: noOffset(offset) }),
        clock,
        start: moved(start),
        end: end === null ? null : moved(end),
      });
    }),
  };
}

/** That of a clock that has been put right: what is uncertain stays so. */
function noOffset({ reference, uncertainty }: Offset): NonNullable<SectionHeader['clock_offset']> {
  return { reference, start: { ns: 0, uncertainty_ns: Math.round(uncertainty) } };
}

function clockNotes(runs: readonly Run[]): string[] {
  const unknown = runs.filter(({ offset }) => offset === undefined);
  const references = new Set(runs.flatMap(({ offset }) => (offset === undefined ? [] : [offset.reference])));
  const notes: string[] = [];
  if (unknown.length > 0 || references.size > 1) {
    notes.push(
      `the hosts' own clocks are taken as right${unknown.length < runs.length ? ` where nothing else is known (${hostList(unknown)})` : ''}: times of different hosts are as far off as their clocks are`,
    );
  }
  const vague = runs
    .filter(({ offset }) => (offset?.uncertainty ?? 0) > MOST_UNCERTAIN)
    .toSorted((a, b) => b.offset!.uncertainty - a.offset!.uncertainty);
  if (vague.length > 0) {
    const worst = Number((vague[0]!.offset!.uncertainty / MS).toPrecision(2));
    notes.push(
      `the ${vague.length === 1 ? 'clock' : 'clocks'} of ${hostList(vague)} ${vague.length === 1 ? 'is' : 'are'} known to ${worst} ms only: what is closer may have come in another order`,
    );
  }
  return notes;
}

/** Hosts that a sentence names. */
const NAMED = 3;

function hostList(runs: readonly Run[]): string {
  return hostNames(runs.map(({ host }) => host));
}

/** Some hosts in words: `web1, web2, web3 and 37 more hosts`. */
export function hostNames(hosts: readonly string[]): string {
  const names = hosts.map(visible);
  if (names.length <= NAMED + 1) return joinWords(names);
  return `${names.slice(0, NAMED).join(', ')} and ${plural(names.length - NAMED, 'more host')}`;
}

function least<T extends bigint>(a: T, b: T): T {
  return a < b ? a : b;
}

function most<T extends bigint>(a: T, b: T): T {
  return a > b ? a : b;
}

/** An ISO time, of which Date keeps milliseconds alone. */
function wallTime(iso: string): WallTime {
  const [, fraction = ''] = /\.(\d+)/.exec(iso) ?? [];
  const seconds = Date.parse(iso.replace(/\.\d+/, '')) / 1000;
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

function isoTime(time: WallTime): string {
  const fraction = (time % 1_000_000_000n).toString().padStart(9, '0');
  const seconds = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${fraction.replace(/(?<=\d{3})(000)+$/, '')}Z`;
}
