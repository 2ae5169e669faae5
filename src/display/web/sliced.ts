import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';

/*
 * Work on very many records, done in slices so that the page goes on answering: a generator that yields every now and then, and
 * returns what comes of it.
 */

/** Records between two yields of such a generator: some milliseconds. */
export const PER_SLICE = 1 << 16;

/** Milliseconds at once. What takes less is there at once. */
const AT_ONCE = 24;

export type Sliced<T> = Generator<undefined, T>;

interface Job<T> {
  readonly work: Sliced<T>;
  result: { readonly value: T } | undefined;
}

/** What comes of some work. */
export interface Result<T> {
  /** While it is worked out, that of before; undefined at first. */
  readonly value: T | undefined;
  readonly isStale: boolean;
}

/** Works something out, anew whenever `depends` changes. */
export function useSliced<T>(make: () => Sliced<T>, depends: readonly unknown[]): Result<T> {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const last = useRef<T | undefined>(undefined);
  const job = useMemo((): Job<T> => {
    const started: Job<T> = { work: make(), result: undefined };
    proceed(started);
    return started;
  }, depends);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const go = (): void => {
      proceed(job);
      if (job.result === undefined) timer = setTimeout(go);
      else redraw(undefined);
    };
    if (job.result === undefined) timer = setTimeout(go);
    return () => clearTimeout(timer);
  }, [job]);
  if (job.result !== undefined) last.current = job.result.value;
  return { value: last.current, isStale: job.result === undefined };
}

function proceed<T>(job: Job<T>): void {
  const start = performance.now();
  while (job.result === undefined && performance.now() - start < AT_ONCE) {
    const step = job.work.next();
    if (step.done === true) job.result = { value: step.value };
  }
}
