import { ByteStrings } from './byte-strings.ts';
import { decodeBytes } from './decode-bytes.ts';

/** Bytes of texts that are remembered. */
const REMEMBERED = 4 * 1024 * 1024;

/** What texts mean, by their bytes: it is worked out once for those that come again and again. */
export class ByteMemo<T> {
  #texts = new ByteStrings();
  #values: T[] = [];
  /** That which was asked for last: often it comes again. */
  #last = 0;

  constructor(private readonly meaning: (text: string) => T) {}

  /** Of the text in bytes[start, end), which is as in decodeBytes. */
  at(bytes: Buffer, start: number, end: number): T {
    if (this.#values.length > 0 && this.#texts.endAt(this.#last, bytes, start) === end)
      return this.#values[this.#last]!;
    if (this.#texts.size > REMEMBERED) {
      this.#texts = new ByteStrings();
      this.#values = [];
    }
    const id = this.#texts.idAt(bytes, start, end);
    if (id === this.#values.length) this.#values.push(this.meaning(decodeBytes(bytes.subarray(start, end))));
    this.#last = id;
    return this.#values[id]!;
  }
}
