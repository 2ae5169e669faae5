import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { sectionNotes, sectionSeconds } from '../analysis/notes.ts';
import type { SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { visible } from '../common/text.ts';
import { type Exporter, type ExportSource, firstOf, hasStacks } from './exporter.ts';
import { Message } from './protobuf.ts';

/*
 * pprof's profile, gzip around a protocol buffer: https://github.com/google/pprof/blob/main/proto/profile.proto. Field
 * numbers of its messages:
 */
const PROFILE = {
  sampleType: 1,
  sample: 2,
  location: 4,
  function: 5,
  stringTable: 6,
  timeNanos: 9,
  durationNanos: 10,
  periodType: 11,
  period: 12,
  comment: 13,
} as const;
const VALUE_TYPE = { type: 1, unit: 2 } as const;
const SAMPLE = { locationId: 1, value: 2, label: 3 } as const;
const LABEL = { key: 1, str: 2 } as const;
const LOCATION = { id: 1, line: 4 } as const;
const LINE = { functionId: 1 } as const;
/** Without a system_name (3) pprof leaves names as they are: with the same one it would demangle them, cutting `<...>`. */
const FUNCTION = { id: 1, name: 2 } as const;

export const pprofExporter: Exporter = {
  format: 'pprof',
  summary: 'profile for go tool pprof, of the first stack section',
  run: exportPprof,
};

async function* exportPprof(source: ExportSource, warn: (sentence: string) => void): AsyncGenerator<Uint8Array> {
  const section = firstOf(source, hasStacks, 'stacks', 'a pprof profile', warn);
  const gzip = createGzip();
  // What goes wrong in the profile comes out of gzip as its error.
  pipeline(Readable.from(profileBytes(section, source.name)), gzip, () => undefined);
  yield* gzip as AsyncIterable<Buffer>;
}

/** Bytes that are compressed at once. */
const PIECE = 256 * 1024;

/** The fields of a message may come in any order: samples come as they are read, each name when it is first met, the strings last. */
async function* profileBytes(section: SectionReader, name: string): AsyncGenerator<Buffer> {
  const { header } = section;
  const strings = new Numbering(['']);
  const functions = new Numbering([undefined]);
  const values = valuesOf(header);
  const process = strings.of('process');
  let part = new Message();
  for (const value of values) part.message(PROFILE.sampleType, valueType(value, strings));
  const time = values.find(({ perWeight }) => perWeight !== 1);
  if (time !== undefined) {
    part.message(PROFILE.periodType, valueType(time, strings)).integer(PROFILE.period, time.perWeight);
  }
  const seconds = sectionSeconds(header);
  part.integer(PROFILE.timeNanos, BigInt(Date.parse(header.start)) * 1_000_000n);
  if (seconds !== null) part.integer(PROFILE.durationNanos, Math.round(seconds * 1e9));
  part.integers(
    PROFILE.comment,
    [`${name}: ${header.interface}`, ...sectionNotes(header)].map((comment) => strings.of(comment)),
  );
  for await (const stacks of section.batches('stack')) {
    for (const { stack, weight } of stacks) {
      if (weight === 0) continue;
      const ids = stack.map((frame) => {
        const shown = visible(frame);
        const known = functions.size;
        const id = functions.of(shown);
        if (id === known) addFunction(part, id, strings.of(shown));
        return id;
      });
      const label = new Message().integer(LABEL.key, process).integer(LABEL.str, strings.of(visible(stack[0] ?? '')));
      const sample = new Message()
        .integers(SAMPLE.locationId, ids.reverse())
        .integers(
          SAMPLE.value,
          values.map(({ perWeight }) => weight * perWeight),
        )
        .message(SAMPLE.label, label);
      part.message(PROFILE.sample, sample);
    }
    if (part.length < PIECE) continue;
    yield part.bytes;
    part = new Message();
  }
  for (const text of strings.all) part.string(PROFILE.stringTable, text);
  yield part.bytes;
}

/** A frame is a location of its own, whose number is that of its function: what is at one address is not known any more. */
function addFunction(part: Message, id: number, name: number): void {
  part
    .message(PROFILE.function, new Message().integer(FUNCTION.id, id).integer(FUNCTION.name, name))
    .message(
      PROFILE.location,
      new Message().integer(LOCATION.id, id).message(LOCATION.line, new Message().integer(LINE.functionId, id)),
    );
}

/** What each sample has a value of. */
interface ValueType {
  readonly type: string;
  readonly unit: string;
  /** Its value by the weight of the stack, an integer. */
  readonly perWeight: number;
}

/** Samples at a known rate are also CPU time, which pprof shows first (the last is its default). */
function valuesOf({ interface: name, weight, options }: SectionHeader): ValueType[] {
  const { label = 'samples', unit = 'samples' } = weight ?? {};
  if (unit === 'ns') return [{ type: label, unit: 'nanoseconds', perWeight: 1 }];
  if (unit === 'bytes') return [{ type: label, unit: 'bytes', perWeight: 1 }];
  const counted = { type: label, unit: 'count', perWeight: 1 };
  const frequency = options?.['frequency'];
  if (name !== 'callstack' || typeof frequency !== 'number' || !(frequency > 0)) return [counted];
  return [counted, { type: 'cpu', unit: 'nanoseconds', perWeight: Math.round(1e9 / frequency) }];
}

function valueType({ type, unit }: ValueType, strings: Numbering): Message {
  return new Message().integer(VALUE_TYPE.type, strings.of(type)).integer(VALUE_TYPE.unit, strings.of(unit));
}

/** Numbers of texts, in the order in which they are first seen. */
class Numbering {
  readonly #numbers = new Map<string | undefined, number>();

  /** @param first texts that have the first numbers; undefined takes up a number. */
  constructor(first: readonly (string | undefined)[]) {
    for (const [number, text] of first.entries()) this.#numbers.set(text, number);
  }

  get size(): number {
    return this.#numbers.size;
  }

  get all(): string[] {
    return [...this.#numbers.keys()].filter((text) => text !== undefined);
  }

  of(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
    }
    return number;
  }
}
