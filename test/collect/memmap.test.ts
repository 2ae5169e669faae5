import { expect, test } from 'vitest';
import { MemMap } from '../../src/collect/memmap.ts';
import { collectAll, testRun } from '../support/run.ts';

const { options: schema, ...description } = MemMap.description;

test('describes itself', () => {
  expect(description).toMatchObject({ interface: 'memmap', area: 'mem', kind: 'map' });
  expect(description.sections.map(({ datatype }) => datatype)).toEqual(['stack', 'datapoint']);
  expect(description.tools.map(({ name }) => name)).toEqual(['proc']);
});

test('options come as config has them, and wrong ones are refused', () => {
  expect(schema.parse({})).toEqual({ delay: 0 });
  expect(schema.parse({ delay: '2.5' })).toEqual({ delay: 2.5 });
  for (const wrong of [{ delay: -1 }, { delay: 'abc' }, { dealy: 1 }])
    expect(schema.safeParse(wrong).success).toBe(false);
});

test.runIf(process.geteuid?.() === 0 || process.env['CI'] === 'true')(
  'it waits as it is told, but not when the run is to end, and ends by itself',
  async () => {
    const { run, started, stop } = testRun({ tool: 'proc', options: schema.parse({ delay: 3600 }) });
    let done = false;
    const collecting = collectAll(new MemMap(run)).then((sections) => {
      done = true;
      return sections;
    });
    await started;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(done).toBe(false);
    stop();
    expect((await collecting).map((records) => records.length > 0)).toEqual([true, true]);
  },
);
