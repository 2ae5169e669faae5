import { isScheduling } from '../../analysis/scheduling.ts';
import { hostOfCpu } from '../../common/host-keys.ts';
import { visible } from '../../common/text.ts';
import { busyLane, countLane, levelLane, maxLane, type TimeRange } from '../shape/lanes.ts';
import { TASK_RUNS, type TaskSpans } from '../shape/task-spans.ts';
import { appliesTo, type Filter, hostsIn, maskOf } from './filters.ts';
import type { PageData, Section } from './model.ts';
import { isIdleName } from './stack-weights.ts';
import { spanMask, taskSpansOf } from './task-spans.ts';

/** A section as one row of bars over a range of time. */
export interface Lane {
  readonly section: Section;
  readonly name: string;
  /** The host that it is of, where each of several has its own. */
  readonly host?: string;
  /** What the values are, and their unit. */
  readonly quantity: string;
  readonly unit: string;
  /** One for each of some bins of the same width. */
  readonly values: Float64Array;
  readonly most: number;
  /** The value at the upper edge, above 0. */
  readonly top: number;
  /** Whether the filters narrow it, or the section does not have what they ask for. */
  readonly obeys: boolean;
}

/** Pixels of a bin: of levels and maxima, and of rates, which a few records alone would make ragged. */
const FINE = 2;
const COARSE = 6;

/** Fields of levels and rates, and the values of them that are no use: time and memory that nobody has. */
const UNUSED: Readonly<Record<string, readonly string[]>> = { mode: ['idle', 'iowait'], use: ['free'] };

/** Whether the records of a section have a time, and there are any. */
export function hasLane(section: Section): boolean {
  return section.spans?.bins !== undefined || (section.times !== undefined && section.rows > 0);
}

/** Whether values at one time are parts of a whole, as memory is, and not each for itself, as latencies and shares are. */
export function isLevel({ header }: Section): boolean {
  return header.datatype === 'datapoint' && header.y?.unit !== 'ms' && header.y?.unit !== '%';
}

export function laneOf(
  data: PageData,
  section: Section,
  filters: readonly Filter[],
  range: TimeRange,
  pixels: number,
): Lane {
  const { header } = section;
  const [fine, coarse] = [FINE, COARSE].map((width) => Math.max(1, Math.floor(pixels / width))) as [number, number];
  const make = (quantity: string, unit: string, values: Float64Array, top?: number): Lane => {
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    return {
      section,
      name: visible(section.interface),
      quantity: visible(quantity),
      unit: visible(unit),
      values,
      most,
      top: top ?? (most || 1),
      obeys: filters.every((filter) => appliesTo(section, filter)),
    };
  };
  if (isScheduling(header)) {
    const spans = taskSpansOf(section);
    const mask = spanMask(spans, filters, section.header.hosts);
    const runs = (span: number): boolean => spans.doing[span] === TASK_RUNS && mask?.[span] !== 0;
    const busy = busyLane(
      spans.start,
      spans.end,
      runs,
      range,
      binsOf(spans, pixels, coarse),
      cpusOf(section, spans, filters),
    );
    return make(
      'CPUs busy',
      '%',
      busy.map((share) => 100 * share),
      100,
    );
  }
  const times = section.times!;
  const mask = maskOf(section, filters);
  if (header.datatype === 'event') {
    const { what, weights } = countedOf(section);
    const perSecond = (section.scale * coarse) / (range.to - range.from);
    const counts = countLane(times, notIdle(data, section, mask), range, coarse, weights);
    return make(
      what,
      '/s',
      counts.map((count) => count * perSecond),
    );
  }
  const y = section.columns.get('y')!.values;
  const { label, unit } = { label: 'y', unit: '', ...header.y };
  if (unit === '%') return make(`most ${label}`, unit, heldBefore(maxLane(times, y, mask, range, fine)));
  if (!isLevel(section)) return make(`longest ${label}`, unit, maxLane(times, y, mask, range, fine));
  const holds = unit.endsWith('/s') || unit === 'CPUs' ? 'before' : 'after';
  const used = Object.entries(UNUSED).find(([field]) => header.fields?.includes(field) === true);
  const kept =
    used === undefined
      ? mask
      : maskOf(section, [...filters, { kind: 'field', field: used[0], values: used[1], not: true }]);
  return make(used === undefined ? label : `${label} in use`, unit, levelLane(times, y, kept, range, fine, holds));
}

/** Of how many CPUs a share is: those of the hosts that are in. */
function cpusOf({ header }: Section, { cpu, cpus }: TaskSpans, filters: readonly Filter[]): number {
  const { hosts } = header;
  const chosen = hosts && hostsIn(filters, hosts);
  if (hosts === undefined || chosen === undefined) return cpus;
  const isIn = hosts.map((host) => chosen.includes(host));
  const seen = new Set<number>();
  for (const each of cpu) if (each >= 0 && isIn[hostOfCpu(each)] === true) seen.add(each);
  return Math.max(1, seen.size);
}

/** How many bins what tasks did is shown in: of sums so many that each has some of theirs, whole ones. */
function binsOf({ bins }: TaskSpans, pixels: number, coarse: number): number {
  let fewer = bins ?? coarse;
  while (fewer > pixels && fewer % 2 === 0) fewer /= 2;
  return fewer;
}

/** Of values that are means since the time before: a bin that has none has that of the next. */
function heldBefore(values: Float64Array): Float64Array {
  for (let bin = values.length - 2; bin >= 0; bin--) if (values[bin] === 0) values[bin] = values[bin + 1]!;
  return values;
}

/** The value at a time. */
export function laneAt({ values }: Lane, { from, to }: TimeRange, time: number): number {
  const bin = Math.floor(((time - from) / (to - from)) * values.length);
  return values[Math.min(values.length - 1, Math.max(0, bin))]!;
}

/** What is counted of events: samples by their weights; of waits, whose weights are times, each as one. */
function countedOf(section: Section): { what: string; weights?: Float64Array } {
  const weight = section.named?.header.weight;
  const weights = section.columns.get('weight')?.values;
  if (weight === undefined || weights === undefined) return { what: 'events' };
  return weight.unit === 'ns' ? { what: 'waits' } : { what: weight.label, weights };
}

/** Leaves idle time out of samples, where the page does. */
function notIdle(data: PageData, section: Section, mask: Uint8Array | undefined): Uint8Array | undefined {
  const comm = section.columns.get('comm');
  if (data.manifest.showIdle || !section.columns.has('stack') || comm?.texts === undefined) return mask;
  const idle = new Set(comm.texts.flatMap((text, i) => (isIdleName(text) ? [i] : [])));
  if (idle.size === 0) return mask;
  const kept = mask ?? new Uint8Array(section.rows).fill(1);
  for (let row = 0; row < kept.length; row++) if (idle.has(comm.values[row]!)) kept[row] = 0;
  return kept;
}
