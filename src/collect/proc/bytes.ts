import { isUtf8 } from 'node:buffer';

/**
 * Text of bytes as a MARPLE file has them: UTF-8, and every byte that is not part of valid UTF-8 as the lone surrogate
 * U+DC80 .. U+DCFF. A comm is cut at 15 bytes, so half a character at its end is common.
 */
export function decodeBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length > 0) text += bytes.toString('utf8', i, i + length);
    else text += String.fromCharCode(0xdc00 + (bytes[i] as number));
    i += Math.max(length, 1);
  }
  return text;
}

/** Length of the valid UTF-8 sequence at `start`, 0 where there is none. */
function sequenceLength(bytes: Buffer, start: number): number {
  const first = bytes[start] as number;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  return length > 0 && start + length <= bytes.length && isUtf8(bytes.subarray(start, start + length)) ? length : 0;
}
