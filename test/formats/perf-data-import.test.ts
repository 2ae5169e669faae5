import { describe, expect, test } from 'vitest';
import { Random } from '../../src/analysis/random.ts';
import { perfDataImporter } from '../../src/formats/perf-data-import.ts';
import { checkImporter, importBytes } from '../support/imports.ts';
import { perfData } from '../support/large.ts';

/*
 * Files made by the format's description. That real recordings are read as perf reads them is in test/real/import.test.ts.
 */

const SAMPLES = 500;
const FILE = Buffer.concat([...perfData(SAMPLES)]);

describe('what every importer does', () => {
  checkImporter(perfDataImporter, {
    files: { 'perf.data': FILE },
    // The periods are 1 to 9, over and over; and an event for each sample.
    count: () => Array.from({ length: SAMPLES }, (_, i) => 1 + (i % 9)).reduce((a, b) => a + b, 0) + SAMPLES,
    isText: false,
  });
});

test('whatever is in a damaged header, it is said, and nothing breaks', async () => {
  const random = new Random(1);
  for (let i = 0; i < 60; i++) {
    const damaged = Buffer.from(FILE);
    for (let j = 0; j < 3; j++) damaged[8 + random.integer(240)] = [0, 1, 127, 255][random.integer(4)]!;
    const outcome = await importBytes(damaged).then(
      () => 0,
      (error: unknown) => (error as { exitCode?: number }).exitCode ?? error,
    );
    expect([0, 2, 65]).toContain(outcome);
  }
}, 120_000);
