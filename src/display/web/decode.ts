import { isScheduling } from '../../analysis/scheduling.ts';
import { type PackedColumn, unpack } from '../shape/packing.ts';
import type { PageManifest, PageSection, PageSpans, PageStacks } from '../shape/page.ts';
import type { TaskSpans } from '../shape/task-spans.ts';
import { Section, type StackArrays } from './model.ts';
import { taskSpansOf } from './task-spans.ts';

/*
 * From the packed bytes of a page to columns. Runs in a worker, or in the page itself where a browser refuses workers: nothing
 * here is of the document.
 */

/** The numbers of a section: what a worker hands over. Its names and texts stand in the manifest. */
export interface SectionData {
  /** In the order of the manifest's. */
  readonly columns: readonly Float64Array[];
  readonly stacks: StackArrays | undefined;
  /** What tasks did, where a report will ask for it. */
  readonly spans: TaskSpans | undefined;
  /** See PageSection. */
  readonly weights?: Float64Array;
}

/** Told from 0 to 1, many times. */
export type Progress = (share: number) => void;

/** Shares of the work, about. */
const INFLATING = 0.4;

/**
 * The numbers of all sections of a page.
 * @throws Error where the bytes are not those that the manifest speaks of.
 */
export async function decodePage(
  { sections, bytes: length, view }: Pick<PageManifest, 'sections' | 'bytes' | 'view'>,
  packed: ArrayBuffer | string,
  onProgress: Progress,
): Promise<SectionData[]> {
  const compressed = typeof packed === 'string' ? fromBase64(packed) : new Uint8Array(packed);
  const bytes = await inflate(compressed, length, (share) => onProgress(INFLATING * share));
  return sections.map((page, i) => {
    onProgress(INFLATING + (1 - INFLATING) * (i / sections.length));
    return decodeSection(page, bytes, view === 'report');
  });
}

function decodeSection(page: PageSection, bytes: Uint8Array, needsSpans: boolean): SectionData {
  const data = {
    columns: page.columns.map(({ values }) => unpack(bytes, values)),
    stacks: page.stacks === undefined ? undefined : unpackStacks(page.stacks, bytes),
    spans: page.spans === undefined ? undefined : unpackSpans(page.spans, bytes),
    ...(page.weights === undefined ? {} : { weights: unpack(bytes, page.weights) }),
  };
  if (!needsSpans || data.spans !== undefined || !isScheduling(page.header)) return data;
  return { ...data, spans: taskSpansOf(new Section(page, data)) };
}

function unpackStacks({ parents, frames, ends, weights, baseline }: PageStacks, bytes: Uint8Array): StackArrays {
  const integers = (column: PackedColumn): Int32Array => Int32Array.from(unpack(bytes, column));
  return {
    parents: integers(parents),
    frames: integers(frames),
    ends: integers(ends),
    weights: unpack(bytes, weights),
    ...(baseline === undefined ? {} : { baseline: unpack(bytes, baseline) }),
  };
}

function unpackSpans(spans: PageSpans, bytes: Uint8Array): TaskSpans {
  const { cpus, start, end, doing, ran, cpu, task, tasks, bins, waits } = spans;
  return {
    cpus,
    start: unpack(bytes, start),
    end: unpack(bytes, end),
    doing: Uint8Array.from(unpack(bytes, doing)),
    ran: Uint8Array.from(unpack(bytes, ran)),
    cpu: Int32Array.from(unpack(bytes, cpu)),
    task: Int32Array.from(unpack(bytes, task)),
    tasks,
    ...(bins === undefined ? {} : { bins }),
    ...(waits === undefined ? {} : { waits }),
  };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64: decode } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (decode !== undefined) return decode(text);
  // Older browsers have no other way.
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflate(packed: Uint8Array<ArrayBuffer>, length: number, onProgress: Progress): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  let at = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes.set(value, at);
    at += value.length;
    onProgress(at / length);
  }
  if (at !== length) throw new Error(`its data are ${at} bytes long, and should be ${length}`);
  return bytes;
}

/** The memory of all numbers, to be handed over and not copied. */
export function buffersOf(all: readonly SectionData[]): ArrayBufferLike[] {
  return all.flatMap(({ columns, stacks, spans, weights }) =>
    [...columns, ...Object.values(stacks ?? {}), ...Object.values(spans ?? {}), weights].flatMap((value) =>
      ArrayBuffer.isView(value) ? [value.buffer] : [],
    ),
  );
}
