import { closeSync, readFileSync, readSync } from 'node:fs';
import { openRegular } from '../common/regular-file.ts';

/** Bytes that are read here and there. */
export interface ByteSource {
  readonly size: number;
  /** Undefined where there are not so many. The buffer may be shared. */
  bytes(offset: number, length: number): Buffer | undefined;
  close(): void;
}

/** A stretch of a file, bytes. */
export interface FilePart {
  readonly offset: number;
  readonly length: number;
}

/** No more is read at once: symbol tables of the largest programs have some 100 MB. */
const MOST = 1 << 30;

export class BufferSource implements ByteSource {
  constructor(private readonly buffer: Buffer) {}

  get size(): number {
    return this.buffer.length;
  }

  bytes(offset: number, length: number): Buffer | undefined {
    return offset + length > this.size ? undefined : this.buffer.subarray(offset, offset + length);
  }

  close(): void {}
}

/** A file, which whoever runs a program may have exchanged. Throws what openRegular() does. */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly #fd: number;

  constructor(path: string) {
    const { fd, status } = openRegular(path, { links: true });
    this.#fd = fd;
    this.size = status.size;
  }

  bytes(offset: number, length: number): Buffer | undefined {
    if (offset + length > this.size || length > MOST) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    for (let read = 0; read < length; ) {
      const count = readSync(this.#fd, bytes, read, length - read, offset + read);
      if (count === 0) return undefined;
      read += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/*
 * Parts of a file, as they are kept of a large one: a line of JSON with its size and where they were, then their bytes one
 * behind the other.
 *
 *     {"size":98932688,"parts":[{"offset":0,"length":64},{"offset":64,"length":616}]}
 */

export function encodeParts(source: ByteSource, parts: readonly FilePart[]): Buffer {
  const kept = parts.flatMap((part) => {
    const bytes = source.bytes(part.offset, part.length);
    return bytes === undefined ? [] : [{ part, bytes }];
  });
  const line = JSON.stringify({ size: source.size, parts: kept.map(({ part }) => part) });
  return Buffer.concat([Buffer.from(`${line}\n`), ...kept.map(({ bytes }) => bytes)]);
}

class PartsSource implements ByteSource {
  readonly size: number;
  readonly #parts: readonly { readonly offset: number; readonly bytes: Buffer }[];

  constructor(encoded: Buffer) {
    const end = encoded.indexOf('\n');
    const { size, parts } = JSON.parse(encoded.toString('utf8', 0, end)) as { size: number; parts: FilePart[] };
    let at = end + 1;
    this.size = size;
    this.#parts = parts.map(({ offset, length }) => {
      const bytes = encoded.subarray(at, at + length);
      at += length;
      return { offset, bytes };
    });
  }

  bytes(offset: number, length: number): Buffer | undefined {
    const part = this.#parts.find(
      (each) => offset >= each.offset && offset + length <= each.offset + each.bytes.length,
    );
    return part?.bytes.subarray(offset - part.offset, offset - part.offset + length);
  }

  close(): void {}
}

/** A file that was kept, whole or in parts. Throws what open(2) refuses, and SyntaxError where it is damaged. */
export function openKept(path: string): ByteSource {
  const bytes = readFileSync(path);
  return bytes[0] === 0x7b ? new PartsSource(bytes) : new BufferSource(bytes);
}
