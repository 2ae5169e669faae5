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
