/** Pixels that are filled one rectangle at a time, far faster than a canvas does it: tens of thousands in a drawing. */
export class Pixels {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly #words: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8ClampedArray(4 * width * height);
    this.#words = new Uint32Array(this.data.buffer);
  }

  /** Fills all. */
  clear(colour: number): void {
    this.#words.fill(colour);
  }

  /** Fills what of a rectangle lies within; its edges are whole numbers. */
  fill(left: number, top: number, right: number, bottom: number, colour: number): void {
    const { width } = this;
    const [from, to] = [Math.max(0, left), Math.min(width, right)];
    const end = Math.min(this.height, bottom);
    if (from >= to) return;
    for (let y = Math.max(0, top); y < end; y++) {
      const row = y * width;
      // A loop is faster than fill() for a few pixels.
      if (to - from > 16) this.#words.fill(colour, row + from, row + to);
      else for (let x = from; x < to; x++) this.#words[row + x] = colour;
    }
  }
}

const words = new Map<string, number>();

/** `#0072b2` as a pixel: red, green, blue and alpha in the order of bytes of a canvas (little-endian). */
export function pixelOf(colour: string): number {
  let word = words.get(colour);
  if (word === undefined) {
    const value = /^#[0-9a-f]{6}$/i.test(colour) ? Number.parseInt(colour.slice(1), 16) : 0xffffff;
    word = (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
    words.set(colour, word);
  }
  return word;
}
