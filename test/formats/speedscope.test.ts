import { describe, expect, it, test } from 'vitest';
import { speedscopeExporter } from '../../src/formats/speedscope.ts';
import { headerOf } from '../support/data-files.ts';
import { exportSections, SECTION, SOME } from '../support/exports.ts';

interface Speedscope {
  readonly name: string;
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly {
    readonly type: string;
    readonly name: string;
    readonly unit: string;
    readonly startValue: number;
    readonly endValue: number;
    readonly samples: readonly (readonly number[])[];
    readonly weights: readonly number[];
  }[];
}

/** Samples as folded text. */
function foldedOf({ shared, profiles }: Speedscope): Record<string, string[]> {
  return Object.fromEntries(
    profiles.map(({ name, samples, weights }) => [
      name,
      samples.map((frames, i) => `${frames.map((id) => shared.frames[id]!.name).join(';')} ${weights[i]}`),
    ]),
  );
}

const PROFILE = { pick: [SECTION.stacks, SECTION.samples] };

describe('speedscope', () => {
  it('has the whole section, and the samples of each process in the order of time', async () => {
    const { text, warnings } = await exportSections(speedscopeExporter, SOME, PROFILE);
    const file = JSON.parse(text) as Speedscope;
    expect(warnings).toEqual([]);
    expect(foldedOf(file)).toEqual({
      'callstack (samples)': ['fio;main;read 3', 'web_server;main;parse<int, "x"> 1', 'fio;main;write 4'],
      'fio (10)': ['fio;main;read 3', 'fio;main;write 1'],
      'web_server (20)': ['web_server;main;parse<int, "x"> 1'],
      'fio (11)': ['fio;main;write 3'],
    });
    for (const { type, unit, startValue, endValue, weights } of file.profiles) {
      expect([type, unit, startValue]).toEqual(['sampled', 'none', 0]);
      expect(endValue).toBe(weights.reduce((sum, weight) => sum + weight, 0));
    }
  });

  it('has what was selected', async () => {
    const { text } = await exportSections(speedscopeExporter, SOME, { ...PROFILE, filter: { from: 2 } });
    expect(foldedOf(JSON.parse(text) as Speedscope)).toEqual({
      'callstack (samples)': ['fio;main;write 4'],
      'fio (10)': ['fio;main;write 1'],
      'fio (11)': ['fio;main;write 3'],
    });
  });

  it('has the section alone where the samples were not asked for', async () => {
    const { text } = await exportSections(speedscopeExporter, SOME, { pick: [SECTION.stacks] });
    expect((JSON.parse(text) as Speedscope).profiles).toHaveLength(1);
  });

  it('says which sections are left out', async () => {
    expect((await exportSections(speedscopeExporter, SOME)).warnings).toEqual([
      'section 2 (callstack) alone is written, and not 5: a speedscope file holds one (choose with -e)',
    ]);
  });

  test.each([
    ['ns', 'nanoseconds'],
    ['bytes', 'bytes'],
    ['I/Os', 'none'],
  ])('weights in %s are %s', async (unit, expected) => {
    const header = headerOf('stack', { weight: { label: 'x', unit } });
    const { text } = await exportSections(speedscopeExporter, [{ header, records: [{ weight: 1, stack: ['a'] }] }]);
    expect((JSON.parse(text) as Speedscope).profiles[0]!.unit).toBe(expected);
  });
});
