import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Datapoint, EventData, MarpleRecord } from '../../src/common/datatypes.ts';
import { openDataFile } from '../../src/common/reader.ts';
import { makePlace } from '../e2e/marple.ts';
import { readRecords } from '../support/data-files.ts';
import { ROOT } from '../support/folder.ts';
import { compileProgram } from '../support/programs.ts';

const program = compileProgram('clock');

interface Section {
  readonly name: string;
  readonly fields: readonly string[];
  readonly records: readonly MarpleRecord[];
}

async function read(path: string): Promise<{ origin: bigint; sections: Section[] }> {
  const file = await openDataFile(path);
  const sections: Section[] = [];
  for (const section of file.sections) {
    const { interface: name, datatype, fields = [] } = section.header;
    sections.push({ name: `${name} ${datatype}`, fields, records: await readRecords(section) });
  }
  const origins = new Set(file.sections.map(({ header }) => header.clock?.origin));
  await file.close();
  expect(origins.size).toBe(1);
  return { origin: BigInt([...origins][0] as string), sections };
}

describe.skipIf(!ROOT)('one clock for all sections', () => {
  test('what a process does by its own clock is in each section at that time, and in that order', async () => {
    const place = makePlace();
    onTestFinished(() => place.remove());
    writeFileSync(place.path('blocks'), randomBytes(1024 * 1024), { flush: true });
    const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };

    const interfaces = ['cpusched', 'disklat', 'memtime', 'ipc'];
    const command = [program, place.path('blocks'), String(port)];
    const ended = await place.marple(['collect', ...interfaces, '-o', 'c.marple', '--', ...command]);
    expect(ended).toMatchObject({ code: 0 });
    const { origin, sections } = await read(place.path('c.marple'));
    /** By step: the process's own times before and after it, nanoseconds since the origin of the file. */
    const steps = new Map(
      ended.stdout
        .trim()
        .split('\n')
        .map((line): [string, [number, number]] => {
          const [name = '', before = '0', after = '0'] = line.split(' ');
          return [name, [Number(BigInt(before) - origin), Number(BigInt(after) - origin)]];
        }),
    );
    const during = (name: string): [number, number] => steps.get(name) as [number, number];
    const of = (name: string): Section => sections.find((section) => section.name === name) as Section;
    const field = ({ fields }: Section, name: string): number => fields.indexOf(name);

    const sched = of('cpusched event');
    const resumes = (sched.records as readonly EventData[]).filter(
      ({ type, datum }) => type === 'switch' && datum[field(sched, 'other_comm')] === 'clock',
    );
    const [asleep, awake] = during('wake');
    // It is put on a CPU again at the end of its sleep, right before it looks at the clock.
    const woken = resumes.filter(({ time }) => time > asleep && time <= awake).at(-1)?.time ?? Number.NaN;
    expect(woken).toBeGreaterThan(asleep + 190e6);
    expect(woken).toBeLessThanOrEqual(awake);

    const memory = of('memtime datapoint').records as readonly Datapoint[];
    const grown = (memory.find(({ y }) => y > 90)?.x ?? Number.NaN) * 1e9;
    expect(grown).toBeGreaterThan(during('allocate')[0]);

    const disk = of('disklat datapoint');
    const reads = (disk.records as readonly Datapoint[]).filter(
      ({ info }) => info[field(disk, 'comm')] === 'clock' && info[field(disk, 'op')]?.startsWith('R'),
    );
    const [before, after] = during('read');
    const direct = reads.filter(({ x, y }) => x * 1e9 >= before && x * 1e9 + y * 1e6 <= after);
    expect(direct.map(({ info }) => info[field(disk, 'bytes')])).toEqual(['4096']);

    const ipc = of('ipc event');
    const sent = (ipc.records as readonly EventData[]).filter(
      ({ type, datum }) => type === 'send' && datum[field(ipc, 'comm')] === 'clock',
    );
    expect(sent.map(({ datum }) => datum[field(ipc, 'bytes')])).toEqual(['16']);
    expect(sent[0]?.time).toBeGreaterThanOrEqual(during('send')[0]);
    expect(sent[0]?.time).toBeLessThanOrEqual(during('send')[1]);

    const order = [woken, grown, (direct[0] as Datapoint).x * 1e9, (sent[0] as EventData).time];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });
});
