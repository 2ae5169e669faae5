import { formatCount, formatValue, joinWords, plural, visible } from '../../common/text.ts';
import type { TimeRange } from '../shape/lanes.ts';
import type { PageData, Section } from './model.ts';
import type { Shown } from './shown.ts';

/** Records are not spread evenly: so much of the time that would have room is offered. */
const ROOM = 0.9;

interface ReducedProps {
  readonly shown: Shown;
  /** What is compared with, where something is. */
  readonly base: Shown | undefined;
  /** All of the time. */
  readonly range: TimeRange;
  readonly onTime: (range: TimeRange) => void;
}

/** Says what of the data is not shown, and offers a range of time that has room; or what is being read. Nothing where all is shown. */
export function Reduced({ shown, base, range, onTime }: ReducedProps) {
  const waiting = shown.waitsFor ?? base?.waitsFor;
  const problem = shown.problem ?? base?.problem;
  const reduced = shown.data.sections.filter(({ isReduced }) => isReduced);
  if (problem !== undefined) {
    return (
      <section class="bar reduced bad" role="alert">
        This range of time cannot be had: {problem}
      </section>
    );
  }
  if (waiting !== undefined) {
    return (
      <section class="bar reduced" role="status">
        Reading {formatValue(waiting.from)} to {formatValue(waiting.to)} s; what is below is as it was
      </section>
    );
  }
  if (reduced.length === 0) return null;
  return (
    <section class="bar reduced" role="status">
      <span class="space">
        Shown are {joinWords(reduced.map(describe))}. A shorter time in the lanes has room for all.
      </span>
      <SelectButton data={shown.data} range={range} onTime={onTime} />
    </section>
  );
}

/** Selects a range of time that has room for all records. */
function SelectButton({ data, range, onTime }: { readonly data: PageData } & Pick<ReducedProps, 'range' | 'onTime'>) {
  const offered = offer(data, range);
  return (
    <button type="button" onClick={() => onTime(offered)}>
      Select {formatValue(offered.to - offered.from)} s
    </button>
  );
}

function describe({ interface: name, records, rows, header }: Section): string {
  if (rows === 0) return `sums of ${plural(records, 'event')} of ${visible(name)}`;
  const noun = header.datatype === 'datapoint' ? 'point' : 'event';
  return `${formatCount(rows)} of ${plural(records, noun)} of ${visible(name)}, evenly picked`;
}

/** So much from the middle of what is selected that all records of it will be shown, about. */
function offer({ manifest, sections }: PageData, all: TimeRange): TimeRange {
  const { from, to } = { ...all, ...manifest.filter };
  const reduced = sections.filter(({ isReduced }) => isReduced);
  const share = Math.min(1, ...reduced.map(({ records }) => (manifest.served?.most ?? records) / records));
  const seconds = Number((ROOM * share * (to - from)).toPrecision(2));
  const start = Math.max(all.from, Number((from + (to - from - seconds) / 2).toPrecision(4)));
  return { from: start, to: Math.min(all.to, start + seconds) };
}
