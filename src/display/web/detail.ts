import { useEffect, useState } from 'preact/hooks';
import type { Range } from '../shape/zoom.ts';
import { type PageData, type Section, sameSection } from './model.ts';
import { SETTLES } from './shown.ts';

/** So much more than what is seen is asked for, on either side: share of it. */
const MARGIN = 0.5;
/** What was given for up to so many times the time that is seen is fine enough. */
const FINE = 4;

interface Found {
  readonly of: Section;
  readonly section: Section;
  /** Nanoseconds. */
  readonly range: Range;
}

/** A section as it is shown for a range that is zoomed to. */
export interface Detail {
  readonly section: Section;
  /** Nanoseconds that were asked for; undefined where it is as it was. */
  readonly range: Range | undefined;
  readonly isReading: boolean;
  readonly problem: string | undefined;
}

/**
 * Of a section that has too many records, more of the range that is zoomed to: all of them, where there are few enough by then.
 * Until they are there, and where one has moved away from them, it is what the page has.
 * @param limits all of the time, nanoseconds.
 */
export function useDetail(data: PageData, section: Section, range: Range, limits: Range): Detail {
  const [found, setFound] = useState<Found | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const own = found !== undefined && found.of === section && isWithin(range, found.range) ? found : undefined;
  const isAll = range[1] - range[0] >= limits[1] - limits[0];
  const isFine =
    own !== undefined && (!own.section.isReduced || own.range[1] - own.range[0] <= FINE * (range[1] - range[0]));
  const needed = section.isReduced && data.ofRange !== undefined && !isAll && !isFine;
  useEffect(() => {
    if (!needed) return undefined;
    const stop = new AbortController();
    const wanted = widened(range, limits);
    const read = async (): Promise<void> => {
      try {
        const time = { from: wanted[0] / 1e9, to: wanted[1] / 1e9 };
        const part = sameSection(await data.ofRange!(time, stop.signal, section.number), section);
        if (part === undefined || stop.signal.aborted) return;
        setFound({ of: section, section: part, range: wanted });
        setProblem(undefined);
      } catch (error) {
        if (!stop.signal.aborted) setProblem(error instanceof Error ? error.message : String(error));
      }
    };
    const timer = setTimeout(() => void read(), SETTLES);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [needed, data, section, range[0], range[1], limits[0], limits[1]]);
  return {
    section: own?.section ?? section,
    range: own?.range,
    isReading: needed && problem === undefined,
    problem: needed ? problem : undefined,
  };
}

function isWithin([from, to]: Range, [start, end]: Range): boolean {
  return from >= start && to <= end;
}

function widened([from, to]: Range, limits: Range): Range {
  const by = MARGIN * (to - from);
  return [Math.max(limits[0], Math.floor(from - by)), Math.min(limits[1], Math.ceil(to + by))];
}
