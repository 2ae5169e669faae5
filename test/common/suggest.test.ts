import { describe, expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/common/suggest.ts';

const INTERFACES = ['cpusched', 'callstack', 'disklat', 'diskblockrq', 'memtime', 'memleak', 'perf_malloc', 'ipc'];

describe('nearest', () => {
  test.each([
    ['dislkat', 'disklat'],
    ['memleaks', 'memleak'],
    ['MEMTIME', 'memtime'],
    ['perf-malloc', 'perf_malloc'],
    ['calstack', 'callstack'],
    ['ipx', 'ipc'],
    ['cpu_sched', 'cpusched'],
    ['call', 'callstack'],
  ])('%s: %s', (word, name) => {
    expect(nearest(word, INTERFACES)).toBe(name);
  });

  test.each(['zzz', 'x', '', 'network', 'disk', 'constructor'])('%j: none', (word) => {
    expect(nearest(word, INTERFACES)).toBeUndefined();
  });

  test('flags, with their dashes', () => {
    expect(nearest('--ouput', ['--output', '--open'])).toBe('--output');
    expect(nearest('-heatmap', ['--heatmap', '--treemap'])).toBe('--heatmap');
  });
});

test('didYouMean', () => {
  expect(didYouMean('lateny', ['latency', 'block_requests'], 'see --help', (kind) => `--disk=${kind}`)).toBe(
    'did you mean --disk=latency? If not, see --help',
  );
  expect(didYouMean('x', ['latency'], 'see --help')).toBe('see --help');
});
