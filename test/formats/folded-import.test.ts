import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldedExporter, foldedImporter } from '../../src/formats/folded.ts';
import { headerOf } from '../support/data-files.ts';
import { exportSections } from '../support/exports.ts';
import { checkImporter, foldedExport, importBytes } from '../support/imports.ts';

const TEXT =
  'bash;main;a b 3\nbash;main;a b;c::d<int> 41\nswapper/0 7\nx;(anonymous namespace)::y;[unknown] 9007199254740991\n';

describe('what every importer does', () => {
  checkImporter(foldedImporter, {
    files: { folded: Buffer.from(TEXT) },
    count: (file) =>
      file
        .toString()
        .match(/\d+$/gm)!
        .reduce((sum, weight) => sum + Number(weight), 0),
    exporter: foldedExporter,
    isText: true,
  });
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

test('lines longer than what is written at once, and more of them', async () => {
  const long = ['x'.repeat(5_000), 'é'.repeat(200_000), '€'.repeat(100_000)];
  const records = long.flatMap((_, i) => [
    { weight: i + 1, stack: long.slice(0, i + 1) },
    { weight: 7, stack: [...long.slice(i), 'y'] },
  ]);
  const { text } = await exportSections(foldedExporter, [{ header: headerOf('stack'), records }]);
  const lines = records.map(({ weight, stack }) => Buffer.from(`${stack.join(';')} ${weight}\n`));
  expect(text === Buffer.concat(lines.sort(Buffer.compare)).toString()).toBe(true);
});

test('what is exported is in the order of the bytes of its lines', async () => {
  const frame = fc.constantFrom('a', 'a b', 'a 3', 'a:', 'ab', '', 'é', '€', '😀', '\uffee', '0', '~', 'x;y', 'x:y');
  const stack = fc.record({ stack: fc.array(frame, { minLength: 1, maxLength: 5 }), weight: fc.nat(30) });
  await fc.assert(
    fc.asyncProperty(fc.array(stack, { maxLength: 20 }), async (records) => {
      const { text } = await exportSections(foldedExporter, [{ header: headerOf('stack'), records }]);
      const weights = new Map<string, number>();
      for (const { stack: frames, weight } of records.filter((record) => record.weight > 0)) {
        const key = frames.map((name) => name.replaceAll(';', ':')).join(';');
        weights.set(key, (weights.get(key) ?? 0) + weight);
      }
      const lines = [...weights].map(([key, weight]) => Buffer.from(`${key} ${weight}`)).sort(Buffer.compare);
      expect(text).toBe(lines.map((line) => `${line}\n`).join(''));
    }),
    { numRuns: 200 },
  );
});
