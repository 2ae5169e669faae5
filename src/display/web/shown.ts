import { useEffect, useRef, useState } from 'preact/hooks';
import type { TimeRange } from '../shape/lanes.ts';
import type { Filter } from './filters.ts';
import type { PageData } from './model.ts';

/** Milliseconds that a range of time has to stay before it is asked for: keys move it step by step. */
export const SETTLES = 150;

/** What views show: the data and the filters that belong together. */
export interface Shown {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  /** What is being read meanwhile. */
  readonly waitsFor: TimeRange | undefined;
  /** Why that could not be had. */
  readonly problem: string | undefined;
}

/**
 * What is shown of a page by some filters. The page of a server asks for the range of time that they name; until that is there, what
 * was shown before stays.
 */
export function useShown(whole: PageData, filters: readonly Filter[]): Shown {
  const filter = filters.find(({ kind }) => kind === 'time');
  const time = whole.ofRange !== undefined && filter?.kind === 'time' ? filter : undefined;
  const [found, setFound] = useState<{ readonly time: TimeRange; readonly data: PageData } | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const last = useRef<Pick<Shown, 'data' | 'filters'>>({ data: whole, filters });
  useEffect(() => {
    setProblem(undefined);
    if (time === undefined || isSame(found?.time, time)) return undefined;
    const stop = new AbortController();
    const read = async (): Promise<void> => {
      try {
        const data = await whole.ofRange!(time, stop.signal);
        if (!stop.signal.aborted) setFound({ time, data });
      } catch (error) {
        if (!stop.signal.aborted) setProblem(error instanceof Error ? error.message : String(error));
      }
    };
    const timer = setTimeout(() => void read(), SETTLES);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [whole, time?.from, time?.to]);
  const data = time === undefined ? whole : isSame(found?.time, time) ? found!.data : undefined;
  if (data !== undefined) last.current = { data, filters };
  return { ...last.current, waitsFor: data === undefined ? time : undefined, problem };
}

function isSame(a: TimeRange | undefined, b: TimeRange): boolean {
  return a !== undefined && a.from === b.from && a.to === b.to;
}
