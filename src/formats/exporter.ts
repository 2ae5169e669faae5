import type { SectionReader } from '../common/reader.ts';

/** What is to be exported. */
export interface ExportSource {
  /** Of the file, as a title. */
  readonly name: string;
  /** In file order, each with the records alone that were asked for. Events refer to the stacks of their interface. */
  readonly sections: readonly SectionReader[];
}

/** A format that is written. One file each, one line in exporters.ts. */
export interface Exporter {
  /** As --format names it. */
  readonly format: string;
  /** One line for --help. */
  readonly summary: string;
  /**
   * The bytes, in bounded memory. Sentences about what the format cannot hold go to `warn`.
   * @throws UsageError (2) where no section fits the format.
   */
  run(source: ExportSource, warn: (sentence: string) => void): AsyncIterable<Uint8Array>;
}

/** Text in pieces of some size, as bytes. */
export async function* textBytes(pieces: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Buffer> {
  let waiting: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < PIECE) continue;
    yield Buffer.from(waiting.join(''));
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.from(waiting.join(''));
}

const PIECE = 256 * 1024;
