import { setTimeout as pause } from 'node:timers/promises';
import { errorMessage, MarpleError, UsageError } from '../common/errors.ts';
import { log } from '../common/log.ts';
import { webApp } from '../display/page.ts';
import type { Catalogue } from './catalogue.ts';
import type { Reports } from './reports.ts';
import type { Asked, PackedPage } from './served-report.ts';
import type { Answer, Resolver } from './server.ts';

/** How often a page is told how far the reading of its file is, milliseconds. */
const TELL = 200;

/**
 * What there is at which path:
 *     /            the list of files, a page          /files      the list itself
 *     /report/ID   the report of a file, a page       /data/ID    what it shows, of the version and between the times that it asks for,
 *                                                                 of all sections that have more then, or of one
 */
export function pagesOf(catalogue: Catalogue, reports: Reports): Resolver {
  return async (path, query, signal): Promise<Answer | undefined> => {
    if (path === '/') return page('files');
    if (path === '/files') return json({ files: await catalogue.list() });
    if (path === '/app.js') return { type: 'text/javascript; charset=utf-8', body: (await webApp()).script };
    if (path === '/app.css') return { type: 'text/css; charset=utf-8', body: (await webApp()).style };
    const [, what, id = ''] = /^\/(report|data)\/([0-9a-f]{16})$/.exec(path) ?? [];
    if (what === 'report') return page('report', id);
    if (what === 'data') return { type: 'application/octet-stream', body: dataOf(reports, id, query, signal) };
    return undefined;
  };
}

function json(value: unknown): Answer {
  return { type: 'application/json', body: JSON.stringify(value) };
}

/** A page is the app, which asks for its data; so nothing of any file ever stands in HTML. */
function page(what: 'files' | 'report', id = ''): Answer {
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>MARPLE</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/app.css">
</head>
<body>
<div id="app" data-served="${what}" data-file="${id}"></div>
<noscript>This page draws its pictures itself, and needs JavaScript for that.</noscript>
<script src="/app.js"></script>
</body>
</html>
`;
  return { type: 'text/html; charset=utf-8', body };
}

/**
 * Lines of JSON, the last of them the manifest, and then the bytes of its columns:
 *     {"share":0.25}
 *     {"manifest":{...}}
 * Or the last line is an error, and nothing follows: {"error":"...","hint":"..."}
 */
async function* dataOf(
  reports: Reports,
  id: string,
  query: URLSearchParams,
  signal: AbortSignal,
): AsyncGenerator<string | Uint8Array> {
  try {
    const asked = parseQuery(query);
    const opening = await reports.open(id, asked?.version);
    const packed = asked === undefined ? opening.whole() : opening.range(asked, signal);
    let found: PackedPage | undefined;
    packed.then(
      (value) => {
        found = value;
      },
      () => undefined,
    );
    for (;;) {
      await Promise.race([packed, pause(TELL)]);
      if (found !== undefined) break;
      yield line({ share: opening.share });
    }
    yield line({ manifest: found.manifest });
    yield found.packed;
  } catch (error) {
    if (signal.aborted) throw error;
    if (!(error instanceof MarpleError))
      log('error', 'bug', { stack: error instanceof Error ? error.stack : undefined });
    yield line({ error: errorMessage(error), ...(error instanceof MarpleError ? { hint: error.hint } : {}) });
  }
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** @throws UsageError where it asks for what cannot be. */
function parseQuery(query: URLSearchParams): ({ version: string } & Asked) | undefined {
  if (query.size === 0) return undefined;
  const [version, from, to, section] = ['version', 'from', 'to', 'section'].map((name) => query.get(name) ?? '');
  const range = { from: Number(from || 'none'), to: Number(to || 'none') };
  const isRange = range.from < range.to && Number.isFinite(range.to - range.from);
  if (version !== undefined && version !== '' && isRange && /^\d*$/.test(section ?? '')) {
    return { version, ...range, ...(section === '' ? {} : { section: Number(section) }) };
  }
  throw new UsageError('this asks for no range of time', 'version=...&from=1&to=2.5');
}
