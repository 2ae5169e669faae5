import { type Profiler, Session } from 'node:inspector';

/** How often each block of a script ran, as V8 counts it: what tells an input that does something new from one that does not. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  /** @param script the end of its URL. */
  constructor(readonly script: string) {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that have not been run before, or not by far as often, since the last call. */
  news(): number {
    let result: Profiler.ScriptCoverage[] = [];
    // In this process the answer is there at once.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      result = answer.result;
    });
    let news = 0;
    for (const { url, functions } of result) {
      if (!url.endsWith(this.script)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          const key = `${startOffset}-${endOffset}-${Math.min(16, Math.floor(Math.log2(count)))}`;
          if (this.#seen.has(key)) continue;
          this.#seen.add(key);
          news++;
        }
      }
    }
    return news;
  }
}
