import { isScheduling } from '../../analysis/scheduling.ts';
import { Summariser, type Summary } from '../../analysis/stats/summary.ts';
import { type Filter, maskOf } from './filters.ts';
import type { PageData, Section } from './model.ts';
import { PER_SLICE, type Sliced } from './sliced.ts';
import { scaleOfWaits, spanMask, taskSpansOf, waitsForCpu } from './task-spans.ts';

/** How long something took, over all records that pass the filters; milliseconds. */
export interface Latency {
  readonly section: Section;
  readonly name: string;
  readonly summary: Summary;
  /** How many each that was counted stands for: above 1 where they are some of all. */
  readonly scale: number;
}

/** How long tasks waited for a CPU, and for anything else, and I/Os for their disk: of each section that tells. */
export function* latencies(data: PageData, filters: readonly Filter[]): Sliced<Latency[]> {
  const found: Latency[] = [];
  for (const section of data.sections) {
    const name = nameOf(section);
    if (name === undefined) continue;
    const scale = isScheduling(section.header) ? scaleOfWaits(section) : section.scale;
    found.push({ section, name, summary: yield* summaryOf(section, filters), scale });
  }
  return found;
}

function nameOf(section: Section): string | undefined {
  const { header, records, named } = section;
  if (records === 0) return undefined;
  if (isScheduling(header)) return 'from ready to running';
  if (named?.header.weight?.unit === 'ns' && section.columns.has('weight')) return named.header.weight.label;
  return header.datatype === 'datapoint' && header.y?.unit === 'ms' ? header.y.label : undefined;
}

function* summaryOf(section: Section, filters: readonly Filter[]): Sliced<Summary> {
  const summary = new Summariser('all');
  if (isScheduling(section.header)) {
    const spans = taskSpansOf(section);
    yield* waitsForCpu(spans, spanMask(spans, filters, section.header.hosts), filters, (_, milliseconds) =>
      summary.add(milliseconds),
    );
    yield;
    return summary.summary();
  }
  const mask = maskOf(section, filters);
  const [column, unit] = section.columns.has('y') ? ['y', 1] : ['weight', 1e6];
  const { values } = section.columns.get(column)!;
  for (let row = 0; row < values.length; row++) {
    if (row % PER_SLICE === 0) yield;
    if (mask?.[row] !== 0) summary.add(values[row]! / unit);
  }
  yield;
  return summary.summary();
}
