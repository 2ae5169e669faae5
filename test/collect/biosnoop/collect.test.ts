import { expect, test } from 'vitest';
import { BiosnoopRows } from '../../../src/collect/biosnoop/collect.ts';
import type { Datapoint } from '../../../src/common/datatypes.ts';
import { testRun } from '../../support/run.ts';

function pointsOf(lines: readonly string[], scope = {}) {
  const { run, report } = testRun({ tool: 'biosnoop', options: {}, scope: { own: 0, ...scope } });
  const rows = new BiosnoopRows(run);
  try {
    // The first line is of I/O before the run, and came 2 ms after its completion; another one 1 ms after.
    for (const [line, arrived] of [
      ['0.000000    marple         1       vda       W 8          4096      0.50', 1_002_000_000],
      ['0.100000    marple         1       vda       W 16         4096      0.50', 1_101_000_000],
    ] as const) {
      expect([...rows.add(line, arrived)]).toEqual([]);
    }
    rows.begin();
    const batches = lines.flatMap((line) => [...rows.add(line, 9e9)]);
    batches.push(...rows.rest());
    return { points: batches.flatMap(({ records }) => records as Datapoint[]), report };
  } finally {
    rows.close();
  }
}

test('in the order of issue, with the clock of the run, and a warning that says how well', () => {
  const { points, report } = pointsOf([
    '1.000000    slow           77      vda       R 64         8192    400.00',
    '1.100000    quick          78      vda       W 32         4096      0.25',
    '0.900000    quick          78      vda       R 16         4096      1.00',
    'something else',
  ]);
  // Its times began 1.001 s after ours, as far as the quickest line tells.
  expect(points.map(({ x, y, info }) => [x, y, ...info])).toEqual([
    [1.601, 400, 'slow', '77', '', 'R', 'vda', '64', '8192', ''],
    [1.9, 1, 'quick', '78', '', 'R', 'vda', '16', '4096', ''],
    [2.10075, 0.25, 'quick', '78', '', 'W', 'vda', '32', '4096', ''],
  ]);
  expect(report.skippedCount).toBe(1);
  expect(report.warnings.join('\n')).toMatch(/placed by when its lines came, to about a millisecond/u);
});

test('in scope', () => {
  // Pids that no machine has (pid_max is 2^22 at most).
  const lines = [
    '1.000000    a              5000001 vda       R 64         8192      4.00',
    '1.000000    b              5000002 vda       R 64         8192      4.00',
  ];
  expect(pointsOf(lines, { pids: [5000002] }).points.map(({ info }) => info[0])).toEqual(['b']);
  expect(pointsOf(lines, { comm: '^a$' }).points.map(({ info }) => info[0])).toEqual(['a']);
});
