import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { functionOffsets, parseElf, readElf } from '../../src/formats/elf.ts';
import { testFolder } from '../support/folder.ts';
import { compileProgram } from '../support/programs.ts';

const program = compileProgram('two_thirds');

/** `nm` prints what the file's symbol table has: `0000000000001189 t work_until`. */
function symbolsByNm(path: string): Map<string, number> {
  const lines = execFileSync('nm', ['--defined-only', path], { encoding: 'utf8' }).split('\n');
  return new Map(
    lines.flatMap((line): [string, number][] => {
      const [, address, type, name] = /^([\da-f]+) (\w) (\S+)$/.exec(line) ?? [];
      return type === 't' || type === 'T' ? [[name as string, Number.parseInt(address as string, 16)]] : [];
    }),
  );
}

describe('a program', () => {
  test('the functions that nm knows, at their addresses', () => {
    const found = readElf(program);
    const known = symbolsByNm(program);
    for (const name of ['main', 'two_thirds', 'one_third', 'work_until']) {
      expect(found?.table.nameAt(known.get(name) as number)).toBe(name);
    }
  });

  test('where its file is loaded to, and its build id', () => {
    const found = readElf(program);
    const headers = execFileSync('readelf', ['-lW', program], { encoding: 'utf8' });
    const [, offset, address] = /LOAD +0x(\S+) 0x(\S+) .* R E /.exec(headers) ?? [];
    expect(found?.addressOf(Number.parseInt(offset as string, 16) + 16)).toBe(
      Number.parseInt(address as string, 16) + 16,
    );
    expect(found?.addressOf(1e12)).toBeUndefined();
    const notes = execFileSync('readelf', ['-n', program], { encoding: 'utf8' });
    expect(found?.buildId).toBe(/Build ID: (\S+)/.exec(notes)?.[1]);
  });

  test('where in the file a function begins', () => {
    const found = functionOffsets(program, ['two_thirds', 'main', 'printf', 'nothing']);
    expect([...found.keys()].sort()).toEqual(['main', 'two_thirds']);
    const symbols = readElf(program);
    for (const [name, offset] of found) expect(symbols?.addressOf(offset)).toBe(symbolsByNm(program).get(name));
    expect(functionOffsets('/proc/self/status', ['main']).size).toBe(0);
  });

  test('without its symbol table what it exports and imports is left', () => {
    const stripped = join(testFolder(), 'stripped');
    execFileSync('strip', ['-o', stripped, program]);
    const names = readElf(stripped)?.table.names ?? [];
    expect(names).not.toContain('two_thirds');
    const dynamic = readElf('/lib/x86_64-linux-gnu/libc.so.6');
    expect(dynamic?.table.names.some((name) => name === 'malloc' || name.startsWith('malloc@'))).toBe(true);
  });
});

describe('what is no program', () => {
  test('text, nothing, another architecture', () => {
    const folder = testFolder();
    for (const [name, content] of [
      ['text', Buffer.from('#!/bin/sh\n'.repeat(20))],
      ['empty', Buffer.alloc(0)],
      ['elf32', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(200)])],
    ] as const) {
      writeFileSync(join(folder, name), content);
      expect(readElf(join(folder, name))).toBeUndefined();
    }
  });

  test('a damaged one never throws, hangs or takes memory', () => {
    const whole = readFileSync(program);
    const change = fc.record({ at: fc.nat(4000), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), fc.nat(whole.length), (changes, length) => {
        const bytes = Buffer.from(whole.subarray(0, Math.max(64, length)));
        for (const { at, value } of changes) bytes[at % bytes.length] = value;
        parseElf(bytes)?.table.nameAt(0x1189);
      }),
      { numRuns: 300 },
    );
  });
});
