/*
 * Columns of numbers packed into bytes for a page, and unpacked in the browser. Every value comes out exactly as it went
 * in. Used on both sides, so nothing here is of Node or of the DOM.
 */

/** Where a packed column lies in the page's bytes, and how to read it. Plain JSON. */
export interface PackedColumn {
  readonly at: number;
  readonly bytes: number;
  readonly count: number;
  /**
   * `f64`: IEEE 754, little endian. `varint`: integers of seven bits a byte, the sign in the lowest bit, each the difference
   * to the one before where `delta`; divided by `scale` they are the values.
   */
  readonly encoding: 'f64' | 'varint';
  readonly scale: number;
  readonly delta: boolean;
}

/** Seconds that were nanoseconds, milliseconds that were nanoseconds, and so on. */
const SCALES = [1, 1e3, 1e6, 1e9] as const;

/** Gathers the bytes of columns. */
export class Packer {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  /** All that was packed. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Packs a column of finite numbers. */
  pack(values: ArrayLike<number>): PackedColumn {
    const at = this.#length;
    const count = values.length;
    const scale = SCALES.find((candidate) => isExact(values, candidate));
    if (scale === undefined) {
      this.#reserve(8 * count + 8);
      const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
      for (let i = 0; i < count; i++) view.setFloat64(at + 8 * i, values[i]!, true);
      this.#length += 8 * count;
      return { at, bytes: 8 * count, count, encoding: 'f64', scale: 1, delta: false };
    }
    const delta = isRising(values);
    let before = 0;
    for (let i = 0; i < count; i++) {
      const value = Math.round(values[i]! * scale);
      this.#varint(delta ? value - before : value);
      before = value;
    }
    return { at, bytes: this.#length - at, count, encoding: 'varint', scale, delta };
  }

  #varint(value: number): void {
    this.#reserve(10);
    // Zigzag by arithmetic: values have up to 53 bits.
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Whether all values are integers once they are multiplied, and the same again once they are divided. */
function isExact(values: ArrayLike<number>, scale: number): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const integer = Math.round(value * scale);
    // Twice the integer must be exact too, for the sign, and so must the difference of two.
    if (!(Math.abs(integer) < 2 ** 51) || integer / scale !== value || Object.is(value, -0)) return false;
  }
  return true;
}

function isRising(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return values.length > 1;
}

/** The values of a packed column. */
export function unpack(bytes: Uint8Array, column: PackedColumn): Float64Array {
  const { at, count, encoding, scale, delta } = column;
  const values = new Float64Array(count);
  if (encoding === 'f64') {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < count; i++) values[i] = view.getFloat64(at + 8 * i, true);
    return values;
  }
  let position = at;
  let before = 0;
  for (let i = 0; i < count; i++) {
    // Most are of one byte or two; what has more than 28 bits is beyond the integers that shifts are of.
    let byte = bytes[position++]!;
    let low = byte & 127;
    for (let shift = 7; byte >= 128 && shift < 28; shift += 7) {
      byte = bytes[position++]!;
      low |= (byte & 127) << shift;
    }
    let value: number;
    if (byte < 128) value = (low >>> 1) ^ -(low & 1);
    else {
      let rest = low;
      for (let factor = 2 ** 28; byte >= 128; factor *= 128) {
        byte = bytes[position++]!;
        rest += (byte & 127) * factor;
      }
      value = rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2;
    }
    before = delta ? before + value : value;
    values[i] = scale === 1 ? before : before / scale;
  }
  return values;
}
