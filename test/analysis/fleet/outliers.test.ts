import { expect, test } from 'vitest';
import { findingOptions } from '../../../src/analysis/findings.ts';
import { dataSets, groupsOf, hostSets } from '../../../src/analysis/fleet/data-sets.ts';
import { outliers } from '../../../src/analysis/fleet/outliers.ts';
import { sectionStats } from '../../../src/analysis/stats.ts';
import { disk, openHosts } from '../../support/fleet.ts';

async function found(latencies: readonly number[], config: Record<string, unknown> = {}): Promise<string[]> {
  const files = await openHosts(
    latencies.map((latency, i) => ({
      node: `web${i + 1}`,
      origin: i,
      sections: [disk([latency, latency, latency])],
    })),
  );
  const [set] = dataSets(files);
  const hosts = await Promise.all(
    hostSets(set!).map(async (own, i) => {
      const [group] = groupsOf(own);
      return {
        host: set!.hosts![i]!,
        stats: [await sectionStats(group!, group!.all[0]!, { filter: {}, by: 'comm', top: 10 })],
      };
    }),
  );
  return outliers(hosts, findingOptions.parse(config)).map(({ sentence }) => sentence);
}

test('names the host whose number is far from the median of all', async () => {
  expect(await found([1, 1.1, 0.9, 1.05, 12, 1])).toEqual([
    'web5 stands out from 6 hosts by latency, median: 12 ms, and the median is 1.02 ms (11.7 times as much)',
    'web5 stands out from 6 hosts by latency, 99th percentile: 12 ms, and the median is 1.02 ms (11.7 times as much)',
  ]);
});

test('two of them do not hide each other, and one that is low is told too', async () => {
  const sentences = await found([10, 10.2, 9.8, 10.1, 9.9, 10, 90, 95, 1]);
  expect(new Set(sentences.map((sentence) => sentence.split(' ')[0]))).toEqual(new Set(['web7', 'web8', 'web9']));
  expect(sentences.find((sentence) => sentence.startsWith('web9'))).toContain('(10 times less)');
});

test('says nothing of what is usual, of little more than that, or of few hosts', async () => {
  expect(await found([1, 2, 3, 4, 5, 6])).toEqual([]);
  // Far by the deviation, which is small, but no more than a tenth.
  expect(await found([1, 1.001, 0.999, 1, 1.1, 1])).toEqual([]);
  expect(await found([1, 1, 1, 12])).toEqual([]);
  expect(await found([1, 1, 1, 12], { outlier_hosts: 3 })).toHaveLength(2);
});
