import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BufferSource, encodeParts, FileSource, openKept } from '../../src/formats/byte-source.ts';
import { readElf, symbolParts, symbolsIn } from '../../src/formats/elf.ts';
import { testFolder } from '../support/folder.ts';

describe('parts of a file', () => {
  test('have the same bytes at the same places, and none elsewhere', () => {
    const folder = testFolder();
    const part = fc.record({ offset: fc.nat(900), length: fc.integer({ min: 1, max: 99 }) });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), part, (parts, asked) => {
        const whole = new BufferSource(Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 7) % 256)));
        const path = join(folder, 'kept');
        writeFileSync(path, encodeParts(whole, parts));
        const kept = openKept(path);
        expect(kept.size).toBe(999);
        for (const { offset, length } of parts) expect(kept.bytes(offset, length)).toEqual(whole.bytes(offset, length));
        const { offset, length } = asked;
        const isIn = parts.some((each) => offset >= each.offset && offset + length <= each.offset + each.length);
        expect(kept.bytes(offset, length)).toEqual(isIn ? whole.bytes(offset, length) : undefined);
      }),
    );
  });

  test('a file that was kept whole is read as it is', () => {
    const path = join(testFolder(), 'kept');
    writeFileSync(path, '\x7fELF');
    expect(openKept(path).bytes(1, 3)?.toString()).toBe('ELF');
  });
});

test('the symbols of a program are those of its parts, which are a fraction of it', () => {
  const path = join(testFolder(), 'kept');
  const program = '/bin/bash';
  const source = new FileSource(program);
  writeFileSync(path, encodeParts(source, symbolParts(source) ?? []));
  source.close();
  const [own, kept] = [readElf(program), symbolsIn(openKept(path))];
  expect(own?.table.names.length).toBeGreaterThan(100);
  for (const part of ['starts', 'ends', 'names'] as const) expect(kept?.table[part]).toEqual(own?.table[part]);
  expect(kept?.buildId).toBe(own?.buildId);
  expect(kept?.addressOf(0)).toBe(own?.addressOf(0));
  expect(readFileSync(path).length).toBeLessThan(readFileSync(program).length / 3);
});
