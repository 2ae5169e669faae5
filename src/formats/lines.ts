import { decodeBytes } from '../common/codec.ts';

const NEWLINE = 10;
/** A line longer than this is cut, so that input without newlines does not fill the memory. */
const LONGEST_LINE = 1 << 20;

/**
 * The lines of a byte stream, without their newlines, a group of them at a time. Bytes that are not UTF-8 are as in
 * decodeBytes. The last line need not end in a newline; a line over 1 MiB comes in pieces.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let rest: Buffer[] = [];
  let restLength = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) {
      rest.push(chunk);
      restLength += chunk.length;
      if (restLength > LONGEST_LINE) {
        yield [decodeBytes(Buffer.concat(rest))];
        rest = [];
        restLength = 0;
      }
      continue;
    }
    yield decodeBytes(Buffer.concat([...rest, chunk.subarray(0, end)])).split('\n');
    rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    restLength = chunk.length - end - 1;
  }
  if (restLength > 0) yield [decodeBytes(Buffer.concat(rest))];
}

/** The same without the carriage returns that some systems put at the end of lines. */
export async function* plainLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  for await (const lines of linesOf(chunks)) {
    yield lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }
}
