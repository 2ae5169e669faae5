import { readFileSync, statSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

interface Header {
  readonly interface: string;
  readonly records: number;
  readonly summary?: { readonly of: number; readonly hosts: number; readonly counted?: string };
}

function headersOf(text: string): Header[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Header);
}

describe('marple collect --summary', () => {
  test('writes a summary in place of the data, for its owner', async () => {
    const ended = await place.marple(['collect', 'cpusched', 'system', '--summary', '-t', '1', '-o', 's.marple']);
    expect(ended).toMatchObject({ code: 0 });
    const path = place.path('s.marple');
    const headers = headersOf(readFileSync(path, 'utf8'));
    expect(headers.every(({ summary }) => summary?.hosts === 1)).toBe(true);
    const waits = headers.find(({ summary }) => summary?.counted !== undefined);
    expect(waits).toMatchObject({ interface: 'cpusched' });
    // Far fewer lines than the scheduler had events.
    expect(waits!.summary!.of).toBeGreaterThan(waits!.records);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await place.marple(['stats', '-i', 's.marple'])).toMatchObject({ code: 0 });
  });

  test('on stdout', async () => {
    const ended = await place.marple(['collect', 'system', '--summary', '-t', '0.1', '-o', '-']);
    expect(ended).toMatchObject({ code: 0 });
    expect(headersOf(ended.stdout)[0]).toMatchObject({ interface: 'system', summary: { hosts: 1 } });
  });

  test('has no part with --raw', async () => {
    const ended = await place.marple(['collect', '--stack', '--summary', '--raw', '-t', '1', '-o', 'r.raw.tgz']);
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toMatch(/^hint: leave --summary out/m);
  });
});

test('marple export --format summary makes one file of several', async () => {
  for (const name of ['a.marple', 'b.marple']) {
    await place.marple(['collect', 'system', '-t', '0.1', '-o', name]);
  }
  const args = ['export', '-i', 'a.marple', '-i', 'b.marple', '--format', 'summary', '-o', 'both.marple'];
  expect(await place.marple(args)).toMatchObject({ code: 0, stdout: 'both.marple\n' });
  const headers = headersOf(readFileSync(place.path('both.marple'), 'utf8'));
  expect(headers.map(({ summary }) => summary?.hosts)).toEqual(headers.map(() => 2));
});
