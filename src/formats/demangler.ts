import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { findExecutable } from '../common/executables.ts';
import { patience, startTool, type ToolProcess } from '../common/process.ts';

/** Milliseconds after which a c++filt is taken for one that answers only when there is nothing more to come. */
const ANSWER_MS = 1000;

/** The names of C++ and Rust functions as people write them, by c++filt (binutils): one process for all names of a recording. */
export class Demangler {
  readonly #isThere: boolean;
  #running: Running | undefined;
  #answersAtOnce = true;

  /** `program`: a path, or a name that is looked up as those of tools are. */
  constructor(private readonly program = 'c++filt') {
    this.#isThere = findExecutable(program, { optional: true }) !== undefined;
  }

  /** What it makes of names; undefined where there is no c++filt, or it fails. A name that is more than one line stays. */
  async demangle(names: readonly string[]): Promise<readonly string[] | undefined> {
    if (!this.#isThere) return undefined;
    const sent = names.filter((name) => !/[\r\n]/.test(name));
    if (sent.length === 0) return names;
    this.#running ??= new Running(this.program);
    const running = this.#running;
    running.input.write(`${sent.join('\n')}\n`);
    if (this.#answersAtOnce) {
      const over = new AbortController();
      const limit = sleep(patience(ANSWER_MS), undefined, { signal: over.signal }).catch(() => undefined);
      await Promise.race([running.lines(sent.length), limit]);
      over.abort();
      this.#answersAtOnce = running.has(sent.length);
    }
    if (!this.#answersAtOnce) await this.close();
    const readable = running.take(sent.length);
    if (readable === undefined) return undefined;
    let at = 0;
    return names.map((name) => (name === sent[at] ? readable[at++]! : name));
  }

  /** Ends the process. */
  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.end();
  }
}

/** A c++filt that runs, and the lines that it has printed. */
class Running {
  readonly input = new PassThrough();
  readonly tool: ToolProcess;
  #lines: string[] = [];
  #cut = '';
  #isOver = false;
  #told: () => void = () => undefined;

  constructor(program: string) {
    this.tool = startTool([program, '-p'], { input: this.input });
    this.tool.stdout.setEncoding('utf8');
    this.tool.stdout.on('data', (text: string) => {
      const lines = (this.#cut + text).split('\n');
      this.#cut = lines.pop()!;
      for (const line of lines) this.#lines.push(line);
      this.#told();
    });
    this.tool.exit.then(() => {
      this.#isOver = true;
      this.#told();
    });
  }

  has(count: number): boolean {
    return this.#lines.length >= count;
  }

  /** Waits for so many lines, or the end of the process. */
  async lines(count: number): Promise<void> {
    while (!this.has(count) && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  /** Lets it print the rest; one that does not come to an end is killed. */
  async end(): Promise<void> {
    this.input.end();
    const limit = setTimeout(() => void this.tool.stop(), patience(Number.POSITIVE_INFINITY));
    await this.tool.exit;
    clearTimeout(limit);
  }

  take(count: number): string[] | undefined {
    return this.has(count) ? this.#lines.splice(0, count) : undefined;
  }
}
