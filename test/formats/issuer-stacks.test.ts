import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { readSetting } from '../../src/formats/perf-recording.ts';
import { asRead, tempFolder } from '../support/data-files.ts';

const WHOLE = join(import.meta.dirname, '../fixtures/ftrace/whole');
const BOOT = readSetting('random/boot_id') ?? '';
const { details } = JSON.parse(readFileSync(join(WHOLE, 'recording.json'), 'utf8')) as {
  details: { ftrace: { formats: Record<string, string> } };
};
const format = details.ftrace.formats['block:block_rq_issue'];
const DETAILS = { command: ['perf', 'record'], version: '6.1', warnings: [], format };
/** The header of a perf.data that has nothing behind it. */
const HEADER = `PERFILE2\x68${'\0'.repeat(7)}\x90${'\0'.repeat(183)}`;

/** The I/Os of a recording with these files for the stacks. */
async function decode(files: Readonly<Record<string, string>>, bootId = BOOT) {
  const dir = join(tempFolder(), 'recording');
  cpSync(WHOLE, dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const report = new HeaderReport();
  const points: MarpleRecord[] = [];
  const run = { origin: '0', scope: { own: 0 }, tasks: [], bootId };
  for await (const { section, records } of decodeRecording(dir, run, report)) {
    expect(section).toBe(0);
    points.push(...records.map(asRead));
  }
  return { points, warnings: report.warnings };
}

// How issues and stacks are joined is tested on real ones: test/real/disklat-stacks.test.ts.
describe('the I/Os are there where their stacks cannot be', () => {
  const json = JSON.stringify(DETAILS);
  test.each([
    ['a description that is cut off', { 'stacks.json': json.slice(0, 40) }, /damaged$/u],
    ['another description', { 'stacks.json': '{}' }, /^stacks are missing: their description is damaged$/u],
    ['no event', { 'stacks.json': json.replace('name: block_rq_issue', 'x'), 'stacks.data': HEADER }, /damaged$/u],
    ['no perf.data', { 'stacks.json': json }, /^stacks are missing: perf was ended before it had recorded any$/u],
    ['an empty one', { 'stacks.json': json, 'stacks.data': '' }, /^stacks are missing: perf was ended before/u],
    ['what is none', { 'stacks.json': json, 'stacks.data': 'x'.repeat(200) }, /^stacks are missing: .*no perf\.data/u],
    ['one without events', { 'stacks.json': json, 'stacks.data': HEADER }, /^stacks are missing: .*no events/u],
  ])('%s', async (_, files, warning) => {
    const without = await decode({});
    expect(without.warnings).toEqual([]);
    const { points, warnings } = await decode(files);
    expect(points).toEqual(without.points);
    expect(warnings).toContainEqual(expect.stringMatching(warning));
  });

  test('the recording of another machine', async () => {
    const { points, warnings } = await decode({ 'stacks.json': json, 'stacks.data': 'x' }, 'another');
    expect(points.length).toBeGreaterThan(10);
    expect(warnings).toEqual([expect.stringMatching(/^stacks are missing: .*another machine/u)]);
  });
});
