/** Text that is put together piece by piece, as the bytes of UTF-8: many pieces as one string would be copied again and again. */
export class Utf8Text {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  add(text: string): void {
    // No unit of UTF-16 takes more.
    const most = this.#length + 3 * text.length;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * most);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** What was added so far. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
