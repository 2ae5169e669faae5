import { describe, expect, it } from 'vitest';
import { cpelExporter } from '../../src/formats/cpel-events.ts';
import { readCpel } from '../support/cpel.ts';
import { exportSections, SECTION, SOME } from '../support/exports.ts';

describe('export as CPEL', () => {
  it('has every event on the track of its task', async () => {
    const { bytes, warnings } = await exportSections(cpelExporter, SOME, { pick: [SECTION.cpusched] });
    const { tracks, types, events } = readCpel(bytes);
    expect(warnings).toEqual([]);
    expect(events.map(({ time, track, code }) => [time, tracks.get(track), types.get(code)])).toEqual([
      [0n, 'fio(10)', 'wakeup'],
      [1000n, 'fio(10)', 'switch'],
      [2_000_004_001n, 'swapper(0)', 'switch'],
      [2_999_999_000n, 'web server(20)', 'switch'],
      [3_499_999_000n, 'fio(10)', 'switch'],
    ]);
  });

  it('holds one section, and says so', async () => {
    expect((await exportSections(cpelExporter, SOME)).warnings).toEqual([
      'section 1 (cpusched) alone is written, and not 3, 8: a CPEL file holds one (choose with -e)',
    ]);
  });

  it('needs events of tasks or CPUs, and one at least', async () => {
    await expect(exportSections(cpelExporter, SOME, { pick: [SECTION.stacks] })).rejects.toMatchObject({
      exitCode: 2,
      message: 'none of the sections has events of tasks or CPUs, which is all that a CPEL file can hold',
    });
    const nobody = { pick: [SECTION.cpusched], filter: { pids: [99] } };
    await expect(exportSections(cpelExporter, SOME, nobody)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('has no events that pass the filter'),
    });
  });
});
