import { isUtf8 } from 'node:buffer';
import { BYTE_BASE } from './codec.ts';

/**
 * Text of raw bytes, of the kernel or a tool: UTF-8, and every byte that is not part of valid UTF-8 as the lone
 * surrogate U+DC80 .. U+DCFF. (The kernel cuts a process name at 15 bytes, so half a character at its end is common.)
 */
export function decodeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let i = 0; i < buffer.length; ) {
    const length = sequenceLength(buffer, i);
    text += length > 0 ? buffer.toString('utf8', i, i + length) : String.fromCharCode(BYTE_BASE + buffer[i]!);
    i += Math.max(length, 1);
  }
  return text;
}

/** Length of the valid UTF-8 sequence at `start` (RFC 3629), 0 where there is none. */
function sequenceLength(bytes: Buffer, start: number): number {
  const first = bytes[start]!;
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  return length > 0 && start + length <= bytes.length && isUtf8(bytes.subarray(start, start + length)) ? length : 0;
}
