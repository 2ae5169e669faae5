import { expect, test } from 'vitest';
import { type MergeChunk, mergeChunks } from '../../../src/analysis/fleet/merge.ts';

/** Chunks of one row each; what of them was ended is added to `ended`. */
async function* rows(host: number, ended: number[]): AsyncGenerator<MergeChunk> {
  try {
    for (let i = 0; i < 100_000; i++) yield { length: 1, leading: [Float64Array.of(2 * i + host)], columns: [] };
  } finally {
    ended.push(host);
  }
}

test('sources of which no more is wanted are ended', async () => {
  const ended: number[] = [];
  const sources = [0, 1].map((host) => ({ host, firstStack: 0, chunks: rows(host, ended) }));
  for await (const { leading } of mergeChunks(sources, [], ['a', 'b'], false)) {
    expect([...leading[0]!.subarray(0, 4)]).toEqual([0, 1, 2, 3]);
    break;
  }
  expect(ended).toEqual([0, 1]);
});

test('and so are the others where one fails', async () => {
  const ended: number[] = [];
  const failing = (async function* (): AsyncGenerator<MergeChunk> {
    yield { length: 1, leading: [Float64Array.of(5)], columns: [] };
    throw new Error('damaged');
  })();
  const sources = [
    { host: 0, firstStack: 0, chunks: failing },
    { host: 1, firstStack: 0, chunks: rows(1, ended) },
  ];
  const read = async (): Promise<void> => {
    for await (const _ of mergeChunks(sources, [], ['a', 'b'], false));
  };
  await expect(read()).rejects.toThrow('damaged');
  expect(ended).toEqual([1]);
});
