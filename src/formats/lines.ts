import { decodeBytes } from '../common/decode-bytes.ts';

const NEWLINE = 10;
/** A line longer than this is cut, so that input without newlines does not fill the memory. */
const LONGEST_LINE = 1 << 20;

/**
 * The bytes of a stream in pieces of whole lines, each with its newline, also the last. A line over 1 MiB comes in pieces of their
 * own. The bytes are good only until the next are asked for.
 */
export async function* wholeLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  /** A line that began in the chunks before. */
  let begun: Buffer[] = [];
  let begunLength = 0;
  const take = (rest: Buffer): Buffer => {
    const line = Buffer.concat([...begun, rest]);
    begun = [];
    begunLength = 0;
    return line;
  };
  for await (const chunk of chunks) {
    const first = begunLength === 0 ? 0 : chunk.indexOf(NEWLINE) + 1;
    if (first > 0) yield take(chunk.subarray(0, first));
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (first < end) yield chunk.subarray(first, end);
    if (end === chunk.length) continue;
    begun.push(Buffer.from(chunk.subarray(end)));
    begunLength += chunk.length - end;
    if (begunLength > LONGEST_LINE) yield take(LINE_END);
  }
  if (begunLength > 0) yield take(LINE_END);
}

const LINE_END = Buffer.from('\n');

/**
 * The lines of a byte stream, without their newlines, a group of them at a time. Bytes that are not UTF-8 are as in
 * decodeBytes. Lines are as in wholeLines.
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  for await (const bytes of wholeLines(chunks)) yield decodeBytes(bytes.subarray(0, -1)).split('\n');
}

/** The same without the carriage returns that some systems put at the end of lines. */
export async function* plainLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  for await (const lines of linesOf(chunks)) {
    yield lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }
}
