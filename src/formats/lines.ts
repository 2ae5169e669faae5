import { decodeBytes } from '../common/decode-bytes.ts';

const NEWLINE = 10;
/** A line longer than this is cut, so that input without newlines does not fill the memory. */
const LONGEST_LINE = 1 << 20;

/**
 * The bytes of a stream in pieces that end where a line does, without the last newline of each. The last line need not end in
 * one; a line over 1 MiB comes in pieces.
 */
export async function* wholeLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let restLength = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) {
      rest.push(chunk);
      restLength += chunk.length;
      if (restLength > LONGEST_LINE) {
        yield Buffer.concat(rest);
        rest = [];
        restLength = 0;
      }
      continue;
    }
    yield Buffer.concat([...rest, chunk.subarray(0, end)]);
    rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    restLength = chunk.length - end - 1;
  }
  if (restLength > 0) yield Buffer.concat(rest);
}

/**
 * The lines of a byte stream, without their newlines, a group of them at a time. Bytes that are not UTF-8 are as in
 * decodeBytes. Lines are as in wholeLines.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  for await (const bytes of wholeLines(chunks)) yield decodeBytes(bytes).split('\n');
}

/** The same without the carriage returns that some systems put at the end of lines. */
export async function* plainLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  for await (const lines of linesOf(chunks)) {
    yield lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }
}
