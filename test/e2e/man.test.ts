import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandsOf, examplesOf } from '../support/help-text.ts';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

let pages: string[];
beforeAll(async () => {
  expect(await place.marple(['man', '-o', 'man1'])).toMatchObject({ code: 0, stderr: '' });
  pages = readdirSync(place.path('man1')).sort();
});

/** A page as a person reads it, in lines that are not broken. */
function read(page: string): string {
  return execFileSync('man', ['-l', '--', place.path(`man1/${page}`)], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], MANWIDTH: '1000', MAN_KEEP_FORMATTING: '', LC_ALL: 'C.UTF-8' },
  }).replace(/.\x08/g, '');
}

describe('the manual', () => {
  test('has a page for marple and for each command', async () => {
    const names = commandsOf((await place.marple(['--help'])).stdout);
    expect(names.length).toBeGreaterThan(8);
    expect(pages).toEqual(['marple.1', ...names.map((name) => `marple-${name}.1`)].sort());
  });

  test('mandoc finds nothing wrong with it', () => {
    for (const page of pages) {
      const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', place.path(`man1/${page}`)], {
        encoding: 'utf8',
      });
      expect(lint.error).toBeUndefined();
      // A page of a version that has not been released has no date.
      const said = lint.stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date'));
      expect.soft(said, page).toEqual([]);
    }
  });

  test('says what --help says: every flag, what it does, every example', async () => {
    const page = read('marple-collect.1');
    const { stdout } = await place.marple(['collect', '--help'], { env: { COLUMNS: '1000' } });
    const flags = [...stdout.matchAll(/^ {2}(-\S.*?) {2,}(\S.*)$/gm)];
    expect(flags.length).toBeGreaterThan(15);
    for (const [, flag = '', what = ''] of flags) {
      expect(page).toContain(flag);
      expect(page).toContain(what);
    }
    expect(examplesOf(stdout).length).toBeGreaterThan(3);
    for (const line of examplesOf(stdout)) expect(page).toContain(line);
    for (const title of ['NAME', 'SYNOPSIS', 'EXIT STATUS', 'FILES', 'ENVIRONMENT', 'SEE ALSO']) {
      expect(page).toMatch(new RegExp(`^${title}$`, 'm'));
    }
  });

  test('one page goes to stdout, and a command that is none is a mistake', async () => {
    expect(await place.marple(['man'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\.TH MARPLE 1 /) });
    const ended = await place.marple(['man', 'colect']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/hint: did you mean marple man collect\?/);
  });
});
