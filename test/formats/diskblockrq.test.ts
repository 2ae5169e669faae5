import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope } from '../../src/common/scope.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { tempFolder } from '../support/data-files.ts';

const WHOLE = join(import.meta.dirname, '../fixtures/ftrace/whole');

/** The trace of the fixture, which was recorded for disklat, decoded for diskblockrq. */
async function decode(scope: Partial<Scope> = {}) {
  const dir = join(tempFolder(), 'recording');
  cpSync(WHOLE, dir, { recursive: true });
  const path = join(dir, 'recording.json');
  const text = readFileSync(path, 'utf8').replace('"ftrace-disklat"', '"ftrace-diskblockrq"');
  writeFileSync(path, text.replace('"interface":"disklat"', '"interface":"diskblockrq"'));
  const report = new HeaderReport();
  const events: EventData[] = [];
  const run = { origin: '0', scope: { own: 0, ...scope }, tasks: [], bootId: '' };
  for await (const { section, records } of decodeRecording(dir, run, report)) {
    expect(section).toBe(0);
    events.push(...(records as EventData[]));
  }
  return { events, report };
}

/**
 * The kernel's own text of the same events, as `microseconds type sector bytes op`.
 * fio-29194   [000] .....  1114.331849: block_rq_issue: 254,0 RA 4096 () 46804064 + 8 be,0,4 [fio]
 */
function kernelEvents(): string[] {
  const EVENT =
    /: block_rq_(?<type>issue|complete|requeue): \S+ (?<op>\S+) (?:(?<bytes>\d+) )?\(\) (?<sector>\d+) \+ (?<sectors>\d+) /u;
  const lines = readFileSync(join(WHOLE, 'trace.txt'), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const { type, op, bytes, sector, sectors } = EVENT.exec(line)?.groups ?? {};
    if (type === undefined) return [];
    return [[type, sector, bytes ?? Number(sectors) * 512, op].join(' ')];
  });
}

const wordsOf = ({ type, datum }: EventData): string => [type, datum[1], datum[2], datum[3]].join(' ');

test('has every event that the kernel printed', async () => {
  const { events, report } = await decode();
  const kernel = kernelEvents();
  expect(kernel.length).toBeGreaterThan(100);
  // A flush completes with sector -1, which the kernel prints as an unsigned number and a double cannot hold.
  const known = (words: string): boolean => !/ 18446744073709551615 | 18446744073709552000 /u.test(words);
  expect(events.map(wordsOf).filter(known)).toEqual(kernel.filter(known));
  expect(events).toHaveLength(kernel.length);
  expect(report.warnings).toEqual([]);
  const times = events.map(({ time }) => time);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('a completion is its issuer’s; scope goes by the issuer', async () => {
  const { events } = await decode();
  const issuer = new Map<string, string>();
  let completions = 0;
  for (const { type, datum } of events) {
    const [dev, sector, , , ...who] = datum;
    const key = `${dev} ${sector}`;
    if (type === 'issue') issuer.set(key, who.slice(0, 3).join());
    // The request that a flush was for ends once more, with 0 bytes.
    if (type !== 'complete' || datum[2] === '0' || !issuer.has(key)) continue;
    completions++;
    expect(who.slice(0, 3).join()).toBe(issuer.get(key));
  }
  expect(completions).toBeGreaterThan(50);

  const names = new Set(events.map(({ datum }) => datum[4]));
  expect(names.size).toBeGreaterThan(1);
  const [name = ''] = [...names].filter((each) => each !== '');
  const { events: some, report } = await decode({ comm: `^${name}$` });
  expect(some).toEqual(events.filter(({ datum }) => datum[4] === name));
  expect(some.some(({ type }) => type === 'complete')).toBe(true);
  expect(report.warnings).toEqual([]);
});
