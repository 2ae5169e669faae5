import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GOT, OVER } from '../../src/fleet/protocol.ts';
import { PIECE, pushCommand, quoted, remoteCommand } from '../../src/fleet/remote-command.ts';

/** What a shell makes of a line. */
const shell = (line: string): string => execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' });

describe('a quoted word', () => {
  test.each([
    "it's",
    "''",
    '$(x)',
    '`x`',
    '\\',
    '"',
    '!',
    '*',
    '-n',
    '~',
    'a b',
    '\n',
    '',
    '%hosts',
    '%{hosts}',
    '%%',
    'ö',
    '#',
  ])('is %j to a shell', (word) => {
    expect(shell(`printf %s ${quoted(word)}`)).toBe(word);
  });

  test('is itself, whatever it is', () => {
    const words = fc.array(
      fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0') && !/\p{Cs}/u.test(word)),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(words, (all) => {
        expect(shell(`printf '%s\\n.' ${all.map(quoted).join(' ')}`)).toBe(all.map((word) => `${word}\n.`).join(''));
      }),
      { numRuns: 200 },
    );
  });

  test('has no % that clush would replace', () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        expect(quoted(word)).not.toMatch(/%[^']/);
      }),
    );
  });

  test('stays as it is where it needs no quotes, whatever shell reads it', () => {
    for (const word of ['marple', '/usr/local/bin/marple', './x-1.2_3']) expect(quoted(word)).toBe(word);
    expect(quoted('!x')).toBe("'!x'");
  });
});

describe('the line for the hosts', () => {
  test('runs MARPLE, and says that it has ended', () => {
    expect(remoteCommand({ marple: 'marple', sudo: false })).toBe(`marple collect --host-side; echo ${OVER}`);
    expect(remoteCommand({ marple: '~/my marple', sudo: true })).toBe(
      `sudo -n ~/'my marple' collect --host-side; echo ${OVER}`,
    );
    expect(shell(remoteCommand({ marple: 'echo', sudo: false }))).toBe(`collect --host-side\n${OVER}\n`);
  });

  test('with a program takes that from stdin, runs it, and leaves nothing', () => {
    const program = '#!/bin/sh\necho "$@"; read line; echo "$line"; pwd; ls -ld "$(dirname "$0")"; stat -c %a "$0"';
    const packed = execFileSync('gzip', ['-c'], { input: program });
    const padded = Buffer.concat([packed], 2 * PIECE);
    const place = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    try {
      const ran = execFileSync('/bin/sh', ['-c', pushCommand(2, { sudo: false })], {
        input: Buffer.concat([padded, Buffer.from('the request\n')]),
        env: { PATH: process.env['PATH'], TMPDIR: place },
        encoding: 'utf8',
      });
      expect(ran.split('\n').slice(0, 4)).toEqual([`${GOT} 1`, `${GOT} 2`, 'collect --host-side', 'the request']);
      expect(ran).toMatch(/^drwx------/m);
      expect(ran).toMatch(/^700$/m);
      // A connection that is lost on the way.
      const cut = execFileSync('/bin/sh', ['-c', pushCommand(2, { sudo: false })], {
        input: padded.subarray(0, 20),
        env: { PATH: process.env['PATH'], TMPDIR: place },
        encoding: 'utf8',
        stdio: 'pipe',
      });
      expect(cut).not.toContain('collect');
      expect(execFileSync('ls', ['-A', place], { encoding: 'utf8' })).toBe('');
    } finally {
      execFileSync('rm', ['-r', place]);
    }
  });
});
