import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { groupSections } from '../../../src/analysis/select.ts';
import { type SectionStats, type StatsOptions, sectionStats } from '../../../src/analysis/stats.ts';
import type { MarpleRecord } from '../../../src/common/datatypes.ts';
import { openDataFile } from '../../../src/common/reader.ts';
import { headerOf, type TestSection, tempFolder, writeFile } from '../../support/data-files.ts';

/** All sections of a file with these sections, in numbers. */
export async function statsOf(
  sections: readonly TestSection[],
  options: Partial<StatsOptions> = {},
): Promise<SectionStats[]> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, sections);
  return statsOfFile(path, options);
}

/** All sections of a file, in numbers. */
export async function statsOfFile(path: string, options: Partial<StatsOptions> = {}): Promise<SectionStats[]> {
  const file = await openDataFile(path);
  onTestFinished(() => file.close());
  const stats: SectionStats[] = [];
  for (const group of groupSections(file.sections)) {
    for (const section of group.shown) {
      stats.push(await sectionStats(group, section, { filter: {}, by: 'comm', top: 10, ...options }));
    }
  }
  return stats;
}

const END = '2026-03-01T09:30:10.000Z';

export function disklat(records: readonly MarpleRecord[]): TestSection {
  return {
    header: headerOf('datapoint', {
      interface: 'disklat',
      end: END,
      x: { label: 'time', unit: 's' },
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid', 'dev', 'op'],
    }),
    records,
  };
}

export function memtime(records: readonly MarpleRecord[]): TestSection {
  return {
    header: headerOf('datapoint', {
      interface: 'memtime',
      end: END,
      x: { label: 'time', unit: 's' },
      y: { label: 'PSS', unit: 'MiB' },
      fields: ['comm', 'pid'],
    }),
    records,
  };
}

export function cpusched(
  records: readonly MarpleRecord[],
  scope?: Record<string, unknown>,
  options?: Record<string, unknown>,
): TestSection {
  return {
    header: headerOf('event', {
      interface: 'cpusched',
      end: END,
      fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      ...(scope === undefined ? {} : { scope }),
      ...(options === undefined ? {} : { options }),
    }),
    records,
  };
}

export function ipc(records: readonly MarpleRecord[]): TestSection {
  return {
    header: headerOf('event', {
      interface: 'ipc',
      end: END,
      fields: ['pid', 'comm', 'addr', 'port', 'other_pid', 'other_comm', 'other_addr', 'other_port', 'bytes'],
      links: [['pid', 'other_pid']],
    }),
    records,
  };
}

export function stacks(name: string, records: readonly MarpleRecord[], unit = 'samples'): TestSection {
  return { header: headerOf('stack', { interface: name, end: END, weight: { label: unit, unit } }), records };
}
