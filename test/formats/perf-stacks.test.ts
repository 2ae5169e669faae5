import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DamagedFileError } from '../../src/common/errors.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { readSetting } from '../../src/formats/perf-recording.ts';
import { writeRecording } from '../../src/formats/recording.ts';
import { testFolder } from '../support/folder.ts';

const RUN = { origin: '0', scope: { own: 1 }, tasks: [], bootId: readSetting('random/boot_id') ?? '' };
const COMMON = { tool: { name: 'perf', version: '6', command: ['perf'] }, options: {}, warnings: [] };
const DETAILS = {
  'perf-stacks': { ...COMMON, weights: ['bytes'], eventFrame: false, formats: [] },
  'bpftrace-stacks': { ...COMMON, kind: 'requested', most: 4096, began: '5' },
};

describe.each(['perf-stacks', 'bpftrace-stacks'] as const)('%s: recordings that are not whole', (format) => {
  async function decode(details: object, files: Readonly<Record<string, string>> = {}): Promise<HeaderReport> {
    const dir = testFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    await writeRecording(dir, { format, interface: 'mallocstacks', details: { ...details } });
    const report = new HeaderReport();
    for await (const { records } of decodeRecording(dir, RUN, report)) expect(records).toEqual([]);
    return report;
  }

  test('a description that is none, or of other probes, is damage', async () => {
    await expect(decode({})).rejects.toThrow(DamagedFileError);
    await expect(decode({ ...DETAILS[format], warnings: 5 })).rejects.toThrow(
      /not a description of a recording of mallocstacks/,
    );
    if (format === 'perf-stacks') {
      await expect(decode({ ...DETAILS[format], formats: ['name: x\nID: 7\nformat:\n'] })).rejects.toThrow(
        /no field size/,
      );
    }
  });

  test('where perf had not begun there is nothing, and it is said', async () => {
    expect((await decode(DETAILS[format])).warnings).toEqual(['perf was ended before it had recorded anything']);
    expect((await decode(DETAILS[format], { 'perf.data': '' })).warnings).toHaveLength(1);
    await expect(decode(DETAILS[format], { 'perf.data': 'no perf.data'.repeat(20) })).rejects.toThrow(DamagedFileError);
  });
});
