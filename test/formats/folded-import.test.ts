import { describe, expect, test } from 'vitest';
import { foldedImporter } from '../../src/formats/folded.ts';
import { checkImporter, foldedExport, importBytes } from '../support/imports.ts';

const TEXT =
  'bash;main;a b 3\nbash;main;a b;c::d<int> 41\nswapper/0 7\nx;(anonymous namespace)::y;[unknown] 9007199254740991\n';

describe('what every importer does', () => {
  checkImporter(foldedImporter, { files: { folded: Buffer.from(TEXT) }, isText: true });
});

test('exported again it is the same, sorted', async () => {
  const { path, result } = await importBytes(TEXT);
  expect(result).toMatchObject({ format: 'folded', skipped: 0, warnings: [] });
  expect(await foldedExport(path)).toBe(TEXT);
});

test('stacks that come twice are one', async () => {
  const { path } = await importBytes('b;c 1\na 2\nb;c 5\n');
  expect(await foldedExport(path)).toBe('a 2\nb;c 6\n');
});
