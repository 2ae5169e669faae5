/** Characters that become bytes at once. */
const PIECE = 16 * 1024;

/** Text that is put together piece by piece, as the bytes of UTF-8: many pieces as one string would be copied again and again. */
export class Utf8Text {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;
  #waiting = '';

  add(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length >= PIECE) this.#write();
  }

  /** What was added so far. */
  get bytes(): Buffer {
    this.#write();
    return this.#bytes.subarray(0, this.#length);
  }

  #write(): void {
    // No unit of UTF-16 takes more.
    const most = this.#length + 3 * this.#waiting.length;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * most);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(this.#waiting, this.#length);
    this.#waiting = '';
  }
}
