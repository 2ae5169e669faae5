import type { PageManifest } from '../shape/page.ts';
import { buffersOf, decodePage, type Progress, type SectionData } from './decode.ts';

/*
 * The worker in which a page is decoded, so that the page itself can show how far it is. It runs the page's own script: a page
 * is one file, and has nothing else to load. Here are both its ends.
 */

type Manifest = Pick<PageManifest, 'sections' | 'bytes' | 'view'>;

interface Request {
  readonly manifest: Manifest;
  readonly packed: ArrayBuffer | string;
}

type Answer = { readonly share: number } | { readonly sections: readonly SectionData[] } | { readonly wrong: string };

/** Whether this is the worker. */
export const IS_WORKER = typeof document === 'undefined';

/** Answers what decodeInWorker() asks. */
export function answerRequests(): void {
  const answer = (message: Answer, transfer: Transferable[] = []): void => postMessage(message, { transfer });
  addEventListener('message', async ({ data }: MessageEvent<Request>) => {
    try {
      const sections = await decodePage(data.manifest, data.packed, (share) => answer({ share }));
      answer({ sections }, buffersOf(sections) as Transferable[]);
    } catch (error) {
      answer({ wrong: error instanceof Error ? error.message : String(error) });
    }
  });
}

/** What a browser says that runs no worker for this page. */
export class NoWorkerError extends Error {}

/**
 * Decodes a page in a worker that runs `script`.
 * @throws NoWorkerError where there can be none, and Error where the data is wrong.
 */
export function decodeInWorker(
  script: HTMLOrSVGScriptElement,
  manifest: Manifest,
  packed: ArrayBuffer | string,
  onProgress: Progress,
): Promise<readonly SectionData[]> {
  const address =
    script instanceof HTMLScriptElement && script.src !== ''
      ? script.src
      : URL.createObjectURL(new Blob([script.textContent ?? ''], { type: 'text/javascript' }));
  return new Promise<readonly SectionData[]>((resolve, reject) => {
    const refused = (reason: string): void => reject(new NoWorkerError(reason));
    try {
      const worker = new Worker(address);
      worker.onerror = ({ message }) => refused(message || 'it is not started');
      worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if ('share' in data) {
          onProgress(data.share);
          return;
        }
        worker.terminate();
        if ('wrong' in data) reject(new Error(data.wrong));
        else resolve(data.sections);
      };
      worker.postMessage({ manifest, packed } satisfies Request, typeof packed === 'string' ? [] : [packed]);
    } catch (error) {
      refused(error instanceof Error ? error.message : String(error));
    }
  }).finally(() => URL.revokeObjectURL(address));
}
