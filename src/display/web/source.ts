import type { PageManifest } from '../shape/page.ts';

/** Where a page has its data from: the document itself, or the server that gave it out. */
export interface PageSource {
  manifest(): Promise<PageManifest>;
  /** What the columns of the manifest are places in, compressed (raw DEFLATE, RFC 1951): the bytes, or base64 of them. */
  packed(): Promise<ArrayBuffer | string>;
}

/** What display/page.ts has put into the document. */
export function documentSource(document: Document): PageSource {
  const text = (id: string): string => document.getElementById(id)?.textContent ?? '';
  return {
    manifest: async () => JSON.parse(text('manifest')) as PageManifest,
    packed: async () => text('data'),
  };
}

/** How far the server is with reading the file, from 0 to 1. */
type OnShare = (share: number) => void;

/**
 * What a server gives out at an address: lines of JSON that say how far it is, a line with the manifest, and the bytes.
 * @throws Error that says what is wrong, and what helps.
 */
export function serverSource(address: string, onShare: OnShare, signal?: AbortSignal): PageSource {
  const read = async (): Promise<Answer> => {
    const response = await fetch(address, signal === undefined ? {} : { signal });
    if (!response.ok || response.body === null) throw new Error((await response.text()).trim());
    return readAnswer(response.body, onShare);
  };
  let answer: Promise<Answer> | undefined;
  return {
    manifest: async () => {
      answer = read();
      return (await answer).manifest;
    },
    packed: async () => {
      // What was handed out once is gone.
      const own = answer ?? read();
      answer = undefined;
      return (await own).packed;
    },
  };
}

interface Answer {
  readonly manifest: PageManifest;
  readonly packed: ArrayBuffer;
}

const NEWLINE = 0x0a;

async function readAnswer(body: ReadableStream<Uint8Array<ArrayBuffer>>, onShare: OnShare): Promise<Answer> {
  let manifest: PageManifest | undefined;
  let pieces: Uint8Array<ArrayBuffer>[] = [];
  for (const reader = body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    let rest = value;
    for (let end = rest.indexOf(NEWLINE); manifest === undefined && end >= 0; end = rest.indexOf(NEWLINE)) {
      manifest = readLine(await new Blob([...pieces, rest.subarray(0, end)]).text(), onShare);
      pieces = [];
      rest = rest.subarray(end + 1);
    }
    pieces.push(rest);
  }
  if (manifest === undefined) throw new Error('the server has ended before it had answered');
  return { manifest, packed: await new Blob(pieces).arrayBuffer() };
}

function readLine(text: string, onShare: OnShare): PageManifest | undefined {
  const line = JSON.parse(text) as { share?: number; manifest?: PageManifest; error?: string; hint?: string };
  if (line.error !== undefined) throw new Error(line.hint === undefined ? line.error : `${line.error} (${line.hint})`);
  if (line.share !== undefined) onShare(line.share);
  return line.manifest;
}
