import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { countsBetween } from '../../src/formats/diskstats.ts';
import { makePlace, type Place } from '../e2e/marple.ts';
import { type DiskData, readDiskData } from '../support/disk-data.ts';
import { diskOf, extentsOf, type Fio, prepareFio } from '../support/fio.ts';

const READS = 5000;

let fio: Fio;
let other: Fio;
let place: Place;
let disk: { name: string; extents: [number, number][] };
beforeAll(() => {
  fio = prepareFio('fiotest', 64);
  other = prepareFio('other', 16);
  disk = { name: diskOf(fio.file).name, extents: extentsOf(fio.file) };
  place = makePlace();
});
afterAll(() => place.remove());

/** Fields of an event by name. */
function datumOf({ datum }: EventData): Record<string, string> {
  const fields = ['dev', 'sector', 'bytes', 'op', 'comm', 'pid', 'tid', 'error'];
  return Object.fromEntries(fields.map((field, i) => [field, datum[i] ?? '']));
}

/** The direct reads of fio's job. */
function ofJob(events: readonly EventData[], type: string): EventData[] {
  return events.filter((event) => {
    const { dev, sector, bytes, op } = datumOf(event) as Record<'dev' | 'sector' | 'bytes' | 'op', string>;
    if (event.type !== type || dev !== disk.name || bytes !== '4096' || !op.startsWith('R')) return false;
    return disk.extents.some(([first, last]) => Number(sector) >= first && Number(sector) + 7 <= last);
  });
}

async function collect(name: string, more: readonly string[], command: readonly string[]): Promise<DiskData> {
  const ended = await place.marple(['collect', ...more, '-o', name, '--', fio.program, ...command]);
  expect(ended).toMatchObject({ code: 0 });
  return readDiskData(place.path(name));
}

test('each request has its steps, in order, by who made it, where others issue some; disklat has the same', async () => {
  other.startLoad();
  const { events, points, headers } = await collect(
    'x.marple',
    ['--disk', 'latency,block_requests'],
    fio.args(`--number_ios=${READS}`, '--ioengine=libaio', '--iodepth=8'),
  );
  expect(headers.map(({ interface: name }) => name)).toEqual(['disklat', 'disklat', 'diskblockrq']);
  expect(headers[2]).toMatchObject({ datatype: 'event', records: events.length, tool: { name: 'ftrace' } });
  const times = events.map(({ time }) => time);
  expect(times).toEqual([...times].sort((a, b) => a - b));

  const issues = ofJob(events, 'issue');
  const completions = ofJob(events, 'complete');
  // What the device could not take is issued once more.
  expect(issues).toHaveLength(READS + ofJob(events, 'requeue').length);
  expect(completions).toHaveLength(READS);
  for (const event of [...issues, ...completions]) expect(datumOf(event)['comm']).toBe('fiotest');
  expect(new Set(completions.map((event) => datumOf(event)['pid']))).toEqual(
    new Set(issues.map((event) => datumOf(event)['pid'])),
  );
  expect(events.every((event) => datumOf(event)['error'] === '')).toBe(true);

  // fio reads each block once, so a place names a request.
  const at = (list: readonly EventData[]): Map<string, number> =>
    new Map(list.map((event) => [datumOf(event)['sector'] as string, event.time]));
  const [inserted, issued, completed] = [at(ofJob(events, 'insert')), at(issues), at(completions)];
  expect(issued.size).toBe(READS);
  for (const [sector, time] of issued) {
    expect(inserted.get(sector) ?? time).toBeLessThanOrEqual(time);
    expect(completed.get(sector)).toBeGreaterThan(time);
  }
  const reads = points.filter(({ info }) => issued.has(info[5] ?? '') && info[6] === '4096');
  expect(reads).toHaveLength(READS);
  for (const { x, y, info } of reads) {
    const [sector = ''] = info.slice(5);
    // Two instances of ftrace see the same moment one behind the other.
    expect(Math.abs(x * 1e9 - issued.get(sector)!)).toBeLessThan(5e6);
    expect(Math.abs(y * 1e6 - (completed.get(sector)! - issued.get(sector)!))).toBeLessThan(5e6);
  }
});

test('the completed requests of the machine are those that the block layer counted', async () => {
  const before = readFileSync('/proc/diskstats', 'utf8');
  const { events, headers } = await collect(
    'a.marple',
    ['--disk', 'block_requests', '-a'],
    fio.args('--number_ios=2000'),
  );
  const after = readFileSync('/proc/diskstats', 'utf8');
  expect(headers[0]?.warnings ?? []).toEqual([]);
  const number = readFileSync(`/sys/block/${disk.name}/dev`, 'utf8').trim();
  const { requests } = countsBetween(before, after, number);
  const of = (type: string): number => events.filter((e) => e.type === type && datumOf(e)['dev'] === disk.name).length;
  expect(ofJob(events, 'complete')).toHaveLength(2000);
  // The counters were read before MARPLE began and after it had ended, and MARPLE's own I/O is left out.
  expect(of('complete')).toBeLessThanOrEqual(requests * 1.02 + 20);
  expect(of('complete')).toBeGreaterThanOrEqual(2000);
  expect(Math.abs(of('issue') - of('complete'))).toBeLessThanOrEqual(100);
});

test('perf gives the same section, and says what it did not see', async () => {
  const more = ['--disk', 'block_requests', '--tool', 'diskblockrq=perf'];
  const { events, headers } = await collect('p.marple', more, fio.args('--number_ios=3000'));
  expect(headers[0]).toMatchObject({ interface: 'diskblockrq', tool: { name: 'perf' } });
  // Issues come from the task and are all there; completions of an idle CPU may be missing, which is said then.
  expect(ofJob(events, 'issue')).toHaveLength(3000);
  const missing = 3000 - ofJob(events, 'complete').length;
  expect(missing).toBeGreaterThanOrEqual(0);
  if (missing > 200) expect((headers[0]?.warnings ?? []).join('\n')).toMatch(/\/proc\/diskstats counted/u);
});
