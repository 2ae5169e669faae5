import { StringDecoder } from 'node:string_decoder';

/** A longer line is cut into several: who keeps to a protocol sends none. */
const LONGEST_LINE = 2 * 1024 * 1024;

/** Cuts bytes into lines as they come. */
export class LineCutter {
  readonly #decoder = new StringDecoder('utf8');
  #begun = '';

  constructor(readonly take: (line: string) => void) {}

  add(chunk: Buffer): void {
    const parts = (this.#begun + this.#decoder.write(chunk)).split('\n');
    this.#begun = parts.pop() as string;
    for (const part of parts) this.take(part.replace(/\r$/, ''));
    if (this.#begun.length > LONGEST_LINE) this.end();
  }

  /** Takes what has no end of a line. */
  end(): void {
    if (this.#begun !== '') this.take(this.#begun);
    this.#begun = '';
  }
}
