import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { parseFormat } from '../../src/formats/event-format.ts';
import { IssuerStacks } from '../../src/formats/issuer-stacks.ts';
import { readSetting } from '../../src/formats/perf-recording.ts';
import { asRead, tempFolder } from '../support/data-files.ts';
import { tracepointFileOf, tracepointSample } from '../support/perf-file.ts';
import { traceRecord } from '../support/trace-records.ts';

const WHOLE = join(import.meta.dirname, '../fixtures/ftrace/whole');
const BOOT = readSetting('random/boot_id') ?? '';
const { details } = JSON.parse(readFileSync(join(WHOLE, 'recording.json'), 'utf8')) as {
  details: { ftrace: { formats: Record<string, string> } };
};
const FORMAT = details.ftrace.formats['block:block_rq_issue'] ?? '';
const DETAILS = { command: ['perf', 'record'], version: '6.1', warnings: [], formats: [FORMAT] };
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

// On real ones too: test/real/disklat-stacks.test.ts.
describe('where a thread issues the same again and again', () => {
  const ISSUE = { kind: 'block', type: 'issue', tid: 8, comm: 'x', dev: 254, sector: 64, sectors: 8 } as const;
  const OTHER = { bytes: 4096, op: 'RS', error: 0 } as const;

  /** The address of what called each of the issues, where perf recorded callers 0x1000, 0x2000, ... at these times. */
  async function callers(issues: readonly number[], perf: readonly number[], isEarlier: boolean) {
    const dir = tempFolder();
    const { id } = parseFormat(FORMAT);
    const values = {
      common_pid: 8,
      dev: 254,
      sector: 64,
      nr_sector: 8,
      rwbs: Buffer.from('RS'),
      comm: Buffer.from('x'),
    };
    const { bytes, offset } = traceRecord(FORMAT, values);
    const samples = perf.map((time, i) => tracepointSample(time, [0x1000 * (i + 1)], bytes.subarray(offset)));
    writeFileSync(join(dir, 'stacks.data'), tracepointFileOf(id, ...samples));
    const run = { origin: '0', scope: { own: 0 }, tasks: [], bootId: BOOT };
    const stacks = new IssuerStacks(dir, DETAILS, run, new HeaderReport(), isEarlier);
    const records = (async function* () {
      yield issues.map((time) => ({ ...ISSUE, ...OTHER, time }));
    })();
    const found: (number | undefined)[] = [];
    for await (const batch of stacks.join(records)) {
      for (const record of batch) {
        const address = record.kind === 'block' ? record.sample?.frames[0]?.address : undefined;
        found.push(address === undefined ? undefined : Number.parseInt(address, 16));
      }
    }
    return found;
  }

  // Nanoseconds as they were recorded: the machine paused between the two records of the third.
  const FIRST = [918_376, 986_027, 1_075_620, 1_152_264];
  const SECOND = [936_984, 1_035_230, 1_081_068, 1_157_131];

  test.each([false, true])('each has its own callers, in the order of the two tools (%s)', async (isEarlier) => {
    const [issues, perf] = isEarlier ? [FIRST, SECOND] : [SECOND, FIRST];
    expect(await callers(issues, perf, isEarlier)).toEqual([0x1000, 0x2000, 0x3000, 0x4000]);
  });

  test('one that only the trace lost leaves those behind it alone', async () => {
    expect(await callers(SECOND.toSpliced(1, 1), FIRST, false)).toEqual([0x1000, 0x3000, 0x4000]);
  });

  test('one that only perf lost has none', async () => {
    expect(await callers(SECOND, FIRST.toSpliced(1, 1), false)).toEqual([0x1000, undefined, 0x2000, 0x3000]);
  });
});

describe('the I/Os are there where their stacks cannot be', () => {
  const json = JSON.stringify(DETAILS);
  const { formats, ...others } = DETAILS;
  const older = JSON.stringify({ ...others, format: formats[0] });
  test.each([
    ['a description that is cut off', { 'stacks.json': json.slice(0, 40) }, /damaged$/u],
    ['another description', { 'stacks.json': '{}' }, /^stacks are missing: their description is damaged$/u],
    ['no event', { 'stacks.json': json.replace('name: block_rq_issue', 'x'), 'stacks.data': HEADER }, /damaged$/u],
    ['an older one, of one event', { 'stacks.json': older }, /^stacks are missing: perf was ended before it had/u],
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
