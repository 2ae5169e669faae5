import { decodePage, type Progress } from './decode.ts';
import { type PageData, pageData } from './model.ts';
import type { PageSource } from './source.ts';
import { decodeInWorker, NoWorkerError } from './worker.ts';

/**
 * Reads a page: in a worker that runs `script`, or where the browser refuses that in the page itself, which is said.
 * @throws Error where its data is wrong.
 */
export async function readPage(
  source: PageSource,
  script: HTMLOrSVGScriptElement,
  onProgress: Progress,
): Promise<PageData> {
  const manifest = await source.manifest();
  const { sections, bytes, view } = manifest;
  const request = { sections, bytes, view };
  try {
    return pageData(manifest, await decodeInWorker(script, request, await source.packed(), onProgress), []);
  } catch (error) {
    if (!(error instanceof NoWorkerError)) throw error;
    // What was handed to the worker is gone.
    const decoded = await decodePage(request, await source.packed(), onProgress);
    return pageData(manifest, decoded, [
      `This page was slow to open: its browser runs no worker for it (${error.message}).`,
    ]);
  }
}
