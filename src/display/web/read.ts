import { decodePage, type Progress } from './decode.ts';
import { type Decoded, type PageData, pageData } from './model.ts';
import type { PageSource } from './source.ts';
import { decodeInWorker, NoWorkerError } from './worker.ts';

/** Reads the page that the document holds. @throws Error where its data is wrong. */
export async function readPage(
  source: PageSource,
  script: HTMLOrSVGScriptElement,
  onProgress: Progress,
): Promise<PageData> {
  return pageData(await decodeFrom(source, script, onProgress));
}

/**
 * Decodes a page: in a worker that runs `script`, or where the browser refuses that in the page itself, which is said.
 * @throws Error where its data is wrong.
 */
export async function decodeFrom(
  source: PageSource,
  script: HTMLOrSVGScriptElement,
  onProgress: Progress,
): Promise<Decoded> {
  const manifest = await source.manifest();
  const { sections, bytes, view } = manifest;
  const request = { sections, bytes, view };
  try {
    const decoded = await decodeInWorker(script, request, await source.packed(), onProgress);
    return { manifest, decoded, notes: [] };
  } catch (error) {
    if (!(error instanceof NoWorkerError)) throw error;
    // What was handed to the worker is gone.
    const decoded = await decodePage(request, await source.packed(), onProgress);
    return {
      manifest,
      decoded,
      notes: [`This page was slow to open: its browser runs no worker for it (${error.message}).`],
    };
  }
}
