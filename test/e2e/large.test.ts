import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EXPORTERS } from '../../src/formats/exporters.ts';
import { IMPORTERS } from '../../src/formats/importers.ts';
import { eventSection, LARGE, LARGE_INPUTS, stackSection, writeLarge, writeLargePartial } from '../support/large.ts';
import { makePlace } from './marple.ts';

/** What each import and export may hold in memory at most, of 200 MB and of any more, MB. A process of Node has 50. */
const MOST = 400;

const place = makePlace();
afterAll(() => place.remove());
const TIMEOUT = 300_000;

/** Runs marple, and gives what it says as JSON, and its largest resident memory, MB. */
async function measured(args: readonly string[]): Promise<{ result: unknown; peak: number }> {
  const file = place.path('peak');
  const env = { NODE_OPTIONS: `--require=${join(import.meta.dirname, '../support/peak.cjs')}`, MARPLE_PEAK: file };
  const { code, stdout, stderr } = await place.marple([...args, '--json'], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  return { result: JSON.parse(stdout), peak: Number(readFileSync(file, 'utf8')) / 1000 };
}

describe('200 MB, imported', () => {
  const input = place.path('input');
  const inputs: Readonly<Record<string, (path: string) => void>> = {
    ...Object.fromEntries(
      Object.entries(LARGE_INPUTS).map(([format, make]) => [format, (path: string) => writeLarge(path, make())]),
    ),
    partial: writeLargePartial,
  };
  // What an archive of raw recordings is, is not yet decided.
  const formats = IMPORTERS.map(({ format }) => format).filter((format) => format !== 'raw');

  afterEach(() => rmSync(input, { recursive: true, force: true }));

  test.each(formats)('%s', { timeout: TIMEOUT }, async (format) => {
    inputs[format]!(input);
    const { result, peak } = await measured(['import', input, '-o', 'x.marple', '--force']);
    expect(result).toMatchObject({ format, skipped: 0 });
    expect(statSync(place.path('x.marple')).size).toBeGreaterThan(5e6);
    expect(peak).toBeLessThan(MOST);
  });
});

describe('200 MB, exported', () => {
  beforeAll(() => {
    writeLarge(place.path('stacks.marple'), stackSection());
    writeLarge(place.path('events.marple'), eventSection());
  }, TIMEOUT);

  const ofStacks = new Set(['folded', 'speedscope', 'pprof']);
  const cases = EXPORTERS.flatMap(({ format }): [string, string][] =>
    format === 'marple'
      ? [
          [format, 'stacks'],
          [format, 'events'],
        ]
      : [[format, ofStacks.has(format) ? 'stacks' : 'events']],
  );

  test.each(cases)('%s of %s', { timeout: TIMEOUT }, async (format, kind) => {
    const { peak } = await measured(['export', '-i', `${kind}.marple`, '--format', format, '-o', 'out', '--force']);
    expect(statSync(place.path('out')).size).toBeGreaterThan(LARGE / 200);
    expect(peak).toBeLessThan(MOST);
  });
});
