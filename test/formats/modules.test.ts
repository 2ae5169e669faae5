import { execFileSync } from 'node:child_process';
import { chownSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CallChain } from '../../src/formats/call-chain.ts';
import { PerfSymbols } from '../../src/formats/perf-symbols.ts';
import { testFolder } from '../support/folder.ts';

const MAP = `/tmp/perf-${process.pid}.map`;
const TEXT = '1000 100 compiled\n';

/** What the frame at 0x1010 is called, in this process, which has this mapping there. */
function nameIn(path: string, inode = 0): string | undefined {
  const symbols = PerfSymbols.create();
  const { pid } = process;
  symbols.mapping({ kind: 'mapping', pid, start: 0x1000, length: 0x1000, offset: 0, path, inode });
  return symbols.frames({ pid, chain: CallChain.of({ user: [0x1010] }) })[0]?.symbol;
}

describe('a map of code that was compiled at run time', () => {
  beforeEach(() => rmSync(MAP, { force: true }));
  afterEach(() => rmSync(MAP, { force: true }));

  const named = (): string | undefined => nameIn('//anon');

  test('names it', () => {
    writeFileSync(MAP, TEXT);
    expect(named()).toBe('compiled');
  });

  test.skipIf(process.geteuid?.() !== 0 && process.env['CI'] !== 'true')(
    'of another user than the process is not believed',
    () => {
      writeFileSync(MAP, TEXT);
      chownSync(MAP, 65_533, 65_533);
      expect(named()).toBe('[unknown]');
    },
  );

  test('is not read through a link', () => {
    const elsewhere = join(testFolder(), 'map');
    writeFileSync(elsewhere, TEXT);
    symlinkSync(elsewhere, MAP);
    expect(named()).toBe('[unknown]');
  });

  test('that is a pipe is not waited for', () => {
    execFileSync('mkfifo', [MAP]);
    expect(named()).toBe('[unknown]');
  });

  test('that is a device without end is not read', () => {
    symlinkSync('/dev/zero', MAP);
    expect(named()).toBe('[unknown]');
  });
});

test('a program that was exchanged for a pipe is not waited for', () => {
  const pipe = join(testFolder(), 'program');
  execFileSync('mkfifo', [pipe]);
  expect(nameIn(pipe, statSync(pipe).ino)).toBe('[unknown]');
});
